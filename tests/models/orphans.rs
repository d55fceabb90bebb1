//! Whether a goroutine can never be woken: nobody says so of one that somebody is waking, or has woken.
//!
//! Seen to fail, besides the mistakes below, with a `look` that does not read the number again, or not the goroutine's
//! word; without the release fence in `begin_poll`; without either acquire fence in `look`; with a Relaxed first
//! load in `look` or a Relaxed `begin_wait`.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::thread;

use crate::explore::{explore, quick_or_full};
use crate::orphan_record::Record;
use crate::primitives::{AtomicU32, AtomicUsize, Ordering};

const QUEUED: u32 = 0;
const RUNNING: u32 = 1;
const WAITS: u32 = 2;

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// A wake by value drops its handle, and wakes then.
    DropsFirst,
    /// A poll that is pending waits, also if it was woken.
    WaitsAtOnce,
}

struct Goroutine {
    mistake: Mistake,
    record: Record,
    handles: AtomicUsize,
    /// What the goroutine does, as reports see it.
    word: AtomicU32,
    /// `async-task`'s: it is being polled, it has been woken.
    state: Mutex<(bool, bool)>,
}

impl Goroutine {
    fn new(mistake: Mistake) -> Self {
        Goroutine {
            mistake,
            record: Record::new(),
            handles: AtomicUsize::new(1),
            word: AtomicU32::new(QUEUED),
            state: Mutex::new((false, true)),
        }
    }

    /// As an `Arc`'s.
    fn clone_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    fn drop_handle(&self) {
        self.handles.fetch_sub(1, Ordering::Release);
    }

    /// Returns whether it was woken meanwhile, and so is queued again.
    fn poll(&self, poll: u64, inside: impl FnOnce()) -> bool {
        *self.state.lock().unwrap() = (true, false);
        self.word.store(RUNNING, Ordering::Relaxed);
        self.record.begin_poll(poll);
        inside();
        self.record.end_poll(poll);
        if self.mistake == Mistake::WaitsAtOnce {
            self.record.begin_wait(poll);
        }
        self.word.store(WAITS, Ordering::Relaxed);
        let is_queued = {
            let mut state = self.state.lock().unwrap();
            state.0 = false;
            state.1
        };
        match is_queued {
            true => self.word.store(QUEUED, Ordering::Relaxed),
            false => self.record.begin_wait(poll),
        }
        is_queued
    }

    /// By value. Returns whether the caller has queued it.
    fn wake(&self) -> bool {
        if self.mistake == Mistake::DropsFirst {
            self.drop_handle();
        }
        let is_queued = {
            let mut state = self.state.lock().unwrap();
            let is_mine = !state.0 && !state.1;
            state.1 = true;
            is_mine
        };
        if is_queued {
            self.word.store(QUEUED, Ordering::Relaxed);
        }
        if self.mistake != Mistake::DropsFirst {
            self.drop_handle();
        }
        is_queued
    }

    fn is_orphaned(&self) -> bool {
        let handles = || self.handles.load(Ordering::Relaxed);
        let waits = || self.word.load(Ordering::Relaxed) == WAITS;
        self.record.look(handles, waits).is_some_and(|(_, is_orphaned)| is_orphaned)
    }
}

/// Its first poll gives a handle to a thread that wakes it by value, perhaps in that poll. In its second one somebody
/// gets a handle, and does not use it.
fn woken_once(mistake: Mistake) {
    let goroutine = Arc::new(Goroutine::new(mistake));
    let looks = thread::spawn({
        let goroutine = goroutine.clone();
        move || assert!(!goroutine.is_orphaned(), "somebody can wake it")
    });
    let second = |goroutine: &Goroutine| _ = goroutine.poll(2, || goroutine.clone_handle());
    let mut wakes = None;
    let is_queued = goroutine.poll(1, || {
        goroutine.clone_handle();
        let goroutine = goroutine.clone();
        wakes = Some(thread::spawn(move || {
            if goroutine.wake() {
                second(&goroutine);
            }
        }));
    });
    if is_queued {
        second(&goroutine);
    }
    wakes.unwrap().join().unwrap();
    looks.join().unwrap();
    assert!(!goroutine.is_orphaned());
    goroutine.drop_handle();
    assert!(goroutine.is_orphaned(), "nobody can wake it");
}

#[test]
fn who_is_woken_is_no_orphan() {
    explore(quick_or_full(2, Some(4)), || woken_once(Mistake::None));
}

#[test]
#[should_panic = "somebody can wake it"]
fn a_wake_that_drops_its_handle_first_is_found() {
    explore(Some(2), || woken_once(Mistake::DropsFirst));
}

#[test]
#[should_panic = "somebody can wake it"]
fn a_wait_that_begins_although_it_was_woken_is_found() {
    explore(Some(2), || woken_once(Mistake::WaitsAtOnce));
}

/// What is dropped without a wake leaves an orphan, which everybody sees afterwards.
#[test]
fn who_is_forgotten_is_an_orphan() {
    explore(Some(3), || {
        let goroutine = Arc::new(Goroutine::new(Mistake::None));
        let mut drops = None;
        goroutine.poll(1, || {
            goroutine.clone_handle();
            let goroutine = goroutine.clone();
            drops = Some(thread::spawn(move || goroutine.drop_handle()));
        });
        drops.unwrap().join().unwrap();
        assert!(goroutine.is_orphaned());
    });
}
