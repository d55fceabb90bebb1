//! What goroutines and threads do at the channels of their world.

use std::future::Future;

use futures::{StreamExt, poll};
use gorun::time::{after, sleep, timeout};
use gorun::{SendError, TryRecvError, TrySendError, select, yield_now};

use super::bell::ring;
use super::event::Step;
use super::failure::{demand, fail};
use super::life::Life;
use super::options::Plant;
use super::random::Random;
use super::value::Value;

impl Life {
    fn value(&self) -> (usize, Value) {
        let value = self.world.fates.value();
        (value.id(), value)
    }

    pub(crate) fn settle(&self, id: usize, result: Result<(), SendError<Value>>) {
        match result {
            Ok(()) => self.world.fates.sent(id),
            Err(error) => self.take_back(error.into_inner()),
        }
    }

    /// A value that was refused because the channel was closed.
    fn take_back(&self, value: Value) {
        demand!(!self.world.is_clean, "{}: the channel was closed early", self.record);
        value.refuse();
    }

    pub(crate) fn take(&self, received: Option<Value>) {
        match received {
            Some(value) if self.world.is_planted(Plant::Lost) => drop(value),
            Some(value) if self.world.is_planted(Plant::Twice) => value.receive_twice(),
            Some(value) => value.receive(),
            None => demand!(!self.world.is_clean, "{}: closed early", self.record),
        }
    }

    fn try_send(&self, random: &mut Random) {
        let line = self.world.line(random);
        self.at(Step::Tries, line.number);
        let (id, value) = self.value();
        match line.tx.try_send(value) {
            Ok(()) => self.world.fates.sent(id),
            Err(TrySendError::Full(value)) => value.refuse(),
            Err(TrySendError::Closed(value)) => self.take_back(value),
        }
    }

    fn try_receive(&self, random: &mut Random) {
        let line = self.world.line(random);
        self.at(Step::Tries, line.number);
        match line.rx.try_recv() {
            Ok(value) => self.take(Some(value)),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Closed) => self.take(None),
        }
    }

    /// What does not wait, and can be done anywhere.
    pub(crate) fn try_something(&self, mut random: Random) {
        let [one, other] = [(); 2].map(|()| self.world.line(&mut random));
        match random.below(4) {
            0 => self.try_send(&mut random),
            1 => self.try_receive(&mut random),
            2 => {
                let (id, value) = self.value();
                select! {
                    received = one.rx.recv() => self.take(received),
                    result = other.tx.send(value) => self.settle(id, result),
                    default => self.at(Step::Runs, 0),
                }
            }
            _ => {
                let is_closed = one.tx.is_closed() || one.rx.is_closed();
                demand!(!is_closed || !self.world.is_clean, "{}: closed early", self.record);
                demand!(one.tx.capacity() == one.rx.capacity(), "{}: {one:?}", self.record);
            }
        }
    }
}

/// Polls once, and drops.
async fn touch<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    match poll!(future.as_mut()) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

pub(crate) async fn send(life: &Life, mut random: Random) {
    let line = life.world.line(&mut random);
    let (id, value) = life.value();
    life.at(Step::Sends, line.number);
    match random.below(8) {
        0..=2 => life.settle(id, line.tx.send(value).await),
        3 => {
            life.world.set_timer();
            match timeout(random.micros(300), line.tx.send(value)).await {
                Ok(result) => life.settle(id, result),
                Err(_) => life.world.fates.elapsed(id),
            }
        }
        4 => {
            if let Some(result) = touch(line.tx.send(value)).await {
                life.settle(id, result);
            }
        }
        5 => life.try_send(&mut random),
        way => {
            let mut kept = Some(value);
            while kept.is_some() {
                let send = line.tx.send_from(&mut kept);
                let is_refused = match way {
                    6 => timeout(random.micros(300), send).await.is_ok_and(|sent| sent.is_err()),
                    _ => select! {
                        sent = send => sent.is_err(),
                        () = ring() => false,
                    },
                };
                match kept.take() {
                    Some(value) if is_refused => life.take_back(value),
                    Some(value) => kept = Some(value),
                    // It is taken when it is committed, whoever notices.
                    None => life.world.fates.sent(id),
                }
            }
        }
    }
}

pub(crate) async fn receive(life: &Life, mut random: Random) {
    let line = life.world.line(&mut random);
    life.at(Step::Receives, line.number);
    match random.below(8) {
        0..=2 => life.take(line.rx.recv().await),
        3 => {
            life.world.set_timer();
            if let Ok(received) = timeout(random.micros(300), line.rx.recv()).await {
                life.take(received);
            }
        }
        4 => {
            if let Some(received) = touch(line.rx.recv()).await {
                life.take(received);
            }
        }
        5 => life.try_receive(&mut random),
        6 => {
            let mut stream = line.rx.clone();
            let received = stream.next().await;
            life.take(received);
        }
        _ => {
            let mut stream = line.rx.clone();
            select! {
                received = stream.next() => life.take(received),
                () = ring() => {}
            }
        }
    }
}

pub(crate) async fn choose(life: &Life, mut random: Random) {
    let [one, other] = [(); 2].map(|()| life.world.line(&mut random));
    let form = random.below(9);
    life.at(Step::Selects, form as u32);
    let (id, value) = life.value();
    match form {
        0 => select! {
            received = one.rx.recv() => life.take(received),
            received = other.rx.recv() => life.take(received),
        },
        1 => select! {
            received = one.rx.recv() => life.take(received),
            result = other.tx.send(value) => life.settle(id, result),
            () = ring() => {}
        },
        2 => {
            let mut kept = Some(value);
            life.world.set_timer();
            let is_refused = select! {
                sent = one.tx.send_from(&mut kept) => sent.is_err(),
                received = other.rx.recv() => { life.take(received); false }
                _ = after(random.micros(300)).recv() => false,
            };
            match kept {
                Some(value) if is_refused => life.take_back(value),
                Some(value) => value.refuse(),
                None => life.world.fates.sent(id),
            }
        }
        3 => {
            let (second_id, second) = life.value();
            select! {
                result = one.tx.send(value) => life.settle(id, result),
                result = other.tx.send(second) => life.settle(second_id, result),
            }
        }
        4 => select! {
            received = one.rx.recv() => life.take(received),
            default => yield_now().await,
        },
        5 => select! {
            result = one.tx.send(value) => life.settle(id, result),
            default => yield_now().await,
        },
        6 => {
            let [first, second] = [random.one_in(2), random.one_in(2)];
            select! {
                received = one.rx.recv(), if first => life.take(received),
                result = other.tx.send(value), if second => life.settle(id, result),
                () = sleep(random.micros(300)) => life.world.set_timer(),
            }
        }
        7 => select! {
            () = ring() => {}
            () = sleep(random.micros(300)) => life.world.set_timer(),
            () = yield_now() => {}
        },
        _ => {
            let mut kept = Some(life.value().1);
            let kept_id = kept.as_ref().map_or(0, Value::id);
            let is_refused = select! {
                received = one.rx.recv() => { life.take(received); false }
                received = other.rx.recv() => { life.take(received); false }
                result = one.tx.send(value) => { life.settle(id, result); false }
                sent = other.tx.send_from(&mut kept) => sent.is_err(),
                () = ring() => false,
                () = sleep(random.micros(1000)) => false,
            };
            match kept {
                Some(value) if is_refused => life.take_back(value),
                Some(value) => value.refuse(),
                None => life.world.fates.sent(kept_id),
            }
        }
    }
}
