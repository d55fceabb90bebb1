//! What an actor does: a few things, one after the other, each chosen by a generator of its own.

use std::future::Future;
use std::pin::Pin;

use super::actor::Actor;
use super::event::Step;
use super::life::Answer;
use super::message::{choose, receive, send};
use super::nested::nest;
use super::random::Random;
use super::record::Plan;
use super::{child, connection, wait};

pub(crate) fn act(mut actor: Actor) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move {
        actor.life.begin();
        let steps = actor.random.below(8);
        let last = actor.random.below(steps + 1);
        for number in 0..steps {
            let random = actor.random.fork();
            if actor.life.record.plan == Plan::PanicInPoll && number == last {
                actor.life.panic();
            }
            step(&mut actor, random).await;
            actor.life.at(Step::Runs, 0);
        }
        while !actor.children.is_empty() && !actor.random.one_in(4) {
            let random = actor.random.fork();
            child::join(&mut actor, random).await;
        }
        actor.life.finish()
    })
}

async fn step(actor: &mut Actor, mut random: Random) {
    let mut choice = random.below(100);
    if choice >= 96 && !actor.life.world.is_clean {
        choice = random.below(96);
    }
    match choice {
        0..20 => child::start(actor, random),
        20..25 => child::go(actor, random),
        25..33 => child::join(actor, random).await,
        33..38 => child::abort(actor, random).await,
        38..41 => child::set(actor, random).await,
        41..44 => child::group(actor, random).await,
        44..48 => child::talk(actor, random).await,
        48..56 => send(&actor.life, random).await,
        56..64 => receive(&actor.life, random).await,
        64..66 => connection::converse(actor, random).await,
        66..76 => choose(&actor.life, random).await,
        76..82 => wait::for_a_time(&actor.life, random).await,
        82..84 => wait::for_nothing(&actor.life, random).await,
        84..88 => wait::for_others(&actor.life, random).await,
        88..90 => wait::for_the_bell(&actor.life).await,
        90 => wait::never(&actor.life, random).await,
        91..93 => wait::compute(&actor.life, random),
        93..95 => wait::block(&actor.life, random),
        95 => actor.life.try_something(random),
        _ => nest(actor, random),
    }
}
