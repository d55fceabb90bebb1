//! Bytes become operations at channels, which are done, and compared with the model of them.
//!
//! Everything is polled by hand, on one thread, with wakers that count. So each outcome is
//! determined, save which of several possible cases a `select!` chooses: the model takes the
//! choice, and says whether it was possible. After each step all that can be seen is compared:
//! lengths, what is closed, how often each waker was called, whether somebody still has it, and how
//! many values are alive.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::Stream;
use gorun::{Receiver, Sender, channel};

use crate::bytes::Bytes;
use crate::futures::{Kept, Kind, Meddler, Other, Part, Source, Value};
use crate::futures::{alone, alone_then_a_case, numbered, received, select_among, select_now};
use crate::log::Log;
use crate::model::{Case, Meddling, Model, Name, Outcome, Side};
use crate::wakes::Wakes;

const CAPACITIES: [usize; 6] = [0, 1, 2, 3, 8, 20];
const SWITCHES: usize = 2;
/// More senders, receivers or operations than that are not made.
const MANY: usize = 10;

pub(crate) fn follow(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut world = World::new(&mut bytes);
    while !bytes.is_empty() {
        world.step(&mut bytes);
        world.compare();
    }
    world.end();
}

struct World {
    model: Model,
    senders: Vec<(usize, Sender<Value>)>,
    receivers: Vec<Listener>,
    operations: Vec<Operation>,
    switches: [Rc<Cell<bool>>; SWITCHES],
    meddlings: Rc<RefCell<Vec<Meddling>>>,
    source: Rc<Source>,
    wakes: Wakes,
    /// Last, so that what is dropped before does not hide it.
    log: Log,
}

struct Listener {
    channel: usize,
    receiver: Receiver<Value>,
    wakers: [usize; 2],
    /// It waits as a stream.
    stream: Option<Name>,
}

/// One that may wait.
struct Operation {
    name: Name,
    future: Pin<Box<dyn Future<Output = (usize, Outcome)>>>,
    wakers: [usize; 2],
    owned: Owned,
}

/// What an operation gives back when it is gone.
#[derive(Default)]
struct Owned {
    handles: Vec<(usize, Side)>,
    /// By case.
    left: Vec<Rc<Cell<Option<Value>>>>,
}

/// Several sends to one channel come into its wait queue at random, and the model could not know which
/// value is the first. (As for receives it does not matter.)
fn disable_repeated_sends(parts: &mut [Part], cases: &mut [Case]) {
    let mut seen = Vec::new();
    for (part, case) in parts.iter_mut().zip(cases) {
        let Case::Send { channel, .. } = *case else { continue };
        if seen.contains(&channel) {
            (part.kind, *case) = (Kind::Disabled, Case::Disabled);
            (part.value, part.kept.value) = (None, None);
        }
        seen.push(channel);
    }
}

impl World {
    fn new(bytes: &mut Bytes<'_>) -> Self {
        let channels = 1 + bytes.below(3);
        let capacities: Vec<_> =
            (0..channels).map(|_| CAPACITIES[bytes.below(CAPACITIES.len())]).collect();
        let mut world = World {
            model: Model::new(&capacities, SWITCHES),
            senders: Vec::new(),
            receivers: Vec::new(),
            operations: Vec::new(),
            switches: Default::default(),
            meddlings: Rc::default(),
            source: Rc::default(),
            wakes: Wakes::default(),
            log: Log::default(),
        };
        world.log.note(format_args!("channels of capacities {capacities:?}"));
        for (number, capacity) in capacities.into_iter().enumerate() {
            let (tx, rx) = channel(capacity);
            world.senders.push((number, tx));
            world.add_receiver(number, rx);
        }
        world
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.below(64) {
            0 => self.clone_sender(bytes),
            1 => self.drop_sender(bytes),
            2 => self.clone_receiver(bytes),
            3 => self.drop_receiver(bytes),
            4 => self.close(bytes),
            5 => self.turn_switch(bytes),
            6..12 => self.try_send(bytes),
            12..18 => self.try_receive(bytes),
            18..24 => self.start_alone(bytes),
            24..34 => self.start_select(bytes),
            34..38 => self.select_now(bytes),
            38..52 => self.poll(bytes),
            52..58 => self.drop_operation(bytes),
            _ => self.poll_stream(bytes),
        }
    }

    fn compare(&self) {
        for (channel, tx) in &self.senders {
            let expected = (self.model.len(*channel), self.model.is_closed(*channel));
            assert_eq!((tx.len(), tx.is_closed()), expected, "(length, closed) of {channel}");
        }
        assert!(
            self.wakes.counts().eq(self.model.wakes.iter().copied()),
            "{}",
            self.wakes_differ()
        );
        for (waker, holders) in self.wakes.holders().enumerate() {
            assert_eq!(holders, self.model.holders(waker), "holders of waker {waker}");
        }
        assert_eq!(self.source.alive(), self.model.values(), "values alive");
    }

    fn wakes_differ(&self) -> String {
        let wakes: Vec<_> = self.wakes.counts().collect();
        format!("each waker was called so often: {wakes:?}, and not {:?}", self.model.wakes)
    }

    /// All goes, one after the other.
    fn end(mut self) {
        while let Some(operation) = self.operations.pop() {
            self.drop_one(operation);
            self.compare();
        }
        while let Some(listener) = self.receivers.pop() {
            self.drop_listener(listener);
            self.compare();
        }
        while let Some((channel, tx)) = self.senders.pop() {
            self.drop_one_sender(channel, tx);
            self.compare();
        }
        assert_eq!(self.source.alive(), 0);
    }

    // Handles.

    fn clone_sender(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(place) = self.some_sender(bytes)
            && self.senders.len() < MANY
        {
            let (channel, tx) = self.senders[place].clone();
            self.log.note(format_args!("clone a sender of {channel}"));
            self.model.add_handle(channel, Side::Senders);
            self.senders.push((channel, tx));
        }
    }

    fn drop_sender(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(place) = self.some_sender(bytes) {
            let (channel, tx) = self.senders.swap_remove(place);
            self.drop_one_sender(channel, tx);
        }
    }

    fn drop_one_sender(&mut self, channel: usize, tx: Sender<Value>) {
        self.log.note(format_args!("drop a sender of {channel}"));
        drop(tx);
        self.model.remove_handle(channel, Side::Senders);
    }

    fn clone_receiver(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(place) = self.some_receiver(bytes)
            && self.receivers.len() < MANY
        {
            let (channel, rx) = self.another_receiver(place);
            self.log.note(format_args!("clone a receiver of {channel}"));
            self.add_receiver(channel, rx);
        }
    }

    fn another_receiver(&mut self, place: usize) -> (usize, Receiver<Value>) {
        self.leave_stream(place);
        let listener = &self.receivers[place];
        self.model.add_handle(listener.channel, Side::Receivers);
        (listener.channel, listener.receiver.clone())
    }

    fn add_receiver(&mut self, channel: usize, receiver: Receiver<Value>) {
        let wakers = self.two_wakers();
        self.receivers.push(Listener { channel, receiver, wakers, stream: None });
    }

    fn drop_receiver(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(place) = self.some_receiver(bytes) {
            let listener = self.receivers.swap_remove(place);
            self.drop_listener(listener);
        }
    }

    fn drop_listener(&mut self, listener: Listener) {
        self.log.note(format_args!("drop a receiver of {}", listener.channel));
        if let Some(name) = listener.stream {
            self.model.drop_waiter(name);
        }
        drop(listener.receiver);
        self.model.remove_handle(listener.channel, Side::Receivers);
    }

    /// Whatever else a receiver is used for, it is no stream any more.
    fn leave_stream(&mut self, place: usize) {
        if let Some(name) = self.receivers[place].stream.take() {
            self.model.drop_waiter(name);
        }
    }

    fn close(&mut self, bytes: &mut Bytes<'_>) {
        if bytes.below(2) == 0 {
            let Some(place) = self.some_sender(bytes) else { return };
            let (channel, tx) = &self.senders[place];
            self.log.note(format_args!("close {channel} by a sender"));
            tx.close();
            self.model.close(*channel);
        } else {
            let Some(place) = self.some_receiver(bytes) else { return };
            self.leave_stream(place);
            let Listener { channel, receiver, .. } = &self.receivers[place];
            self.log.note(format_args!("close {channel} by a receiver"));
            receiver.close();
            self.model.close(*channel);
        }
    }

    fn some_sender(&self, bytes: &mut Bytes<'_>) -> Option<usize> {
        let count = self.senders.len();
        (count > 0).then(|| bytes.below(count))
    }

    fn some_receiver(&self, bytes: &mut Bytes<'_>) -> Option<usize> {
        let count = self.receivers.len();
        (count > 0).then(|| bytes.below(count))
    }

    // What happens at once.

    fn turn_switch(&mut self, bytes: &mut Bytes<'_>) {
        let switch = bytes.below(SWITCHES);
        let is_on = !self.model.switches[switch];
        self.log.note(format_args!("switch {switch}: {}", if is_on { "on" } else { "off" }));
        self.switches[switch].set(is_on);
        self.model.switches[switch] = is_on;
    }

    fn try_send(&mut self, bytes: &mut Bytes<'_>) {
        let Some(place) = self.some_sender(bytes) else { return };
        let (channel, tx) = &self.senders[place];
        let value = self.source.value();
        let number = value.number;
        self.log.note(format_args!("try_send {number} to {channel}"));
        let result = numbered(tx.try_send(value));
        assert_eq!(result, self.model.send(*channel, number));
    }

    fn try_receive(&mut self, bytes: &mut Bytes<'_>) {
        let Some(place) = self.some_receiver(bytes) else { return };
        self.leave_stream(place);
        let Listener { channel, receiver, .. } = &self.receivers[place];
        self.log.note(format_args!("try_recv from {channel}"));
        let result = receiver.try_recv().map(|value| value.number);
        assert_eq!(result, self.model.receive(*channel));
    }

    fn select_now(&mut self, bytes: &mut Bytes<'_>) {
        let (parts, cases, owned) = self.four_cases(bytes);
        self.log.note(format_args!("select with default {cases:?}"));
        let name = self.model.add(cases, false);
        let chosen = select_now(parts);
        let meddlings = self.meddlings.take();
        // Not pending: `default` leaves nothing behind.
        let cases = match chosen {
            Some(chosen) => {
                self.log.note(format_args!("    {meddlings:?} {chosen:?}"));
                let cases = self.model.poll(name, 0, &meddlings, &Poll::Ready(chosen));
                cases.expect("it is ready")
            }
            None => {
                self.log.note(format_args!("    {meddlings:?} default"));
                self.model.poll_default(name, &meddlings)
            }
        };
        self.give_back(owned, &cases);
    }

    // What waits.

    fn start_alone(&mut self, bytes: &mut Bytes<'_>) {
        let mut owned = Owned::default();
        let kind = [Kind::Receive, Kind::Send, Kind::SendFrom][bytes.below(3)];
        let (part, case) = self.case(kind, bytes, &mut owned);
        if part.kind == Kind::Disabled {
            return self.give_back(owned, &[case]);
        }
        let begins_anew = bytes.below(4) == 0;
        let future: Pin<Box<dyn Future<Output = _>>> =
            if begins_anew { Box::pin(alone_then_a_case(part)) } else { Box::pin(alone(part)) };
        self.start(vec![case], begins_anew, future, owned, bytes);
    }

    fn start_select(&mut self, bytes: &mut Bytes<'_>) {
        let (mut parts, mut cases, owned) = self.four_cases(bytes);
        disable_repeated_sends(&mut parts, &mut cases);
        self.start(cases, false, Box::pin(select_among(parts)), owned, bytes);
    }

    fn start(
        &mut self,
        cases: Vec<Case>,
        begins_anew: bool,
        future: Pin<Box<dyn Future<Output = (usize, Outcome)>>>,
        owned: Owned,
        bytes: &mut Bytes<'_>,
    ) {
        let what = if begins_anew { "alone, later a case" } else { "" };
        let text = format!("{cases:?} {what}");
        let name = self.model.add(cases, begins_anew);
        self.log.note(format_args!("#{name} is {text}"));
        let wakers = self.two_wakers();
        let operation = Operation { name, future, wakers, owned };
        if self.operations.len() == MANY {
            return self.drop_one(operation);
        }
        self.operations.push(operation);
        if bytes.below(8) > 0 {
            self.poll_one(self.operations.len() - 1, 0);
        }
    }

    fn poll(&mut self, bytes: &mut Bytes<'_>) {
        if !self.operations.is_empty() {
            let place = bytes.below(self.operations.len());
            self.poll_one(place, bytes.below(2));
        }
    }

    fn poll_one(&mut self, place: usize, which: usize) {
        let Operation { name, future, wakers, .. } = &mut self.operations[place];
        let (name, waker) = (*name, wakers[which]);
        self.log.note(format_args!("poll #{name} with waker {waker}"));
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.wakes.waker(waker)));
        let meddlings = self.meddlings.take();
        self.log.note(format_args!("    {meddlings:?} {polled:?}"));
        if let Some(cases) = self.model.poll(name, waker, &meddlings, &polled) {
            let operation = self.operations.swap_remove(place);
            self.give_back(operation.owned, &cases);
        }
    }

    fn drop_operation(&mut self, bytes: &mut Bytes<'_>) {
        if !self.operations.is_empty() {
            let place = bytes.below(self.operations.len());
            let operation = self.operations.swap_remove(place);
            self.drop_one(operation);
        }
    }

    fn drop_one(&mut self, operation: Operation) {
        self.log.note(format_args!("drop #{}", operation.name));
        drop(operation.future);
        let cases = self.model.drop_waiter(operation.name);
        self.give_back(operation.owned, &cases);
    }

    fn poll_stream(&mut self, bytes: &mut Bytes<'_>) {
        let Some(place) = self.some_receiver(bytes) else { return };
        let Listener { channel, receiver, wakers, stream } = &mut self.receivers[place];
        let waker = wakers[bytes.below(2)];
        let cases = || vec![Case::Receive { channel: *channel }];
        let name = *stream.get_or_insert_with(|| self.model.add(cases(), false));
        self.log.note(format_args!("poll the stream #{name} of {channel} with waker {waker}"));
        let polled = Pin::new(receiver)
            .poll_next(&mut Context::from_waker(&self.wakes.waker(waker)))
            .map(|value| (0, received(value)));
        self.log.note(format_args!("    {polled:?}"));
        if self.model.poll(name, waker, &[], &polled).is_some() {
            *stream = None;
        }
    }

    fn two_wakers(&mut self) -> [usize; 2] {
        self.model.wakes.extend([0; 2]);
        self.wakes.two()
    }

    // Cases.

    fn four_cases(&mut self, bytes: &mut Bytes<'_>) -> ([Part; 4], Vec<Case>, Owned) {
        const KINDS: [Kind; 8] = [
            Kind::Receive,
            Kind::Receive,
            Kind::Send,
            Kind::Send,
            Kind::SendFrom,
            Kind::Other,
            Kind::Disabled,
            Kind::Disabled,
        ];
        let (mut cases, mut owned) = (Vec::new(), Owned::default());
        let parts = [(); 4].map(|()| {
            let (part, case) = self.case(KINDS[bytes.below(KINDS.len())], bytes, &mut owned);
            cases.push(case);
            part
        });
        (parts, cases, owned)
    }

    /// A case of that kind, or a disabled one if there are no handles for it.
    fn case(&mut self, kind: Kind, bytes: &mut Bytes<'_>, owned: &mut Owned) -> (Part, Case) {
        let mut part = Part {
            kind,
            sender: None,
            receiver: None,
            value: None,
            kept: Kept::default(),
            other: None,
        };
        owned.left.push(part.kept.left.clone());
        let case = match kind {
            Kind::Receive => self.owned_receiver(bytes, owned).map(|(channel, rx)| {
                part.receiver = Some(rx);
                Case::Receive { channel }
            }),
            Kind::Send | Kind::SendFrom => self.owned_sender(bytes, owned).map(|(channel, tx)| {
                part.sender = Some(tx);
                let value = self.source.value();
                let number = value.number;
                let stays = kind == Kind::SendFrom;
                *(if stays { &mut part.kept.value } else { &mut part.value }) = Some(value);
                Case::Send { channel, value: Some(number), stays }
            }),
            Kind::Other => {
                let switch = bytes.below(SWITCHES);
                let meddler = self.meddler(bytes, &mut part, owned);
                let (is_on, meddlings) = (self.switches[switch].clone(), self.meddlings.clone());
                part.other = Some(Other { is_on, meddler, meddlings });
                Some(Case::Other { switch })
            }
            Kind::Disabled => None,
        };
        let case = case.unwrap_or_else(|| {
            part.kind = Kind::Disabled;
            Case::Disabled
        });
        (part, case)
    }

    fn meddler(&mut self, bytes: &mut Bytes<'_>, part: &mut Part, owned: &mut Owned) -> Meddler {
        match bytes.below(8) {
            0..3 => self.owned_sender(bytes, owned).map(|(channel, tx)| {
                part.sender = Some(tx.clone());
                Meddler::Sender(channel, tx, self.source.clone())
            }),
            kind @ 3..7 => self.owned_receiver(bytes, owned).map(|(channel, rx)| {
                part.receiver = Some(rx.clone());
                let closes = kind == 6;
                if closes { Meddler::Closer(channel, rx) } else { Meddler::Receiver(channel, rx) }
            }),
            _ => None,
        }
        .unwrap_or(Meddler::Nobody)
    }

    fn owned_sender(
        &mut self,
        bytes: &mut Bytes<'_>,
        owned: &mut Owned,
    ) -> Option<(usize, Rc<Sender<Value>>)> {
        let (channel, tx) = self.senders[self.some_sender(bytes)?].clone();
        self.model.add_handle(channel, Side::Senders);
        owned.handles.push((channel, Side::Senders));
        Some((channel, Rc::new(tx)))
    }

    fn owned_receiver(
        &mut self,
        bytes: &mut Bytes<'_>,
        owned: &mut Owned,
    ) -> Option<(usize, Rc<Receiver<Value>>)> {
        let place = self.some_receiver(bytes)?;
        let (channel, rx) = self.another_receiver(place);
        owned.handles.push((channel, Side::Receivers));
        Some((channel, Rc::new(rx)))
    }

    /// An operation is gone: what is left of what it had.
    fn give_back(&mut self, owned: Owned, cases: &[Case]) {
        for (left, case) in owned.left.into_iter().zip(cases) {
            let expected = match case {
                Case::Send { value, stays: true, .. } => *value,
                _ => None,
            };
            assert_eq!(left.take().map(|value| value.number), expected, "left in {case:?}");
        }
        for (channel, side) in owned.handles {
            self.model.remove_handle(channel, side);
        }
    }
}
