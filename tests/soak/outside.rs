//! What threads do that are not a runtime's.

use futures::executor;
use futures::future::lazy;
use gorun::spawn;

use super::actor::Actor;
use super::event::Step;
use super::message::{choose, receive, send};
use super::random::Random;

/// Does a few things, each of which ends also when the runtime has.
pub(crate) fn work(mut actor: Actor) {
    actor.life.begin();
    let is_clean = actor.life.world.is_clean;
    for _ in 0..actor.random.below(12) {
        let mut random = actor.random.fork();
        let line = actor.life.world.line(&mut random).number as usize;
        match random.below(8) {
            0 => {
                let value = actor.life.world.fates.value();
                let id = value.id();
                actor.life.at(Step::Sends, line as u32);
                let result = actor.life.world.lines[line].tx.send_blocking(value);
                actor.life.settle(id, result);
            }
            1 => {
                actor.life.at(Step::Receives, line as u32);
                actor.life.take(actor.life.world.lines[line].rx.recv_blocking());
            }
            2 => actor.life.try_something(random),
            3 | 4 => start(&mut actor, random),
            // There are timers in these, which their runtime has to keep.
            5 if is_clean => {
                actor.life.home.handle.block_on(choose(&actor.life, random));
            }
            6 if is_clean => {
                actor.life.home.handle.block_on(async {
                    send(&actor.life, random.fork()).await;
                    receive(&actor.life, random.fork()).await;
                });
            }
            _ => {
                let value = actor.life.world.fates.value();
                let id = value.id();
                actor.life.at(Step::Sends, line as u32);
                let result = executor::block_on(actor.life.world.lines[line].tx.send(value));
                actor.life.settle(id, result);
            }
        }
    }
}

fn start(actor: &mut Actor, mut random: Random) {
    let Some(child) = actor.child(&mut random) else { return };
    let (act, record) = (actor.act, child.life.record.clone());
    let home = actor.life.home.clone();
    let handle = match random.one_in(2) {
        true => home.handle.spawn(act(child)),
        false => home.handle.block_on(lazy(|_| spawn(act(child)))),
    };
    if random.one_in(2) {
        record.will_be_aborted();
        handle.abort();
    }
    let may_be_cancelled = !actor.life.world.is_clean;
    actor.life.at(Step::Joins, record.id);
    match random.below(3) {
        0 => drop(handle),
        1 => record.check(executor::block_on(handle), may_be_cancelled),
        _ => record.check(home.handle.block_on(handle), may_be_cancelled),
    }
}
