//! A wake from outside against the end of the runtime: the argument at the top of `task.rs`.
//!
//! The runtime is a stand-in with a count of references. Whoever uses it reads its memory, and the
//! last reference writes to it, so loom finds a use that is not over when the runtime is freed.
//! The goroutine's state word follows `async-task`'s. The counts are the shipped ones.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::explore::explore;
use crate::live_count::LiveCount;
use crate::primitives::{AtomicUsize, Mutex, Ordering, fence, lock};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// A wake from outside pushes without a reference of its own.
    NoReference,
    /// It takes the reference when the goroutine is no longer in its hand.
    ReferenceAfterPush,
    /// It gives the reference back when the notification is still to come.
    ReleaseBeforeNotification,
}

const SCHEDULED: usize = 1;
const RUNNING: usize = 2;
const COMPLETED: usize = 4;

/// The runtime, with its only goroutine and its only worker.
struct Runtime {
    memory: UnsafeCell<bool>,
    /// Any field that is read; loom needs an operation of its own between two others to tell what
    /// comes before a release from what comes after it.
    word: AtomicUsize,
    references: AtomicUsize,
    injector: Mutex<usize>,
    worker: LiveCount,
    outside: LiveCount,
    state: AtomicUsize,
    mistake: Mistake,
}

impl Runtime {
    /// Main and the worker have a reference each; the goroutine was counted, and is suspended.
    fn new(mistake: Mistake) -> Arc<Self> {
        let runtime = Runtime {
            memory: UnsafeCell::new(true),
            word: AtomicUsize::new(0),
            references: AtomicUsize::new(2),
            injector: Mutex::new(0),
            worker: LiveCount::new(),
            outside: LiveCount::new(),
            state: AtomicUsize::new(0),
            mistake,
        };
        runtime.outside.count_spawned_outside();
        Arc::new(runtime)
    }

    fn touch(&self) {
        self.word.load(Ordering::Relaxed);
        // SAFETY: loom panics before this if somebody may be writing.
        let alive = self.memory.with(|alive| unsafe { *alive });
        assert!(alive, "use after free");
    }

    /// `Arc::increment_strong_count`.
    fn acquire(&self) {
        self.touch();
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Drops an `Arc`.
    fn release(&self) {
        self.touch();
        if self.references.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: loom panics before this if somebody may be reading.
            self.memory.with_mut(|alive| unsafe { *alive = false });
        }
    }

    /// By a thread that has nothing but a waker.
    fn wake(&self) {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if state & (COMPLETED | SCHEDULED) != 0 {
                return;
            }
            let order = (Ordering::AcqRel, Ordering::Acquire);
            match self.state.compare_exchange(state, state | SCHEDULED, order.0, order.1) {
                Ok(_) if state & RUNNING != 0 => return,
                Ok(_) => return self.schedule(),
                Err(now) => state = now,
            }
        }
    }

    /// The schedule function, outside the runtime. The goroutine is in the caller's hand.
    fn schedule(&self) {
        let mistake = self.mistake;
        let own_reference = mistake != Mistake::NoReference;
        if own_reference && mistake != Mistake::ReferenceAfterPush {
            self.acquire();
        }
        self.touch();
        *lock(&self.injector) += 1;
        if mistake == Mistake::ReferenceAfterPush {
            self.acquire();
        }
        if own_reference && mistake == Mistake::ReleaseBeforeNotification {
            self.release();
        }
        // The notification.
        self.touch();
        if own_reference && mistake != Mistake::ReleaseBeforeNotification {
            self.release();
        }
    }

    /// The worker's thread: runs the goroutine, if it is there already, which completes.
    fn work(&self) {
        self.touch();
        if std::mem::take(&mut *lock(&self.injector)) == 1 {
            let before = self.state.swap(RUNNING, Ordering::AcqRel);
            assert_eq!(before, SCHEDULED, "run twice, or without having been scheduled");
            self.touch();
            self.worker.count_finished();
            self.state.store(COMPLETED, Ordering::Release);
        }
        self.release();
    }

    /// Main's end. If it is too early, the goroutine is left behind, and with it a reference.
    fn exit(&self) {
        let finished = self.worker.finished() + self.outside.finished();
        let spawned = self.worker.spawned() + self.outside.spawned();
        if finished == spawned {
            self.release();
        }
    }
}

fn wakers_against_exit(wakers: usize, preemptions: Option<usize>, mistake: Mistake) {
    explore(preemptions, move || {
        let runtime = Runtime::new(mistake);
        let start = |run: fn(&Runtime)| {
            let runtime = runtime.clone();
            thread::spawn(move || run(&runtime))
        };
        let mut threads = vec![start(Runtime::work)];
        threads.extend((0..wakers).map(|_| start(Runtime::wake)));
        runtime.exit();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_wake_outlives_the_runtime() {
    wakers_against_exit(1, Some(4), Mistake::None);
}

/// One of them may find the goroutine scheduled, running or completed.
#[test]
fn two_wakes_outlive_the_runtime() {
    wakers_against_exit(2, Some(2), Mistake::None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_push_without_a_reference_is_found_out() {
    wakers_against_exit(1, Some(4), Mistake::NoReference);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_reference_taken_after_the_push_is_found_out() {
    wakers_against_exit(1, Some(4), Mistake::ReferenceAfterPush);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_release_before_the_notification_is_found_out() {
    wakers_against_exit(1, Some(4), Mistake::ReleaseBeforeNotification);
}
