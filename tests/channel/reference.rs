//! A channel against a simple model of it, over random steps, one at a time.

use std::collections::VecDeque;
use std::task::Poll;

use gorun::chan::Recv;
use gorun::{SendError, TryRecvError, TrySendError, channel};
use tokio_test::task::{self, Spawn};

/// What the documentation says, in lists.
#[derive(Default)]
struct Model {
    capacity: usize,
    buffer: VecDeque<u32>,
    /// Name, value.
    senders: VecDeque<(usize, u32)>,
    receivers: VecDeque<usize>,
    /// By name: what operations that waited have come to.
    sent: Vec<(usize, Result<(), u32>)>,
    received: Vec<(usize, Option<u32>)>,
    is_closed: bool,
}

impl Model {
    fn send(&mut self, value: u32) -> Result<(), TrySendError<u32>> {
        if self.is_closed {
            Err(TrySendError::Closed(value))
        } else if let Some(receiver) = self.receivers.pop_front() {
            self.received.push((receiver, Some(value)));
            Ok(())
        } else if self.buffer.len() < self.capacity {
            self.buffer.push_back(value);
            Ok(())
        } else {
            Err(TrySendError::Full(value))
        }
    }

    fn receive(&mut self) -> Result<u32, TryRecvError> {
        let value = self.buffer.pop_front();
        if (value.is_none() || self.buffer.len() < self.capacity)
            && let Some((sender, next)) = self.senders.pop_front()
        {
            self.sent.push((sender, Ok(())));
            self.buffer.push_back(next);
        }
        let value = value.or_else(|| self.buffer.pop_front());
        value.ok_or(if self.is_closed { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    fn give_back(&mut self, value: u32) {
        match self.receivers.pop_front() {
            Some(receiver) => self.received.push((receiver, Some(value))),
            None => self.buffer.push_front(value),
        }
    }

    fn close(&mut self) {
        self.is_closed = true;
        let senders = self.senders.drain(..).map(|(name, value)| (name, Err(value)));
        self.sent.extend(senders);
        self.received.extend(self.receivers.drain(..).map(|name| (name, None)));
    }
}

fn take<K: PartialEq, V>(list: &mut Vec<(K, V)>, key: K) -> Option<V> {
    let place = list.iter().position(|(other, _)| *other == key)?;
    Some(list.remove(place).1)
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}

#[test]
fn random_steps_do_what_the_model_does() {
    for seed in 1..=400 {
        for capacity in [0, 1, 2, 5] {
            check(seed, capacity);
        }
    }
}

fn check(seed: u64, capacity: usize) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut model = Model { capacity, ..Model::default() };
    let (tx, rx) = channel(capacity);
    let mut sends: Vec<(usize, Spawn<gorun::chan::Send<'_, u32>>)> = Vec::new();
    let mut recvs: Vec<(usize, Spawn<Recv<'_, u32>>)> = Vec::new();
    for step in 0..120 {
        let (name, value) = (step, step as u32);
        match random.below(100) {
            0..20 => {
                let mut send = task::spawn(tx.send(value));
                match model.send(value) {
                    Ok(()) => assert_eq!(send.poll(), Poll::Ready(Ok(()))),
                    Err(TrySendError::Closed(_)) => {
                        assert_eq!(send.poll(), Poll::Ready(Err(SendError(value))));
                    }
                    Err(TrySendError::Full(_)) => {
                        assert_eq!(send.poll(), Poll::Pending);
                        model.senders.push_back((name, value));
                        sends.push((name, send));
                    }
                }
            }
            20..40 => {
                let mut recv = task::spawn(rx.recv());
                match model.receive() {
                    Ok(value) => assert_eq!(recv.poll(), Poll::Ready(Some(value))),
                    Err(TryRecvError::Closed) => assert_eq!(recv.poll(), Poll::Ready(None)),
                    Err(TryRecvError::Empty) => {
                        assert_eq!(recv.poll(), Poll::Pending);
                        model.receivers.push_back(name);
                        recvs.push((name, recv));
                    }
                }
            }
            40..50 => assert_eq!(tx.try_send(value), model.send(value)),
            50..60 => assert_eq!(rx.try_recv(), model.receive()),
            // Look.
            60..70 if !sends.is_empty() => {
                let place = random.below(sends.len());
                match take(&mut model.sent, sends[place].0) {
                    Some(result) => {
                        let (_, mut send) = sends.remove(place);
                        assert!(send.is_woken());
                        assert_eq!(send.poll(), Poll::Ready(result.map_err(SendError)));
                    }
                    None => {
                        assert!(!sends[place].1.is_woken());
                        assert_eq!(sends[place].1.poll(), Poll::Pending);
                    }
                }
            }
            70..80 if !recvs.is_empty() => {
                let place = random.below(recvs.len());
                match take(&mut model.received, recvs[place].0) {
                    Some(result) => {
                        let (_, mut recv) = recvs.remove(place);
                        assert!(recv.is_woken());
                        assert_eq!(recv.poll(), Poll::Ready(result));
                    }
                    None => {
                        assert!(!recvs[place].1.is_woken());
                        assert_eq!(recvs[place].1.poll(), Poll::Pending);
                    }
                }
            }
            // Leave.
            80..88 if !sends.is_empty() => {
                let (name, send) = sends.remove(random.below(sends.len()));
                drop(send);
                model.senders.retain(|(other, _)| *other != name);
                take(&mut model.sent, name);
            }
            88..96 if !recvs.is_empty() => {
                let (name, recv) = recvs.remove(random.below(recvs.len()));
                drop(recv);
                model.receivers.retain(|other| *other != name);
                if let Some(Some(value)) = take(&mut model.received, name) {
                    model.give_back(value);
                }
            }
            99 if step > 60 => {
                model.close();
                if random.below(2) == 0 { tx.close() } else { rx.close() }
            }
            _ => {}
        }
        let expected = (model.buffer.len(), model.is_closed);
        assert_eq!((tx.len(), rx.is_closed()), expected, "seed {seed}, step {step}");
    }
}
