//! `block_on` inside goroutines, and other runtimes. Only in rounds whose main functions wait: exit does
//! not wait for those who wait in this way.

use gorun::{Builder, block_on, num_goroutines, spawn, yield_now};

use super::actor::Actor;
use super::event::Step;
use super::failure::{demand, fail};
use super::message::{choose, receive, send};
use super::random::Random;

pub(crate) fn nest(actor: &mut Actor, mut random: Random) {
    let form = random.below(10);
    let life = &actor.life;
    let line = life.world.line(&mut random);
    life.at(Step::Nested, form as u32);
    match form {
        0 => block_on(send(life, random)),
        1 => block_on(receive(life, random)),
        2 => life.home.handle.block_on(choose(life, random)),
        3 => {
            let value = life.world.fates.value();
            let id = value.id();
            life.settle(id, line.tx.send_blocking(value));
        }
        4 => life.take(line.rx.recv_blocking()),
        5 | 6 => {
            let Some(child) = actor.child(&mut random) else { return };
            let (act, record) = (actor.act, child.life.record.clone());
            let result = match form {
                5 => block_on(async { spawn(act(child)).await }),
                _ => actor.life.home.handle.block_on(spawn(act(child))),
            };
            record.check(result, false);
        }
        7 | 8 => {
            // The other runtime, if there are two.
            let homes = life.world.homes.iter().filter_map(|home| home.get());
            for home in homes {
                home.handle.block_on(async {
                    send(life, random.fork()).await;
                    receive(life, random.fork()).await;
                });
            }
        }
        _ => census(random),
    }
}

/// A small runtime in which nothing happens by chance.
fn census(mut random: Random) {
    let workers = 1 + random.index(3);
    let count = random.index(40);
    let left = Builder::new().worker_threads(workers).block_on(async {
        let goroutines: Vec<_> = (0..count).map(|_| spawn(std::future::pending::<()>())).collect();
        demand!(num_goroutines() == count + 1, "{count} and main are {}", num_goroutines());
        yield_now().await;
        for goroutine in goroutines.into_iter().skip(count / 2) {
            goroutine.abort();
            demand!(goroutine.await.is_err(), "a goroutine ended that waits for ever");
        }
        num_goroutines()
    });
    match left {
        Ok(left) => demand!(left == count / 2 + 1, "{left} are left, not {}", count / 2 + 1),
        Err(error) => fail(format!("no runtime inside a runtime: {error}")),
    }
}
