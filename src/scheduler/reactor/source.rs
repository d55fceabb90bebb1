//! What a socket is ready for, and who waits for that.
//!
//! # Protocol
//!
//! One word says what the socket may be ready for, and counts the events. An operation on the
//! socket reads the word, tries, and
//!
//! - succeeds, which takes no lock; or
//! - finds that the socket is not ready after all. Then it *clears* the bit, unless the word has
//!   counted an event since it was read, for that event may have come after the attempt. Then it
//!   tries again.
//!
//! If the word says that the socket is not ready, the task *waits*: with the lock of the waiters it
//! looks at the word again, and enters its waker. An event sets its bits and counts in one step, and
//! then takes the wakers out, with the lock.
//!
//! # Why no event is lost
//!
//! The system reports an event when a socket becomes ready, once. Consider the attempt that finds
//! the socket not ready: it becomes ready later, and this is reported later. If the report comes
//! before the bit is cleared, the count is another one, and the task tries again. If it comes after
//! that, it sets the bit anew. Then either the task enters its waker before the event takes the
//! lock, and is woken, or it takes the lock after the event, and sees the bit.
//!
//! A socket that is new counts as ready: the first operation tries.
//!
//! # Short reads
//!
//! A read that gets less than it asked for has emptied the socket, so the bit is cleared without
//! another attempt, which saves one system call in three. There are two exceptions, in which more
//! is there and no event comes: the end of the stream after these data, and urgent data, at whose
//! mark a read ends. Both are reported with the data: the socket is *closed* for reading, or has
//! *priority*. From then on only a failed attempt clears the bit. What arrives after the report of
//! the data comes with a report of its own. Linux and Android alone do so (`SHORT_SAYS_EMPTY`), and
//! there, only TCP: at a Unix socket a read also ends behind data that came with a descriptor. Reads and
//! writes of many buffers count as whole: the system takes 1,024 at most.
//!
//! # Waiters
//!
//! Any number of tasks may wait; all of them are woken, and try. So none is forgotten because
//! another one was woken for it and then went away. A future has an entry of its own, which it
//! takes out when it goes. Those that poll a socket through a trait have no place for such a thing:
//! their wakers stay until the next event, also those of tasks that wait no more. If there are many
//! ([`POLLED`]), all of them are woken and taken out: who still waits enters anew, and nobody else.
//! That happens at most once in each [`PERIOD`]. So memory follows what waits, and any number of tasks
//! may wait: more often, they would wake each other for ever.

#![forbid(unsafe_code)]

use std::mem;
use std::num::NonZeroU64;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{AtomicU64, Mutex, Ordering, lock};

/// With so many wakers of tasks that wait through traits, some are taken to be of tasks that have gone.
const POLLED: usize = 32;

/// For how long they may gather before the next look.
const PERIOD: Duration = Duration::from_secs(1);

/// What a socket may be ready for, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness(u64);

impl Readiness {
    pub(crate) const NONE: Self = Readiness(0);
    pub(crate) const READABLE: Self = Readiness(1);
    pub(crate) const WRITABLE: Self = Readiness(1 << 1);
    /// The peer sends nothing any more, or the connection has failed.
    pub(crate) const READ_CLOSED: Self = Readiness(1 << 2);
    pub(crate) const WRITE_CLOSED: Self = Readiness(1 << 3);
    /// There are, or have been, urgent data.
    pub(crate) const PRIORITY: Self = Readiness(1 << 4);
    /// Its user has closed it.
    pub(crate) const CLOSED: Self = Readiness(1 << 5);
    /// The runtime has ended.
    pub(crate) const ENDED: Self = Readiness(1 << 6);
    /// No operation succeeds any more.
    const OVER: Self = Self::CLOSED.with(Self::ENDED);

    pub(crate) const fn with(self, other: Self) -> Self {
        Readiness(self.0 | other.0)
    }

    fn contains_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// One event, in the upper bits of the word.
const EVENT: u64 = 1 << 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    /// The bits with which an operation is worth an attempt.
    const fn ready(self) -> Readiness {
        match self {
            Direction::Read => Readiness::READABLE.with(Readiness::READ_CLOSED),
            Direction::Write => Readiness::WRITABLE.with(Readiness::WRITE_CLOSED),
        }
    }

    /// The bits that wake.
    const fn wakes(self) -> Readiness {
        self.ready().with(Readiness::OVER)
    }

    /// The bits with which a short read or write does not say that the socket is empty or full.
    const fn is_inexact(self) -> Readiness {
        match self {
            Direction::Read => Readiness::READ_CLOSED.with(Readiness::PRIORITY),
            Direction::Write => Readiness::WRITE_CLOSED,
        }
    }
}

/// The word at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State(u64);

impl State {
    fn readiness(self) -> Readiness {
        Readiness(self.0 % EVENT)
    }

    pub(crate) fn is_ready(self, direction: Direction) -> bool {
        self.readiness().contains_any(direction.ready())
    }

    pub(crate) fn is_closed(self) -> bool {
        self.readiness().contains_any(Readiness::CLOSED)
    }

    pub(crate) fn has_ended(self) -> bool {
        self.readiness().contains_any(Readiness::ENDED)
    }
}

/// Identifies a waiting future. It is never used again: a future keeps its own also while it does not
/// wait, and may be polled late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(NonZeroU64);

impl WaiterId {
    /// All that poll through a trait.
    pub(crate) const POLLED: Self = WaiterId(NonZeroU64::MIN);

    fn after(self) -> Self {
        WaiterId(self.0.checked_add(1).expect("nobody waits so often"))
    }
}

/// A waker to be called.
pub(crate) struct Woken {
    pub(crate) waker: Waker,
    /// It is not user code.
    pub(crate) is_internal: bool,
}

/// What came of an attempt to wait. The caller drops and wakes these wakers, without a lock.
pub(crate) struct Waiting {
    /// If not, the socket is ready.
    pub(crate) waits: bool,
    /// Not needed, or no longer.
    pub(crate) unused: Option<Waker>,
    /// To be woken, so that those of them that still wait enter anew.
    pub(crate) asked: Vec<Waker>,
}

pub(crate) struct Source {
    word: AtomicU64,
    waiters: Mutex<Waiters>,
}

struct Waiters {
    read: List,
    write: List,
    last_id: WaiterId,
}

/// Mostly one, which then takes no allocation: there may be many sources.
#[derive(Default)]
struct List {
    first: Option<Waiter>,
    // A vector would be three words.
    others: Option<Box<Others>>,
}

#[derive(Default)]
struct Others {
    list: Vec<Waiter>,
    /// When those that wait through traits were woken to see which of them still wait.
    asked_at: Option<Instant>,
}

/// In three words: there may be many.
struct Waiter {
    waker: Waker,
    /// Its `WaiterId`, and in the lowest bit whether the waker is not user code.
    tag: u64,
}

impl Waiter {
    fn new(waker: Waker, id: WaiterId, is_internal: bool) -> Self {
        Waiter { waker, tag: id.0.get() << 1 | u64::from(is_internal) }
    }

    fn is_of(&self, id: WaiterId) -> bool {
        self.tag >> 1 == id.0.get()
    }

    fn into_woken(self) -> Woken {
        Woken { waker: self.waker, is_internal: self.tag & 1 != 0 }
    }
}

impl Source {
    pub(crate) fn new() -> Self {
        let word = Readiness::READABLE.with(Readiness::WRITABLE).0;
        let (read, write) = Default::default();
        let waiters = Waiters { read, write, last_id: WaiterId::POLLED };
        Source { word: AtomicU64::new(word), waiters: Mutex::new(waiters) }
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        // Ordering: Acquire pairs with the Release in `notify`.
        State(self.word.load(Ordering::Acquire))
    }

    /// An attempt has failed: the socket is not ready, unless an event came since it was `seen`.
    pub(crate) fn clear(&self, direction: Direction, seen: State) {
        self.clear_bits(direction.ready(), seen);
    }

    /// A read or write was shorter than wanted: the next attempt would fail.
    pub(crate) fn clear_after_short(&self, direction: Direction, seen: State) {
        if !seen.readiness().contains_any(direction.is_inexact()) {
            self.clear_bits(direction.ready(), seen);
        }
    }

    fn clear_bits(&self, bits: Readiness, seen: State) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word / EVENT == seen.0 / EVENT {
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            match self.word.compare_exchange(word, word & !bits.0, success, failure) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// An event. Notes whom to wake.
    pub(crate) fn notify(&self, readiness: Readiness, woken: &mut Vec<Woken>) {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let new = (word | readiness.0).wrapping_add(EVENT);
            match self.word.compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        self.take_waiters(readiness, woken);
    }

    /// Notes those that wait for this direction, without an event.
    pub(crate) fn wake(&self, direction: Direction, woken: &mut Vec<Woken>) {
        self.take_waiters(direction.ready(), woken);
    }

    fn take_waiters(&self, readiness: Readiness, woken: &mut Vec<Woken>) {
        let mut waiters = lock(&self.waiters);
        for direction in [Direction::Read, Direction::Write] {
            if readiness.contains_any(direction.wakes()) {
                waiters.list(direction).drain_into(woken);
            }
        }
    }

    /// Enters the waker, unless the socket is ready. `id` is its present entry, if it may have one.
    pub(crate) fn wait(
        &self,
        direction: Direction,
        id: &mut Option<WaiterId>,
        waker: Waker,
        is_internal: bool,
    ) -> Waiting {
        self.wait_unless(direction.wakes(), direction, id, waker, is_internal)
    }

    /// The same also if the socket is ready, but not if it has ended.
    pub(crate) fn wait_for_end(
        &self,
        direction: Direction,
        id: &mut Option<WaiterId>,
        waker: Waker,
        is_internal: bool,
    ) -> Waiting {
        self.wait_unless(Readiness::OVER, direction, id, waker, is_internal)
    }

    fn wait_unless(
        &self,
        readiness: Readiness,
        direction: Direction,
        id: &mut Option<WaiterId>,
        waker: Waker,
        is_internal: bool,
    ) -> Waiting {
        let mut waiters = lock(&self.waiters);
        if self.state().readiness().contains_any(readiness) {
            return Waiting { waits: false, unused: Some(waker), asked: Vec::new() };
        }
        let id = *id.get_or_insert_with(|| waiters.new_id());
        let waiter = Waiter::new(waker, id, is_internal);
        let list = waiters.list(direction);
        let (unused, asked) = match id {
            WaiterId::POLLED => list.enter_polled(waiter),
            id => (list.enter(id, waiter), Vec::new()),
        };
        Waiting { waits: true, unused, asked }
    }

    /// Takes out the entry of a future.
    pub(crate) fn forget(&self, direction: Direction, id: WaiterId) -> Option<Waker> {
        lock(&self.waiters).list(direction).remove(id)
    }

    /// Takes out all wakers: nobody uses the socket any more.
    pub(crate) fn forget_all(&self) -> Vec<Woken> {
        let mut all = Vec::new();
        self.take_waiters(Direction::Read.ready().with(Direction::Write.ready()), &mut all);
        all
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let mut waiters = lock(&self.waiters);
        [Direction::Read, Direction::Write].map(|d| waiters.list(d).iter().count()).iter().sum()
    }
}

impl Waiters {
    fn list(&mut self, direction: Direction) -> &mut List {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }

    fn new_id(&mut self) -> WaiterId {
        self.last_id = self.last_id.after();
        self.last_id
    }
}

impl List {
    fn others(&self) -> &[Waiter] {
        self.others.as_ref().map_or(&[], |others| &others.list)
    }

    fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.first.iter().chain(self.others())
    }

    fn drain_into(&mut self, woken: &mut Vec<Woken>) {
        woken.extend(self.first.take().map(Waiter::into_woken));
        if let Some(others) = &mut self.others {
            woken.extend(mem::take(&mut others.list).into_iter().map(Waiter::into_woken));
            self.shrink();
        }
    }

    /// Memory follows what waits. When those that wait through traits were woken is not forgotten as
    /// long as it matters.
    fn shrink(&mut self) {
        drop(self.others.take_if(|others| others.list.is_empty() && !others.were_asked_lately()));
    }

    /// Returns the waker that is not needed.
    fn enter(&mut self, id: WaiterId, waiter: Waiter) -> Option<Waker> {
        let others = self.others.iter_mut().flat_map(|others| &mut others.list);
        if let Some(present) = self.first.iter_mut().chain(others).find(|w| w.is_of(id)) {
            return Some(mem::replace(present, waiter).waker);
        }
        self.push(waiter);
        None
    }

    /// Returns the waker that is not needed, and those to wake.
    fn enter_polled(&mut self, waiter: Waiter) -> (Option<Waker>, Vec<Waker>) {
        let polled = || self.iter().filter(|waiter| waiter.is_of(WaiterId::POLLED));
        if polled().any(|present| present.waker.will_wake(&waiter.waker)) {
            return (Some(waiter.waker), Vec::new());
        }
        let asked = if polled().count() >= POLLED { self.take_polled() } else { Vec::new() };
        self.push(waiter);
        (None, asked)
    }

    /// Takes out all that wait through traits, unless that was done lately.
    fn take_polled(&mut self) -> Vec<Waker> {
        let others = self.others.get_or_insert_default();
        if others.were_asked_lately() {
            return Vec::new();
        }
        others.asked_at = Some(clock::now());
        let is_polled = |waiter: &mut Waiter| waiter.is_of(WaiterId::POLLED);
        let first = self.first.take_if(|waiter| is_polled(waiter));
        let all = first.into_iter().chain(others.list.extract_if(.., is_polled));
        all.map(|waiter| waiter.waker).collect()
    }

    fn push(&mut self, waiter: Waiter) {
        match (&self.first, &mut self.others) {
            (None, None) => self.first = Some(waiter),
            // Behind those that came before.
            (_, others) => others.get_or_insert_default().list.push(waiter),
        }
    }

    /// The first one with this id.
    fn remove(&mut self, id: WaiterId) -> Option<Waker> {
        if let Some(waiter) = self.first.take_if(|waiter| waiter.is_of(id)) {
            return Some(waiter.waker);
        }
        let others = self.others.as_mut()?;
        let place = others.list.iter().position(|waiter| waiter.is_of(id))?;
        let removed = others.list.remove(place).waker;
        self.shrink();
        Some(removed)
    }
}

impl Others {
    fn were_asked_lately(&self) -> bool {
        self.asked_at.is_some_and(|at| clock::now().saturating_duration_since(at) < PERIOD)
    }
}
