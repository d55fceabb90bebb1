//! Wakers that do something when one of their functions is called.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::world::World;

/// What a waker does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Deed {
    Panic,
    Poll,
    Send,
    Receive,
    Close,
    Done,
    DropOperation,
    Spawn,
    Block,
}

pub(crate) const DEEDS: [Deed; 11] = [
    Deed::Panic,
    Deed::Panic,
    Deed::Panic,
    Deed::Poll,
    Deed::Send,
    Deed::Receive,
    Deed::Close,
    Deed::Done,
    Deed::DropOperation,
    Deed::Spawn,
    Deed::Block,
];

/// What wakers panic with.
pub(crate) struct Boom {
    /// It was cloned, or woken by reference: that goes to whoever polls with it.
    pub(crate) is_the_caller_s: bool,
}

/// At which calls of all the wakers' functions they do it.
pub(crate) struct Schedule {
    pub(crate) deed: Deed,
    pub(crate) first: usize,
    /// And then at each so-many-th.
    pub(crate) every: usize,
    calls: AtomicUsize,
    done: AtomicUsize,
    under_way: AtomicUsize,
    is_over: AtomicBool,
}

impl Schedule {
    pub(crate) fn new(deed: Deed, first: usize, every: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        let is_over = AtomicBool::new(false);
        Schedule { deed, first, every, calls: zero(), done: zero(), under_way: zero(), is_over }
    }

    /// The number of the call, if it is one of these.
    fn is_now(&self) -> Option<usize> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let past = call.checked_sub(self.first)?;
        (past.is_multiple_of(self.every) && !self.is_over.load(Ordering::SeqCst)).then_some(call)
    }

    pub(crate) fn times_done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// From now on wakers only wake.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        while self.under_way.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
    }
}

thread_local! {
    /// A waker does something: others, which that concerns, only wake.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

pub(crate) struct Hook {
    world: Weak<World>,
    /// Not one that awaits a handle.
    pub(crate) may_panic: bool,
    woken: AtomicUsize,
    alive: AtomicIsize,
}

impl Hook {
    pub(crate) fn new(world: &Arc<World>, may_panic: bool) -> Arc<Self> {
        let world = Arc::downgrade(world);
        let (woken, alive) = (AtomicUsize::new(0), AtomicIsize::new(0));
        Arc::new(Hook { world, may_panic, woken, alive })
    }

    pub(crate) fn times_woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    /// How many wakers there are of it.
    pub(crate) fn alive(&self) -> isize {
        self.alive.load(Ordering::SeqCst)
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        self.alive.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the data is an `Arc`, as `OWN` has it, which may be used on any thread.
        unsafe { Waker::new(Arc::into_raw(self.clone()).cast(), &OWN) }
    }

    /// One with the data of `other`; only for the first that asks, until `unforge`.
    pub(crate) fn forge(self: &Arc<Self>, other: &Waker) -> Waker {
        let mut forged = FORGED.lock().unwrap();
        let hook = forged.entry(other.data().addr()).or_insert_with(|| self.clone());
        if !Arc::ptr_eq(hook, self) {
            return self.waker();
        }
        drop(forged);
        self.alive.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the functions use no more of the data than its address.
        unsafe { Waker::new(other.data(), &FALSE) }
    }

    fn called(&self, is_the_caller_s: bool) {
        let Some(world) = self.world.upgrade() else { return };
        if BUSY.get() {
            return;
        }
        let schedule = &world.schedule;
        schedule.under_way.fetch_add(1, Ordering::SeqCst);
        let _end = End(&schedule.under_way);
        let Some(call) = schedule.is_now() else { return };
        if schedule.deed != Deed::Panic {
            schedule.done.fetch_add(1, Ordering::SeqCst);
            BUSY.set(true);
            world.meddle(schedule.deed, call);
            BUSY.set(false);
        } else {
            // A second panic would end the process, whatever gorun does.
            schedule.done.fetch_add(1, Ordering::SeqCst);
            if self.may_panic && !std::thread::panicking() {
                // Without the panic hook, which would say so thousands of times.
                resume_unwind(Box::new(Boom { is_the_caller_s }));
            }
        }
    }

    fn wake(&self, is_by_reference: bool) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.called(is_by_reference);
    }
}

struct End<'a>(&'a AtomicUsize);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// SAFETY of the blocks below: the data of a waker with these functions comes from `Arc::into_raw`, and it
// owns one reference.
static OWN: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: see above; the waker stays.
        let hook = unsafe { &*data.cast::<Hook>() };
        hook.called(true);
        hook.alive.fetch_add(1, Ordering::SeqCst);
        // SAFETY: see above.
        unsafe { Arc::increment_strong_count(data.cast::<Hook>()) };
        RawWaker::new(data, &OWN)
    },
    |data| {
        // SAFETY: see above; the waker is used up.
        let hook = unsafe { Arc::from_raw(data.cast::<Hook>()) };
        hook.alive.fetch_sub(1, Ordering::SeqCst);
        hook.wake(false);
    },
    |data| {
        // SAFETY: see above; the waker stays.
        let hook = unsafe { &*data.cast::<Hook>() };
        hook.wake(true);
    },
    |data| {
        // SAFETY: see above; the waker is used up.
        let hook = unsafe { Arc::from_raw(data.cast::<Hook>()) };
        hook.alive.fetch_sub(1, Ordering::SeqCst);
        hook.called(false);
    },
);

/// By the addresses of the data that they have in common with others.
static FORGED: Mutex<BTreeMap<usize, Arc<Hook>>> = Mutex::new(BTreeMap::new());

static FALSE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        forged(data, |hook| {
            hook.called(true);
            hook.alive.fetch_add(1, Ordering::SeqCst);
        });
        RawWaker::new(data, &FALSE)
    },
    |data| {
        forged(data, |hook| {
            hook.alive.fetch_sub(1, Ordering::SeqCst);
            hook.wake(false);
        })
    },
    |data| forged(data, |hook| hook.wake(true)),
    |data| {
        forged(data, |hook| {
            hook.alive.fetch_sub(1, Ordering::SeqCst);
            hook.called(false);
        })
    },
);

fn forged(data: *const (), call: impl FnOnce(&Hook)) {
    let hook = FORGED.lock().unwrap().get(&data.addr()).cloned();
    if let Some(hook) = hook {
        call(&hook);
    }
}

pub(crate) fn unforge(other: &Waker) {
    let former = FORGED.lock().unwrap().remove(&other.data().addr());
    drop(former);
}
