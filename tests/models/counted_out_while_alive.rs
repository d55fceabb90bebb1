//! The counts: "as many finished as spawned" means that nothing is alive, once exit has begun.
//!
//! Exit stands for one look at the counts; if it finds nothing alive, it writes to memory that
//! goroutines read as long as they live. Loom finds any read that is not over before the write.
//!
//! Seen to report a causality violation with any one of these made Relaxed: the Release in
//! `count_finished`, the Acquire in `finished`, the SeqCst in `count_spawned_outside` and in `spawned`.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::explore::explore;
use crate::live_count::LiveCount;
use crate::primitives::{AtomicBool, Ordering};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// Exit sums up the spawned first.
    SpawnedFirst,
    /// A goroutine that a poll spawns is counted after that poll's own end.
    ChildCountedLate,
    /// An outside spawner looks at the phase, and then counts.
    LookBeforeCounting,
    /// An outside spawner may see an old phase.
    RelaxedPhase,
}

struct Runtime {
    memory: UnsafeCell<()>,
    workers: [LiveCount; 2],
    outside: LiveCount,
    closing: AtomicBool,
    /// A goroutine waits to be run by worker 0, and by worker 1.
    queued: [AtomicBool; 2],
    mistake: Mistake,
}

impl Runtime {
    fn new(mistake: Mistake) -> Arc<Self> {
        let runtime = Runtime {
            memory: UnsafeCell::new(()),
            workers: [LiveCount::new(), LiveCount::new()],
            outside: LiveCount::new(),
            closing: AtomicBool::new(false),
            queued: [AtomicBool::new(false), AtomicBool::new(false)],
            mistake,
        };
        // Loom honours SeqCst among SeqCst stores, so the initial one must be one.
        runtime.closing.store(false, Ordering::SeqCst);
        Arc::new(runtime)
    }

    fn push(&self, worker: usize) {
        self.queued[worker].store(true, Ordering::Release);
    }

    fn pop(&self, worker: usize) -> bool {
        self.queued[worker].load(Ordering::Acquire)
    }

    fn live(&self) {
        self.memory.with(|_| ());
    }

    fn is_closing(&self) -> bool {
        self.closing.load(match self.mistake {
            Mistake::RelaxedPhase => Ordering::Relaxed,
            _ => Ordering::SeqCst,
        })
    }

    /// `Scheduler::count_spawn`, outside of a poll.
    fn count_outside(&self) -> bool {
        if self.mistake == Mistake::LookBeforeCounting {
            let refused = self.is_closing();
            self.outside.count_spawned_outside();
            if refused {
                self.outside.count_refused_outside();
            }
            return !refused;
        }
        self.outside.count_spawned_outside();
        if self.is_closing() {
            self.outside.count_refused_outside();
            return false;
        }
        true
    }

    /// Worker 0 polls a goroutine that spawns another, for worker 1, and completes.
    fn poll_parent(&self) {
        if !self.pop(0) {
            return;
        }
        self.live();
        let spawns = !self.is_closing();
        if spawns {
            if self.mistake == Mistake::ChildCountedLate {
                self.workers[0].count_finished();
            }
            self.workers[0].count_spawned();
            self.push(1);
        }
        if !spawns || self.mistake != Mistake::ChildCountedLate {
            self.workers[0].count_finished();
        }
    }

    /// Worker 1 polls a goroutine that completes.
    fn poll_child(&self) {
        if self.pop(1) {
            self.live();
            self.workers[1].count_finished();
        }
    }

    fn exit(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let all = || self.workers.iter().chain([&self.outside]);
        let finished = || all().map(LiveCount::finished).sum::<u64>();
        let spawned = || all().map(LiveCount::spawned).sum::<u64>();
        let (finished, spawned) = match self.mistake {
            Mistake::SpawnedFirst => {
                let spawned = spawned();
                (finished(), spawned)
            }
            _ => (finished(), spawned()),
        };
        if finished == spawned {
            self.memory.with_mut(|_| ());
        }
    }
}

/// Main spawns a goroutine, which spawns another, which another worker runs; then main ends.
fn a_child_on_another_worker(mistake: Mistake) {
    explore(Some(4), move || {
        let runtime = Runtime::new(mistake);
        let first = thread::spawn({
            let runtime = runtime.clone();
            move || runtime.poll_parent()
        });
        let second = thread::spawn({
            let runtime = runtime.clone();
            move || runtime.poll_child()
        });
        assert!(runtime.count_outside());
        runtime.push(0);
        runtime.exit();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// A thread with a `Handle` spawns while main, which has spawned nothing, ends.
fn a_foreign_spawn(mistake: Mistake) {
    explore(Some(4), move || {
        let runtime = Runtime::new(mistake);
        // As above: makes the first store to the counter a SeqCst one.
        runtime.outside.count_spawned_outside();
        runtime.outside.count_refused_outside();
        let foreign = thread::spawn({
            let runtime = runtime.clone();
            move || {
                if runtime.count_outside() {
                    runtime.live();
                    runtime.push(1);
                }
            }
        });
        let worker = thread::spawn({
            let runtime = runtime.clone();
            move || runtime.poll_child()
        });
        runtime.exit();
        foreign.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_child_on_another_worker_is_counted() {
    a_child_on_another_worker(Mistake::None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn spawned_before_finished_is_found_out() {
    a_child_on_another_worker(Mistake::SpawnedFirst);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_child_counted_late_is_found_out() {
    a_child_on_another_worker(Mistake::ChildCountedLate);
}

#[test]
fn a_foreign_spawn_is_counted_or_refused() {
    a_foreign_spawn(Mistake::None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_look_before_counting_is_found_out() {
    a_foreign_spawn(Mistake::LookBeforeCounting);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_phase_is_found_out() {
    a_foreign_spawn(Mistake::RelaxedPhase);
}
