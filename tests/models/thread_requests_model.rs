//! What others request of the monitor: it misses none, a thread that is about to start is counted, each
//! waker is called once, also at the end, and a refusal is reported once.
//!
//! The monitor here is the loop of `monitor/mod.rs` around the shipped `thread_requests.rs` and
//! `idle/`. It is quicker than a thread to start one: in its place it counts the worker, or calls the
//! wakers. Whoever waits for a request that is missed waits for ever: a deadlock.
//!
//! Seen to find, in `thread_requests.rs` and `availability.rs`:
//!
//! - `add_cover` or `take_covers` as a load and a store, and `to_start` without the cover for the next
//!   time: a deadlock in `one_cover_comes_for_a_worker_that_is_back`; the first two also in
//!   `the_monitor_misses_no_request`.
//! - `to_start` that starts what is wanted: "too many have been started".
//! - `exit_worker_started` as a store of zero: "an exit worker is not counted".
//! - `note_refusal` as a load and a store, `take_refusal` that leaves what it has taken: "2 reports".
//! - `take_wakes` that leaves what it has taken: "called 3 times".
//! - `add_wakes` that replaces what is there, or forgets what comes too late, as it once did; `end_wakes`
//!   that leaves a list behind: "called 0 times".

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Wake, Waker};

use loom::thread::{self, JoinHandle};

use crate::explore::explore;
use crate::idle::Idle;
use crate::idle::parker::Parker;
use crate::primitives::{AtomicBool, Ordering};
use crate::thread_requests::ThreadRequests;

/// A step left out, or taken at the wrong time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// Whoever requests signals first.
    SignalBeforeNote,
    /// The monitor starts one cover for each signal.
    OneCoverForEachSignal,
    /// It counts an exit worker as started before it counts it as a worker.
    StartedBeforeCounted,
    /// Exit looks at the workers before it looks at the requests.
    WorkersReadFirst,
    /// The monitor does not look again when the phase is *ended*.
    NoLastLook,
    /// Who brings wakers too late forgets them.
    RefusedWakesForgotten,
    /// So does the monitor if no thread could be started.
    ReturnedWakesForgotten,
    /// Main forgets those that are left.
    LeftWakesForgotten,
}

/// Its workers are no more than this: they do not sleep.
impl AsRef<Parker> for Parker {
    fn as_ref(&self) -> &Parker {
        self
    }
}

struct World {
    idle: Idle<Parker>,
    requests: ThreadRequests,
    has_ended: AtomicBool,
    /// The system starts threads.
    grants: bool,
    reports: AtomicUsize,
    mistake: Mistake,
}

impl World {
    /// With workers that are awake.
    fn new(workers: usize, mistake: Mistake) -> World {
        let idle = Idle::new(workers, false);
        (0..workers).for_each(|_| idle.worker_added());
        World {
            idle,
            requests: ThreadRequests::new(),
            has_ended: AtomicBool::new(false),
            grants: true,
            reports: AtomicUsize::new(0),
            mistake,
        }
    }

    /// By any thread.
    fn request<R>(&self, note: impl FnOnce(&ThreadRequests) -> R) -> R {
        if self.mistake == Mistake::SignalBeforeNote {
            self.idle.notify_monitor();
            return note(&self.requests);
        }
        let noted = note(&self.requests);
        self.idle.notify_monitor();
        noted
    }

    /// `Scheduler::request_wakes`.
    fn request_wakes(&self, wakers: Vec<Waker>) {
        match self.requests.add_wakes(wakers) {
            Ok(()) => self.idle.notify_monitor(),
            Err(_) if self.mistake == Mistake::RefusedWakesForgotten => {}
            Err(wakers) => self.wake_elsewhere(wakers),
        }
    }

    /// By a worker, or the monitor: the system, or the limit, has refused a thread.
    fn note_refusal(&self, why: &str) -> bool {
        !self.has_ended() && self.requests.note_refusal(&io::Error::other(why))
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    // Main.

    fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.idle.notify_monitor();
    }

    /// `ThreadRequests::deliver_wakes`. Returns how many wakers main has to call.
    fn deliver_wakes(&self) -> usize {
        let left = self.requests.end_wakes();
        let count = left.len();
        if self.mistake != Mistake::LeftWakesForgotten {
            left.into_iter().for_each(Waker::wake);
        }
        count
    }

    // The monitor.

    fn start_monitor(self: &Arc<Self>) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || world.run_monitor())
    }

    /// As if a timer had been set.
    fn wake_monitor(&self) {
        self.idle.notify_monitor();
    }

    /// `Monitor::run`.
    fn run_monitor(&self) {
        loop {
            self.idle.park_monitor(None);
            self.serve();
            if self.has_ended() {
                if self.mistake != Mistake::NoLastLook {
                    self.serve();
                }
                return;
            }
        }
    }

    /// `Monitor::serve`.
    fn serve(&self) {
        self.start_exit_workers();
        self.report_noted_refusal();
        let wakers = self.requests.take_wakes();
        if !wakers.is_empty() {
            self.wake_elsewhere(wakers);
        }
    }

    fn start_exit_workers(&self) {
        while !self.has_ended() && self.requests.exit_workers() > 0 {
            if self.mistake == Mistake::StartedBeforeCounted {
                self.requests.exit_worker_started();
                self.idle.worker_added();
            } else {
                self.idle.worker_added();
                self.requests.exit_worker_started();
            }
        }
    }

    /// Returns how many it has started.
    fn start_covers(&self) -> usize {
        let requested = self.requests.take_covers();
        let requested = match self.mistake {
            Mistake::OneCoverForEachSignal => requested.min(1),
            _ => requested,
        };
        let missing = if requested > 0 { self.idle.to_start(requested) } else { 0 };
        (0..missing).for_each(|_| self.idle.worker_added());
        missing
    }

    /// `Monitor::start_cover`, which the system refuses.
    fn be_refused(&self) {
        self.note_refusal("by the system");
        self.report_noted_refusal();
    }

    fn report_noted_refusal(&self) {
        let reports = usize::from(self.requests.take_refusal().is_some());
        self.reports.fetch_add(reports, Relaxed);
    }

    /// `ThreadRequests::wake_elsewhere`, with `requeue_wakes`.
    fn wake_elsewhere(&self, wakers: Vec<Waker>) {
        if self.grants {
            wakers.into_iter().for_each(Waker::wake);
        } else if let Err(wakers) = self.requests.add_wakes(wakers)
            && self.mistake != Mistake::ReturnedWakesForgotten
        {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

/// Counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Calls {
    fn new() -> (Arc<Self>, Vec<Waker>) {
        let calls = Arc::<Calls>::default();
        (calls.clone(), vec![Waker::from(calls)])
    }

    #[track_caller]
    fn assert_one(&self) {
        let count = self.0.load(Relaxed);
        assert!(count == 1, "a waker was called {count} times");
    }
}

/// Two workers block for ever, and each waits for a cover, which the monitor starts. It receives one
/// signal, or two.
fn two_workers_block(mistake: Mistake) {
    explore(Some(3), move || {
        let world = Arc::new(World::new(2, mistake));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || {
                    assert!(world.idle.block(&Parker::new()) > 0);
                    world.request(ThreadRequests::add_cover);
                })
            })
            .collect();
        let mut started = 0;
        while started < 2 {
            world.idle.park_monitor(None);
            started += world.start_covers();
        }
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        // Both that are away, and their covers.
        assert_eq!(world.idle.working(), 4);
    });
}

/// Two threads have wakers called, and one of them requests an exit worker. Nothing ends.
fn two_threads_request(mistake: Mistake) {
    explore(Some(3), move || {
        let world = Arc::new(World::new(0, mistake));
        let threads: Vec<_> = [false, true]
            .into_iter()
            .map(|requests_an_exit_worker| {
                let world = world.clone();
                thread::spawn(move || {
                    let (calls, wakers) = Calls::new();
                    world.request(|requests| requests.add_wakes(wakers)).unwrap();
                    if requests_an_exit_worker {
                        world.request(ThreadRequests::add_exit_worker);
                    }
                    calls
                })
            })
            .collect();
        let mut called = 0;
        while called < 2 || world.idle.working() == 0 {
            world.idle.park_monitor(None);
            world.start_exit_workers();
            let wakers = world.requests.take_wakes();
            called += wakers.len();
            wakers.into_iter().for_each(Waker::wake);
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap().assert_one());
    });
}

#[test]
fn the_monitor_misses_no_request() {
    two_workers_block(Mistake::None);
    two_threads_request(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_signal_before_the_note_is_found_out() {
    two_threads_request(Mistake::SignalBeforeNote);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_cover_signalled_before_its_note_is_found_out() {
    two_workers_block(Mistake::SignalBeforeNote);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_monitor_counting_signals_is_found_out() {
    two_workers_block(Mistake::OneCoverForEachSignal);
}

/// A worker blocks and comes back. The monitor starts one cover, in time for this wait or for the
/// next one.
#[test]
fn one_cover_comes_for_a_worker_that_is_back() {
    explore(Some(3), || {
        let world = Arc::new(World::new(1, Mistake::None));
        let worker = thread::spawn({
            let world = world.clone();
            move || {
                let parker = Parker::new();
                for _ in 0..2 {
                    if world.idle.block(&parker) > 0 {
                        world.request(ThreadRequests::add_cover);
                    }
                    world.idle.unblock(&parker, false);
                }
            }
        });
        while world.start_covers() == 0 {
            world.idle.park_monitor(None);
        }
        worker.join().unwrap();
        assert_eq!(world.start_covers(), 0, "there is one already");
        assert_eq!(world.idle.working(), 2, "too many have been started");
    });
}

/// Exit requests two exit workers, and looks whether they help: each counts from the request on, and
/// while it starts.
fn two_exit_workers_start(mistake: Mistake) {
    explore(Some(3), move || {
        let world = Arc::new(World::new(0, mistake));
        let monitor = world.start_monitor();
        world.request(ThreadRequests::add_exit_worker);
        world.request(ThreadRequests::add_exit_worker);
        // `Scheduler::observe`.
        let (starting, working) = match mistake {
            Mistake::WorkersReadFirst => {
                let working = world.idle.working();
                (world.requests.exit_workers(), working)
            }
            _ => (world.requests.exit_workers(), world.idle.working()),
        };
        assert!(starting + working >= 2, "an exit worker is not counted");
        world.end();
        monitor.join().unwrap();
    });
}

#[test]
fn an_exit_worker_that_starts_is_counted() {
    two_exit_workers_start(Mistake::None);
}

#[test]
#[should_panic(expected = "an exit worker is not counted")]
fn an_exit_worker_counted_too_late_is_found_out() {
    two_exit_workers_start(Mistake::StartedBeforeCounted);
}

#[test]
#[should_panic(expected = "an exit worker is not counted")]
fn an_exit_worker_looked_for_too_late_is_found_out() {
    two_exit_workers_start(Mistake::WorkersReadFirst);
}

/// What main itself requests at the end, it need not do itself.
fn main_requests_wakes(mistake: Mistake) {
    explore(Some(3), move || {
        let world = Arc::new(World::new(0, mistake));
        world.wake_monitor();
        let monitor = world.start_monitor();
        let (calls, wakers) = Calls::new();
        world.request_wakes(wakers);
        world.end();
        monitor.join().unwrap();
        assert_eq!(world.deliver_wakes(), 0, "the monitor has missed a waker");
        calls.assert_one();
    });
}

#[test]
fn the_monitor_takes_what_is_noted_before_the_end() {
    main_requests_wakes(Mistake::None);
}

#[test]
#[should_panic(expected = "the monitor has missed a waker")]
fn a_monitor_without_a_last_look_is_found_out() {
    main_requests_wakes(Mistake::NoLastLook);
}

/// Main and another thread bring a waker each while the runtime ends. Main is `patient` if it waits
/// for the monitor.
fn wakers_at_the_end(grants: bool, patient: bool, mistake: Mistake) {
    explore(Some(3), move || {
        let world = Arc::new(World { grants, ..World::new(0, mistake) });
        let monitor = world.start_monitor();
        let late = thread::spawn({
            let world = world.clone();
            move || {
                let (calls, wakers) = Calls::new();
                world.request_wakes(wakers);
                calls
            }
        });
        let (calls, wakers) = Calls::new();
        world.request_wakes(wakers);
        world.end();
        match patient {
            true => {
                monitor.join().unwrap();
                world.deliver_wakes();
            }
            false => {
                world.deliver_wakes();
                monitor.join().unwrap();
            }
        }
        late.join().unwrap().assert_one();
        calls.assert_one();
    });
}

#[test]
fn each_waker_is_called_once_at_the_end() {
    wakers_at_the_end(true, true, Mistake::None);
}

#[test]
fn each_waker_is_called_once_though_no_thread_can_be_started() {
    wakers_at_the_end(false, true, Mistake::None);
}

#[test]
fn each_waker_is_called_once_though_main_does_not_wait() {
    wakers_at_the_end(true, false, Mistake::None);
    wakers_at_the_end(false, false, Mistake::None);
}

#[test]
#[should_panic(expected = "called 0 times")]
fn wakers_that_come_too_late_and_are_forgotten_are_found_out() {
    wakers_at_the_end(true, true, Mistake::RefusedWakesForgotten);
}

#[test]
#[should_panic(expected = "called 0 times")]
fn wakers_that_come_back_and_are_forgotten_are_found_out() {
    wakers_at_the_end(false, false, Mistake::ReturnedWakesForgotten);
}

#[test]
#[should_panic(expected = "called 0 times")]
fn wakers_that_main_forgets_are_found_out() {
    wakers_at_the_end(false, true, Mistake::LeftWakesForgotten);
}

/// Workers meet the limit, perhaps while the system refuses the monitor a thread; then the runtime
/// ends.
fn several_are_refused(workers: usize, monitor_too: bool, mistake: Mistake) {
    explore(Some(2), move || {
        let world = Arc::new(World::new(0, mistake));
        world.wake_monitor();
        let monitor = thread::spawn({
            let world = world.clone();
            move || {
                if monitor_too {
                    world.be_refused();
                }
                world.run_monitor();
            }
        });
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || {
                    if world.note_refusal("by the limit") {
                        world.idle.notify_monitor();
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        world.end();
        monitor.join().unwrap();
        let reports = world.reports.load(Relaxed);
        assert!(reports == 1, "{reports} reports");
    });
}

#[test]
fn a_refusal_is_reported_once() {
    several_are_refused(2, false, Mistake::None);
    several_are_refused(1, true, Mistake::None);
}

#[test]
#[should_panic(expected = "0 reports")]
fn a_refusal_at_the_end_that_is_not_reported_is_found_out() {
    several_are_refused(1, false, Mistake::NoLastLook);
}
