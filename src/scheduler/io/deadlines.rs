//! The deadlines of a socket: for reading and for writing.
//!
//! A deadline takes a timer only once somebody waits for the socket, and a timer that is early stays:
//! when it fires, those who wait find that the deadline has not passed, and set it anew. So a
//! program that moves a deadline before each read, as servers do, sets few timers.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::clock;
use crate::primitives::{Mutex, lock};
use crate::scheduler::foreign_wakers;
use crate::scheduler::reactor::source::{Direction, Source};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::timers::timer::Timer;

pub(crate) struct Deadlines {
    read: Deadline,
    write: Deadline,
}

pub(crate) struct Deadline {
    state: Mutex<State>,
    /// Wakes those who wait in this direction.
    waker: Waker,
}

struct State {
    at: Option<Instant>,
    timer: Option<Timer>,
}

impl Deadlines {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        let of = |direction| Deadline {
            state: Mutex::new(State { at: None, timer: None }),
            waker: Waker::from(Arc::new(Waiters { source: source.clone(), direction })),
        };
        Deadlines { read: of(Direction::Read), write: of(Direction::Write) }
    }

    pub(crate) fn of(&self, direction: Direction) -> &Deadline {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl Deadline {
    pub(crate) fn set(&self, at: Option<Instant>) {
        let mut state = lock(&self.state);
        state.at = at;
        let unneeded = if at.is_none() { state.timer.take() } else { None };
        drop(state);
        drop(unneeded);
    }

    /// Fails if it has passed.
    pub(crate) fn check(&self) -> io::Result<()> {
        let at = lock(&self.state).at;
        match at {
            Some(at) if clock::now() >= at => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the deadline of this socket has passed; set a later one, or none, to go on using it",
            )),
            _ => Ok(()),
        }
    }

    /// Sees to it that those who wait are woken when it passes, or earlier.
    pub(crate) fn arm(&self, scheduler: &Arc<Scheduler>) {
        let mut state = lock(&self.state);
        let Some(at) = state.at else { return };
        let timer = state.timer.get_or_insert_with(|| Timer::new(scheduler.clone(), at));
        let will_fire = timer.is_waited_for() && timer.deadline() <= at && !timer.is_due();
        if !will_fire {
            timer.reset(at);
            // At the end of the runtime all sockets wake their waiters anyway.
            timer.wait(&self.waker);
        }
    }
}

/// Those who wait for a socket in one direction.
struct Waiters {
    source: Arc<Source>,
    direction: Direction,
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        let mut woken = Vec::new();
        self.source.wake(self.direction, &mut woken);
        woken.into_iter().for_each(|woken| foreign_wakers::wake(woken.waker));
    }
}
