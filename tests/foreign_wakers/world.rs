//! Bytes become operations, polled by hand with wakers that do something at the n-th call of one of their
//! functions.
//!
//! What is checked, beside that nobody hangs, and that no panic comes out but that of a waker's `clone` or
//! `wake_by_ref` where it was polled:
//!
//! - each value that a send has sent is received, once; one that was not sent stays with its sender;
//! - one that waits, and has not been woken, is not ready;
//! - one whose poll panicked can be polled again;
//! - in the end all permits are free;
//! - all goroutines, sets, wait groups and times come to their end;
//! - in the end channels pass values, and nothing is left: no value, no waker, no goroutine.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gorun::context::{CancelGuard, Context as GoContext};
use gorun::sync::{Notify, OwnedPermit, Semaphore};
use gorun::{JoinHandle, Receiver, Sender, WaitGroup, channel, spawn};

use crate::bytes::Bytes;
use crate::hooks::{Boom, Deed, Hook, Schedule, unforge};
use crate::operations::{self, CLOCKS, Operation};
use crate::values::{Ledger, Value};

const MANY: usize = 12;
const PERMITS: usize = 3;

/// Numbers below this one need no runtime. A new operation takes the number there, and those after
/// it move.
const OUTSIDE: usize = 28;
const ALL: usize = 39;
const PAUSE: usize = ALL - 1;

/// Where the thread is.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In no runtime.
    Outside,
    /// In one: in main or a goroutine, with the waker of that.
    Inside(&'a Waker),
}

pub(crate) struct World {
    pub(crate) schedule: Schedule,
    is_inside: bool,
    channels: Vec<Channel>,
    operations: Mutex<Vec<Operation>>,
    hooks: Mutex<Vec<Arc<Hook>>>,
    semaphore: Arc<Semaphore>,
    permits: Arc<Mutex<Vec<OwnedPermit>>>,
    notify: Arc<Notify>,
    /// Another one when it has been cancelled.
    context: Mutex<(Arc<GoContext>, CancelGuard)>,
    group: Arc<WaitGroup>,
    /// How often it is to be counted down.
    owed: AtomicUsize,
    /// Goroutines that wait until their sender is dropped.
    held_back: Mutex<Vec<Sender<()>>>,
    ledger: Arc<Ledger>,
}

struct Channel {
    senders: Mutex<Vec<Arc<Sender<Value>>>>,
    receivers: Mutex<Vec<Arc<Receiver<Value>>>>,
    /// Until the end.
    last: Receiver<Value>,
}

impl Channel {
    fn new(capacity: usize) -> Self {
        let (tx, last) = channel(capacity);
        let receivers = Mutex::new(vec![Arc::new(last.clone())]);
        Channel { senders: Mutex::new(vec![Arc::new(tx)]), receivers, last }
    }

    fn sender(&self) -> Option<Arc<Sender<Value>>> {
        self.senders.lock().unwrap().first().cloned()
    }

    fn receiver(&self) -> Arc<Receiver<Value>> {
        let first = self.receivers.lock().unwrap().first().cloned();
        first.unwrap_or_else(|| Arc::new(self.last.clone()))
    }

    fn take_all(&self) {
        while let Ok(value) = self.last.try_recv() {
            value.receive();
        }
    }
}

/// Follows the bytes. Says how often a waker did something.
pub(crate) fn follow(bytes: &[u8], place: Place<'_>, schedule: Schedule) -> usize {
    let mut bytes = Bytes(bytes);
    let goroutines = if let Place::Inside(_) = place { gorun::num_goroutines() } else { 0 };
    let channels = (0..2).map(|_| Channel::new(bytes.below(3))).collect();
    let world = Arc::new(World {
        schedule,
        is_inside: matches!(place, Place::Inside(_)),
        channels,
        operations: Mutex::default(),
        hooks: Mutex::default(),
        semaphore: Arc::new(Semaphore::new(PERMITS)),
        permits: Arc::default(),
        notify: Arc::default(),
        context: Mutex::new(context()),
        group: Arc::new(WaitGroup::new()),
        owed: AtomicUsize::new(0),
        held_back: Mutex::default(),
        ledger: Arc::default(),
    });
    while !bytes.is_empty() {
        world.step(&mut bytes, place);
    }
    world.schedule.end();
    world.end();
    let times = world.schedule.times_done();
    let ledger = world.ledger.clone();
    let hooks = std::mem::take(&mut *world.hooks.lock().unwrap());
    // A waker that runs elsewhere may have it for a moment more.
    until(|| Arc::strong_count(&world) == 1);
    drop(world);
    if let Place::Inside(waker) = place {
        until(|| gorun::num_goroutines() == goroutines);
        // Those that are being called by a worker.
        until(|| hooks.iter().all(|hook| hook.alive() == 0));
        unforge(waker);
    }
    for hook in hooks {
        assert_eq!(hook.alive(), 0, "wakers are left");
        until(|| Arc::strong_count(&hook) == 1);
    }
    assert_eq!(ledger.alive(), 0, "values are left");
    ledger.assert_clean();
    times
}

/// It comes soon, or a watchdog does.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

fn context() -> (Arc<GoContext>, CancelGuard) {
    let (context, cancel) = GoContext::background().with_cancel();
    // What is awaited is below what is cancelled.
    let (below, guard) = context.with_cancel();
    guard.detach();
    (Arc::new(below), cancel)
}

impl World {
    fn step(self: &Arc<Self>, bytes: &mut Bytes<'_>, place: Place<'_>) {
        let kinds = if self.is_inside { ALL } else { OUTSIDE };
        let channel = &self.channels[bytes.below(self.channels.len())];
        match bytes.below(kinds) {
            0 => self.try_send(channel),
            1 => self.try_receive(channel),
            2 => self.close(channel, bytes.below(8) == 0),
            3 => self.change_halves(channel, bytes.below(4)),
            4 => {
                self.group.add(1);
                self.owed.fetch_add(1, Ordering::SeqCst);
            }
            5 => self.done(),
            6 => self.let_one_go(),
            7 => self.drop_operation(bytes.below(MANY)),
            8..13 => self.poll(bytes.below(MANY), Some(bytes.below(2)), place, bytes.below(4) == 0),
            13 => self.poll(bytes.below(MANY), None, place, false),
            22 => self.give_back(),
            23 => self.notify(bytes.below(4) == 0),
            24 => self.cancel(),
            // Goroutines complete, and timers ring.
            PAUSE => std::thread::sleep(Duration::from_micros(100)),
            kind => {
                if let Some(operation) = self.operation(kind, channel, bytes) {
                    let place_of = self.operations.lock().unwrap().len();
                    self.put(operation);
                    self.poll(place_of, Some(0), place, bytes.below(8) == 0);
                }
            }
        }
    }

    /// What a waker does, wherever it is.
    pub(crate) fn meddle(self: &Arc<Self>, deed: Deed, choice: usize) {
        let channel = &self.channels[choice % self.channels.len()];
        let done = catch_unwind(AssertUnwindSafe(|| match deed {
            Deed::Panic => unreachable!("the waker does that"),
            Deed::Poll => self.poll(choice, Some(choice % 2), Place::Outside, false),
            Deed::Send => self.try_send(channel),
            Deed::Receive => self.try_receive(channel),
            Deed::Close => self.close(channel, true),
            Deed::Done => {
                self.done();
                self.give_back();
                self.notify(choice.is_multiple_of(4));
                self.cancel();
                self.let_one_go();
            }
            Deed::DropOperation => self.drop_operation(choice),
            Deed::Spawn if self.is_inside => drop(gorun_spawn()),
            Deed::Block if self.is_inside => gorun::block_on(gorun::yield_now()),
            Deed::Spawn | Deed::Block => drop(channel.receiver()),
        }));
        if done.is_err() {
            self.ledger.note(format!("{deed:?} panicked in a waker"));
        }
    }

    // At once.

    fn try_send(&self, channel: &Channel) {
        let Some(tx) = channel.sender() else { return };
        let value = self.ledger.value();
        let fate = value.fate();
        match tx.try_send(value) {
            Ok(()) => fate.sent(),
            Err(gorun::TrySendError::Full(value) | gorun::TrySendError::Closed(value)) => {
                value.come_back();
            }
        }
    }

    fn try_receive(&self, channel: &Channel) {
        channel.receiver().try_recv().into_iter().for_each(Value::receive);
    }

    fn close(&self, channel: &Channel, really: bool) {
        if really {
            channel.receiver().close();
        }
    }

    fn change_halves(&self, channel: &Channel, how: usize) {
        // Dropped outside of the lock.
        let (mut tx, mut rx) = (None, None);
        match how {
            0 => {
                let clone = channel.sender().map(|tx| Arc::new((*tx).clone()));
                channel.senders.lock().unwrap().extend(clone);
            }
            1 => {
                let clone = Arc::new((*channel.receiver()).clone());
                channel.receivers.lock().unwrap().push(clone);
            }
            2 => {
                let mut senders = channel.senders.lock().unwrap();
                // Rarely the last one.
                if senders.len() > 1 || self.schedule.first.is_multiple_of(3) {
                    tx = senders.pop();
                }
            }
            _ => rx = channel.receivers.lock().unwrap().pop(),
        }
        drop((tx.take(), rx.take()));
    }

    fn done(&self) {
        let less = |owed: usize| owed.checked_sub(1);
        if self.owed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            self.group.done();
        }
    }

    fn give_back(&self) {
        // Outside of the lock.
        let permit = self.permits.lock().unwrap().pop();
        drop(permit);
    }

    fn notify(&self, all: bool) {
        if all { self.notify.notify_all() } else { self.notify.notify_one() }
    }

    fn cancel(&self) {
        let next = context();
        // Outside of the lock.
        let former = std::mem::replace(&mut *self.context.lock().unwrap(), next);
        former.1.cancel();
    }

    fn let_one_go(&self) {
        let sender = self.held_back.lock().unwrap().pop();
        drop(sender);
    }

    // What waits.

    fn operation(
        self: &Arc<Self>,
        kind: usize,
        channel: &Channel,
        bytes: &mut Bytes<'_>,
    ) -> Option<Operation> {
        if self.operations.lock().unwrap().len() >= MANY {
            return None;
        }
        let hooks = |may_panic| [(); 2].map(|()| self.hook(may_panic));
        Some(match kind {
            14 => operations::receive(channel.receiver(), hooks(true)),
            15 => operations::stream((*channel.receiver()).clone(), hooks(true)),
            16 => operations::send(channel.sender()?, self.ledger.value(), hooks(true)),
            17 => operations::send_from(channel.sender()?, self.ledger.value(), hooks(true)),
            18 => {
                let other = &self.channels[bytes.below(self.channels.len())];
                let (rx, tx) = (channel.receiver(), other.sender()?);
                operations::select(rx, tx, self.ledger.value(), hooks(true))
            }
            19 => operations::wait(self.group.clone(), hooks(true)),
            20 => {
                let (semaphore, permits) = (self.semaphore.clone(), self.permits.clone());
                operations::acquire(semaphore, permits, 1 + bytes.below(PERMITS), hooks(true))
            }
            21 => operations::notified(self.notify.clone(), hooks(true)),
            25 => operations::done(self.context(), hooks(true)),
            26 => operations::run(self.context(), channel.receiver(), hooks(true)),
            27 => operations::receive_many(channel.receiver(), hooks(true)),
            28 | 29 => operations::join(self.goroutine(), hooks(false)),
            30 | 31 => {
                let count = 1 + bytes.below(3);
                let set = (0..count).map(|_| self.goroutine_s_future()).collect();
                match kind {
                    30 => operations::join_all(set, hooks(true)),
                    _ => operations::join_stream(set, hooks(true)),
                }
            }
            32 => {
                let limit = [50, 200, 3_600_000_000][bytes.below(3)];
                let (tx, limit) = (channel.sender()?, Duration::from_micros(limit));
                // A panic would drop its value, which nobody could tell from a loss.
                operations::send_in_time(tx, self.ledger.value(), limit, hooks(false))
            }
            _ => {
                let clock = CLOCKS[bytes.below(CLOCKS.len())];
                let limit = [50, 200, 3_600_000_000][bytes.below(3)];
                let limit = Duration::from_micros(limit);
                operations::time(clock, limit, channel.receiver(), hooks(true))
            }
        })
    }

    fn context(&self) -> Arc<GoContext> {
        self.context.lock().unwrap().0.clone()
    }

    fn hook(self: &Arc<Self>, may_panic: bool) -> Arc<Hook> {
        let hook = Hook::new(self, may_panic);
        self.hooks.lock().unwrap().push(hook.clone());
        hook
    }

    fn goroutine(&self) -> JoinHandle<u32> {
        spawn(self.goroutine_s_future())
    }

    fn goroutine_s_future(&self) -> impl Future<Output = u32> + Send + 'static {
        let (sender, end) = channel(0);
        self.held_back.lock().unwrap().push(sender);
        async move {
            end.recv().await;
            7
        }
    }

    fn put(&self, operation: Operation) {
        self.operations.lock().unwrap().push(operation);
    }

    /// Others find it gone meanwhile.
    fn take(&self, place: usize) -> Option<Operation> {
        let mut operations = self.operations.lock().unwrap();
        let place = place.checked_rem(operations.len())?;
        Some(operations.swap_remove(place))
    }

    fn drop_operation(&self, place: usize) {
        self.take(place).into_iter().for_each(Operation::leave);
    }

    /// With one of its hooks; or with a waker that does nothing.
    fn poll(&self, which: usize, hook: Option<usize>, place: Place<'_>, forges: bool) {
        let Some(operation) = self.take(which) else { return };
        let waker = match (hook, place) {
            (None, _) => Waker::noop().clone(),
            (Some(hook), Place::Inside(own)) if forges => operation.hooks[hook].forge(own),
            (Some(hook), _) => operation.hooks[hook].waker(),
        };
        self.poll_with(operation, hook, &waker);
        // As whoever made it may expect, this may do something, but not panic.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(waker)));
    }

    /// Says whether it waits.
    fn poll_with(&self, mut operation: Operation, hook: Option<usize>, waker: &Waker) -> bool {
        let times = hook.map(|hook| (hook, operation.hooks[hook].times_woken()));
        let is_early = operation.is_exact && operation.waits.is_some() && !operation.is_woken();
        let is_over = self.schedule.is_over();
        let mut cx = Context::from_waker(waker);
        match catch_unwind(AssertUnwindSafe(|| operation.poll(&mut cx))) {
            Ok(Poll::Ready(())) => {
                if is_early && is_over {
                    self.ledger.note("one that waited was not woken");
                }
                operation.leave();
                return false;
            }
            Ok(Poll::Pending) => operation.waits = times,
            Err(payload) => {
                match payload.downcast_ref::<Boom>() {
                    Some(boom) if boom.is_the_caller_s && !is_over => {}
                    Some(_) => self.ledger.note("a waker's panic went to somebody else"),
                    None => self.ledger.note("a poll panicked by itself"),
                }
                operation.waits = None;
                if operation.is_block {
                    operation.leave();
                    return false;
                }
            }
        }
        self.put(operation);
        true
    }

    // The end, with wakers that only wake.

    fn end(&self) {
        // Whoever has not been woken waits.
        let count = self.operations.lock().unwrap().len();
        let operations = std::mem::take(&mut *self.operations.lock().unwrap());
        assert_eq!(operations.len(), count);
        for operation in operations {
            let waker = operation.hooks[0].waker();
            self.poll_with(operation, Some(0), &waker);
        }
        // Everybody comes to an end who does not wait for a channel.
        while !self.held_back.lock().unwrap().is_empty() {
            self.let_one_go();
        }
        while self.owed.load(Ordering::SeqCst) > 0 {
            self.done();
        }
        let operations = std::mem::take(&mut *self.operations.lock().unwrap());
        for operation in operations {
            if !operation.must_end {
                operation.leave();
                continue;
            }
            self.put(operation);
            while let Some(operation) = self.take(0) {
                if operation.waits.is_none() {
                    // It has panicked by itself, and that has been noted.
                    operation.leave();
                    break;
                }
                until(|| operation.is_woken());
                let waker = operation.hooks[0].waker();
                self.poll_with(operation, Some(0), &waker);
            }
        }
        while !self.permits.lock().unwrap().is_empty() {
            self.give_back();
        }
        let all = self.semaphore.try_acquire_many(PERMITS);
        assert!(all.is_ok(), "permits are lost, or somebody waits for them");
        for channel in &self.channels {
            channel.take_all();
            if let Some(tx) = channel.sender()
                && !tx.is_closed()
            {
                self.passes_values(&tx, &channel.last);
            }
        }
    }

    fn passes_values(&self, tx: &Sender<Value>, rx: &Receiver<Value>) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut recv = pin!(rx.recv());
        assert!(recv.as_mut().poll(&mut cx).is_pending());
        assert!(tx.try_send(self.ledger.value()).is_ok());
        let Poll::Ready(Some(value)) = recv.as_mut().poll(&mut cx) else {
            panic!("a value does not arrive")
        };
        value.receive();
        for _ in 0..rx.capacity() {
            assert!(tx.try_send(self.ledger.value()).is_ok());
        }
        let value = self.ledger.value();
        let fate = value.fate();
        let mut send = pin!(tx.send(value));
        assert!(send.as_mut().poll(&mut cx).is_pending());
        for _ in 0..rx.capacity() + 1 {
            rx.try_recv().unwrap().receive();
        }
        assert!(send.as_mut().poll(&mut cx).is_ready());
        fate.sent();
    }
}

/// A goroutine that does something at once.
fn gorun_spawn() -> JoinHandle<()> {
    spawn(async { gorun::yield_now().await })
}
