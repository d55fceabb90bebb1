//! Who sends and who receives at a channel of the world, from the beginning of a round until it is
//! closed, so that nobody else waits there for ever.

use futures::StreamExt;
use gorun::time::{sleep, timeout};
use gorun::{SendError, select, yield_now};

use super::event::Step;
use super::life::Life;
use super::random::Random;
use super::value::Value;

/// Receives nothing, and sends until it is told that the channel is closed.
pub(crate) async fn source(life: Life, index: usize, mut random: Random) {
    life.begin();
    let line = &life.world.lines[index];
    let mut kept = None;
    loop {
        let value = kept.take().unwrap_or_else(|| life.world.fates.value());
        let id = value.id();
        life.at(Step::Sends, line.number);
        let is_refused = match random.below(3) {
            0 => {
                let result = line.tx.send(value).await;
                let is_refused = result.is_err();
                settle(&life, id, result);
                is_refused
            }
            1 => {
                kept = Some(value);
                let is_refused = line.tx.send_from(&mut kept).await.is_err();
                note_if_gone(&life, id, &kept);
                is_refused
            }
            _ => {
                kept = Some(value);
                let send = line.tx.send_from(&mut kept);
                let sent = timeout(random.micros(200), send).await;
                note_if_gone(&life, id, &kept);
                sent.is_ok_and(|sent| sent.is_err())
            }
        };
        if is_refused {
            break;
        }
        pause(&life, &mut random).await;
    }
    if let Some(value) = kept {
        value.refuse();
    }
}

fn settle(life: &Life, id: usize, result: Result<(), SendError<Value>>) {
    match result {
        Ok(()) => life.world.fates.sent(id),
        Err(error) => error.into_inner().refuse(),
    }
}

fn note_if_gone(life: &Life, id: usize, kept: &Option<Value>) {
    if kept.is_none() {
        life.world.fates.sent(id);
    }
}

/// Others are to run as well.
async fn pause(life: &Life, random: &mut Random) {
    life.world.set_timer();
    match random.below(4) {
        0 => yield_now().await,
        _ => sleep(random.micros(600)).await,
    }
}

/// Receives until the channel is closed and empty.
pub(crate) async fn sink(life: Life, index: usize, mut random: Random) {
    life.begin();
    let line = &life.world.lines[index];
    loop {
        life.at(Step::Receives, line.number);
        let received = match random.below(3) {
            0 => line.rx.recv().await,
            1 => line.rx.clone().next().await,
            _ => select! {
                received = line.rx.recv() => received,
                () = sleep(random.micros(300)) => continue,
            },
        };
        match received {
            Some(value) => life.take(Some(value)),
            None => break,
        }
    }
}
