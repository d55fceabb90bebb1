//! Bytes become operations at a `WaitGroup`, which are done, and compared with a number and a list.
//!
//! Seen to find each of these in `wait_group/counter.rs`: a zero that is over is not told; a waiter
//! that keeps its first waker; nobody is woken; a waiter that is dropped and not forgotten.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use gorun::WaitGroup;

use crate::bytes::Bytes;
use crate::log::Log;
use crate::wakes::Wakes;

const MANY: usize = 10;

pub(crate) fn follow(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut world = World::default();
    while !bytes.is_empty() {
        world.step(&mut bytes);
        world.compare();
    }
    world.waits.clear();
    world.compare();
}

#[derive(Default)]
struct World {
    group: WaitGroup,
    number: usize,
    waits: Vec<Wait>,
    wakes: Wakes,
    /// How often each waker was called.
    expected: Vec<usize>,
    log: Log,
}

struct Wait {
    future: Pin<Box<dyn Future<Output = ()>>>,
    wakers: [usize; 2],
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Waits { waker: usize },
    Over,
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.below(12) {
            0..3 => {
                let more = bytes.below(4);
                self.log.note(format_args!("add {more}"));
                self.group.add(more);
                self.number += more;
            }
            // One too many panics, which a fuzzer takes for what it looks for.
            3..6 if self.number > 0 => self.done(),
            6..8 if self.waits.len() < MANY => self.start(),
            8..11 if !self.waits.is_empty() => {
                let place = bytes.below(self.waits.len());
                self.poll(place, bytes.below(2));
            }
            11 if !self.waits.is_empty() => {
                let place = bytes.below(self.waits.len());
                self.log.note(format_args!("drop wait {place}"));
                self.waits.swap_remove(place);
            }
            _ => {}
        }
    }

    fn done(&mut self) {
        self.log.note("done");
        self.group.done();
        self.number -= 1;
        if self.number == 0 {
            for wait in &mut self.waits {
                if let State::Waits { waker } = wait.state {
                    self.expected[waker] += 1;
                    wait.state = State::Over;
                }
            }
        }
    }

    fn start(&mut self) {
        self.log.note(format_args!("wait {}", self.waits.len()));
        let group = self.group.clone();
        self.expected.extend([0; 2]);
        let wakers = self.wakes.two();
        let future = Box::pin(async move { group.wait().await });
        self.waits.push(Wait { future, wakers, state: State::New });
    }

    fn poll(&mut self, place: usize, which: usize) {
        let Wait { future, wakers, state } = &mut self.waits[place];
        let waker = wakers[which];
        self.log.note(format_args!("poll wait {place} with waker {waker}"));
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.wakes.waker(waker)));
        let is_over = *state == State::Over || *state == State::New && self.number == 0;
        assert_eq!(polled.is_ready(), is_over);
        if is_over {
            self.waits.swap_remove(place);
        } else {
            *state = State::Waits { waker };
        }
    }

    fn compare(&self) {
        let number = format!("WaitGroup {{ counter: {} }}", self.number);
        assert_eq!(format!("{:?}", self.group), number);
        assert!(self.wakes.counts().eq(self.expected.iter().copied()), "wakes");
        for (waker, holders) in self.wakes.holders().enumerate() {
            let holds = |wait: &&Wait| wait.state == State::Waits { waker };
            assert_eq!(holders, self.waits.iter().filter(holds).count(), "holders of {waker}");
        }
    }
}
