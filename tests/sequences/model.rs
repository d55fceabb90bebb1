//! What the documentation says about channels and `select!`, in lists, for one step after another.
//!
//! Whoever waits has cases, of which exactly one happens: a `select!` has several, and a plain
//! receive or send, or a receiver used as a stream, has one. That is the whole difference between
//! them.
//!
//! Seen to find each of these, within a hundred sequences:
//!
//! - in `chan/state.rs` and `chan/core.rs`: a buffer filled beyond its capacity, or not refilled, when
//!   senders wait; a value given back at the tail, or not to the next receiver, or without waking it;
//!   `close` that spares the senders, or the receivers; the last receiver that does not drop the buffer;
//!   the last sender that does not close; a value put into the buffer although a receiver waits; closed
//!   before the buffer is empty; a waiter that keeps its first waker;
//! - in `chan/waiters.rs`: the last served first; the upper half of a case's number lost; a wait
//!   queue that does not forget its last; in `chan/receiver.rs`: a stream that keeps its place while the
//!   receiver is used otherwise;
//! - in `chan/claim.rs`: a take-over that overlooks a decision, or leaves it to others to decide; a
//!   partner that decides for a busy select; a select that keeps its first waker;
//! - in `select/` and the futures: no second look; a partner that is not woken, in either look; a
//!   value lost by an attempt to send it; a case that joins its wait queue again; a send that was
//!   committed and is then sent as a case; a receive that keeps its place when it becomes a case.
//!
//! Not to be found here, with one thread: `default` taken after the first look, `WAITING` set
//! without the locks, a claim that is not retired (`tests/models/selects.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::task::Poll;

use gorun::{TryRecvError, TrySendError};

/// Of one that waits.
pub(crate) type Name = usize;

#[derive(Clone, Debug)]
pub(crate) enum Case {
    Receive {
        channel: usize,
    },
    Send {
        channel: usize,
        /// Until it is sent, or given back.
        value: Option<u32>,
        /// By `send_from`: it is never given back, but stays.
        stays: bool,
    },
    /// A future that is ready when this switch is on.
    Other {
        switch: usize,
    },
    Disabled,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Received(Option<u32>),
    Sent,
    /// With the value, unless that stays where it was.
    Unsent(Option<u32>),
    Ready,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Senders,
    Receivers,
}

/// What a future does to channels while it is polled, as a case of a `select!`, and what came of
/// it.
#[derive(Debug)]
pub(crate) enum Meddling {
    Send(usize, u32, Result<(), TrySendError<u32>>),
    Receive(usize, Result<u32, TryRecvError>),
    Close(usize),
}

struct Channel {
    capacity: usize,
    buffer: VecDeque<u32>,
    /// Senders and receivers, each with the number of a case.
    queues: [VecDeque<(Name, usize)>; 2],
    /// How many senders and receivers there are.
    handles: [usize; 2],
    is_closed: bool,
}

struct Waiter {
    cases: Vec<Case>,
    state: State,
    waker: usize,
    /// A future that was polled by itself before it becomes a case.
    begins_anew: bool,
}

#[derive(Debug, PartialEq)]
enum State {
    New,
    /// Is polled, and nobody else decides.
    Busy,
    Waiting,
    Decided(usize, Outcome),
}

pub(crate) struct Model {
    channels: Vec<Channel>,
    waiters: BTreeMap<Name, Waiter>,
    pub(crate) switches: Vec<bool>,
    /// How often each waker has been woken.
    pub(crate) wakes: Vec<usize>,
    names: usize,
}

impl Model {
    pub(crate) fn new(capacities: &[usize], switches: usize) -> Self {
        let channel = |&capacity| Channel {
            capacity,
            buffer: VecDeque::new(),
            queues: Default::default(),
            handles: [1; 2],
            is_closed: false,
        };
        Model {
            channels: capacities.iter().map(channel).collect(),
            waiters: BTreeMap::new(),
            switches: vec![false; switches],
            wakes: Vec::new(),
            names: 0,
        }
    }

    pub(crate) fn len(&self, channel: usize) -> usize {
        self.channels[channel].buffer.len()
    }

    pub(crate) fn is_closed(&self, channel: usize) -> bool {
        self.channels[channel].is_closed
    }

    /// How many values there are, wherever.
    pub(crate) fn values(&self) -> usize {
        let buffered: usize = self.channels.iter().map(|channel| channel.buffer.len()).sum();
        let of_waiter = |waiter: &Waiter| {
            let unsent = |case: &&Case| matches!(case, Case::Send { value: Some(_), .. });
            let decided = matches!(
                waiter.state,
                State::Decided(_, Outcome::Received(Some(_)) | Outcome::Unsent(Some(_)))
            );
            waiter.cases.iter().filter(unsent).count() + usize::from(decided)
        };
        buffered + self.waiters.values().map(of_waiter).sum::<usize>()
    }

    /// How many may still call this waker.
    pub(crate) fn holders(&self, waker: usize) -> usize {
        let holds = |waiter: &&Waiter| {
            let at_channel = |case: &Case| matches!(case, Case::Receive { .. } | Case::Send { .. });
            waiter.waker == waker
                && waiter.state == State::Waiting
                && waiter.cases.iter().any(at_channel)
        };
        self.waiters.values().filter(holds).count()
    }

    // Handles.

    pub(crate) fn add_handle(&mut self, channel: usize, side: Side) {
        self.channels[channel].handles[side as usize] += 1;
    }

    pub(crate) fn remove_handle(&mut self, channel: usize, side: Side) {
        let handles = &mut self.channels[channel].handles[side as usize];
        *handles -= 1;
        if *handles == 0 {
            self.close(channel);
            if let Side::Receivers = side {
                self.channels[channel].buffer.clear();
            }
        }
    }

    // What happens at once.

    pub(crate) fn send(&mut self, channel: usize, value: u32) -> Result<(), TrySendError<u32>> {
        if self.channels[channel].is_closed {
            return Err(TrySendError::Closed(value));
        }
        if let Some((name, case)) = self.first(channel, Side::Receivers) {
            self.decide(name, case, Outcome::Received(Some(value)));
        } else if self.has_room(channel) {
            self.channels[channel].buffer.push_back(value);
        } else {
            return Err(TrySendError::Full(value));
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self, channel: usize) -> Result<u32, TryRecvError> {
        if let Some(value) = self.channels[channel].buffer.pop_front() {
            if self.has_room(channel)
                && let Some(next) = self.value_of_first_sender(channel)
            {
                self.channels[channel].buffer.push_back(next);
            }
            return Ok(value);
        }
        let is_closed = self.channels[channel].is_closed;
        let nothing = if is_closed { TryRecvError::Closed } else { TryRecvError::Empty };
        self.value_of_first_sender(channel).ok_or(nothing)
    }

    pub(crate) fn close(&mut self, channel: usize) {
        self.channels[channel].is_closed = true;
        while let Some((name, case)) = self.first(channel, Side::Senders) {
            let unsent = self.take_unsent(name, case);
            self.decide(name, case, unsent);
        }
        while let Some((name, case)) = self.first(channel, Side::Receivers) {
            self.decide(name, case, Outcome::Received(None));
        }
    }

    fn meddle(&mut self, meddling: &Meddling) {
        match *meddling {
            Meddling::Send(channel, value, result) => {
                assert_eq!(result, self.send(channel, value), "a try_send inside of a poll");
            }
            Meddling::Receive(channel, result) => {
                assert_eq!(result, self.receive(channel), "a try_recv inside of a poll");
            }
            Meddling::Close(channel) => self.close(channel),
        }
    }

    // What waits.

    /// Somebody who is to be polled.
    pub(crate) fn add(&mut self, cases: Vec<Case>, begins_anew: bool) -> Name {
        let name = self.names;
        self.names += 1;
        let waiter = Waiter { cases, state: State::New, waker: 0, begins_anew };
        self.waiters.insert(name, waiter);
        name
    }

    /// Checks a poll, and what happened meanwhile. If it came to something `name` is gone, and
    /// these are its cases.
    pub(crate) fn poll(
        &mut self,
        name: Name,
        waker: usize,
        meddlings: &[Meddling],
        polled: &Poll<(usize, Outcome)>,
    ) -> Option<Vec<Case>> {
        let is_new = self.waiter(name).state == State::New;
        if !is_new && std::mem::take(&mut self.waiter(name).begins_anew) {
            self.leave(name);
            self.waiter(name).state = State::New;
        }
        let Waiter { state, cases, .. } = self.waiter(name);
        if let State::Decided(case, outcome) = state {
            // Of several receives from one channel it may be any: they entered the queue at random.
            let is_alike = |other: usize| match (&cases[*case], &cases[other]) {
                (Case::Receive { channel }, Case::Receive { channel: other }) => channel == other,
                _ => *case == other,
            };
            assert!(
                matches!(polled, Poll::Ready((case, found)) if is_alike(*case) && found == outcome),
                "a partner had decided for case {case}: {outcome:?}",
            );
            assert!(meddlings.is_empty(), "it was decided, and polled other futures");
            return self.waiters.remove(&name).map(|waiter| waiter.cases);
        }
        let waits_already = self.waiter(name).state == State::Waiting;
        self.waiter(name).state = State::Busy;
        meddlings.iter().for_each(|meddling| self.meddle(meddling));
        match polled {
            Poll::Ready((case, outcome)) => {
                let expected = self.attempt(name, *case);
                assert_eq!(Some(outcome), expected.as_ref(), "what case {case} can come to");
                self.leave_queues(name);
                self.waiters.remove(&name).map(|waiter| waiter.cases)
            }
            Poll::Pending => {
                self.check_that_none_is_possible(name);
                let waiter = self.waiter(name);
                (waiter.state, waiter.waker) = (State::Waiting, waker);
                if !waits_already {
                    self.join_queues(name);
                }
                None
            }
        }
    }

    /// `name` is dropped. These are its cases.
    pub(crate) fn drop_waiter(&mut self, name: Name) -> Vec<Case> {
        self.leave(name);
        self.waiters.remove(&name).expect("it is there").cases
    }

    /// Checks that a `select!` with a `default` had to take it, and forgets it. These are its
    /// cases.
    pub(crate) fn poll_default(&mut self, name: Name, meddlings: &[Meddling]) -> Vec<Case> {
        self.waiter(name).state = State::Busy;
        meddlings.iter().for_each(|meddling| self.meddle(meddling));
        self.check_that_none_is_possible(name);
        self.drop_waiter(name)
    }

    fn check_that_none_is_possible(&mut self, name: Name) {
        for case in 0..self.waiter(name).cases.len() {
            assert_eq!(self.attempt(name, case), None, "case {case} was possible");
        }
    }

    /// Does what a case says, if that is possible now.
    fn attempt(&mut self, name: Name, case: usize) -> Option<Outcome> {
        match self.waiter(name).cases[case] {
            Case::Receive { channel } => match self.receive(channel) {
                Ok(value) => Some(Outcome::Received(Some(value))),
                Err(TryRecvError::Closed) => Some(Outcome::Received(None)),
                Err(TryRecvError::Empty) => None,
            },
            // It was sent, before it began anew.
            Case::Send { value: None, .. } => Some(Outcome::Sent),
            Case::Send { channel, value: Some(value), .. } => match self.send(channel, value) {
                Ok(()) => {
                    self.take_value(name, case);
                    Some(Outcome::Sent)
                }
                Err(TrySendError::Closed(_)) => Some(self.take_unsent(name, case)),
                Err(TrySendError::Full(_)) => None,
            },
            Case::Other { switch } => self.switches[switch].then_some(Outcome::Ready),
            Case::Disabled => None,
        }
    }

    /// Gives up, and keeps its unsent values. What was received goes to the next, or back.
    fn leave(&mut self, name: Name) {
        self.leave_queues(name);
        match std::mem::replace(&mut self.waiter(name).state, State::Busy) {
            State::Decided(case, Outcome::Received(Some(value))) => {
                let Case::Receive { channel } = self.waiter(name).cases[case] else {
                    panic!("{case} is no receive");
                };
                match self.first(channel, Side::Receivers) {
                    Some((next, case)) => {
                        self.decide(next, case, Outcome::Received(Some(value)));
                    }
                    None => self.channels[channel].buffer.push_front(value),
                }
            }
            State::Decided(case, Outcome::Unsent(Some(unsent))) => {
                if let Case::Send { value, .. } = &mut self.waiter(name).cases[case] {
                    *value = Some(unsent);
                }
            }
            _ => {}
        }
    }

    // Lines.

    fn join_queues(&mut self, name: Name) {
        for (number, case) in self.waiters[&name].cases.iter().enumerate() {
            let (channel, side) = match *case {
                Case::Receive { channel } => (channel, Side::Receivers),
                Case::Send { channel, .. } => (channel, Side::Senders),
                Case::Other { .. } | Case::Disabled => continue,
            };
            self.channels[channel].queues[side as usize].push_back((name, number));
        }
    }

    fn leave_queues(&mut self, name: Name) {
        for queue in self.channels.iter_mut().flat_map(|channel| &mut channel.queues) {
            queue.retain(|(other, _)| *other != name);
        }
    }

    /// The first in a wait queue for whom others may decide.
    fn first(&self, channel: usize, side: Side) -> Option<(Name, usize)> {
        let mut queue = self.channels[channel].queues[side as usize].iter();
        queue.find(|(name, _)| self.waiters[name].state == State::Waiting).copied()
    }

    fn decide(&mut self, name: Name, case: usize, outcome: Outcome) {
        self.leave_queues(name);
        let waiter = self.waiter(name);
        waiter.state = State::Decided(case, outcome);
        let waker = waiter.waker;
        self.wakes[waker] += 1;
    }

    fn value_of_first_sender(&mut self, channel: usize) -> Option<u32> {
        let (name, case) = self.first(channel, Side::Senders)?;
        let value = self.take_value(name, case);
        self.decide(name, case, Outcome::Sent);
        Some(value)
    }

    fn has_room(&self, channel: usize) -> bool {
        self.channels[channel].buffer.len() < self.channels[channel].capacity
    }

    fn take_value(&mut self, name: Name, case: usize) -> u32 {
        let Case::Send { value, .. } = &mut self.waiter(name).cases[case] else {
            panic!("{case} is no send");
        };
        value.take().expect("one that waits to send has a value")
    }

    fn take_unsent(&mut self, name: Name, case: usize) -> Outcome {
        match self.waiter(name).cases[case] {
            Case::Send { stays: true, .. } => Outcome::Unsent(None),
            _ => Outcome::Unsent(Some(self.take_value(name, case))),
        }
    }

    fn waiter(&mut self, name: Name) -> &mut Waiter {
        self.waiters.get_mut(&name).expect("it is there")
    }
}
