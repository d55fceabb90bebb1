//! The check for deadlocks: what it calls one never moves again, and it is made when the last falls asleep.

use std::sync::Arc;

use loom::thread;

use crate::deadlock_check::{Sleeps, World, check};
use crate::doubt::Doubt;
use crate::explore::{explore, quick_or_full};
use crate::idle::parker::Parker;
use crate::idle::{Idle, Mode};
use crate::main_sleep::MainSleep;
use crate::primitives::{AtomicBool, AtomicUsize, Condvar, Mutex, Ordering, lock};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// Nobody asks who else is there.
    OutsidersIgnored,
    /// Nor whether anything is pending; or only before the question about outsiders.
    PendingIgnored,
    PendingAskedBefore,
    /// It is not compared how often they have fallen asleep.
    SleepsNotCompared,
    /// A poller does not say that it has events.
    EventsNotNoted,
    /// Main does not look whether it is the last to fall asleep; or before it has noted its sleep.
    MainSaysNothing,
    MainLooksFirst,
    /// The monitor asks for main before it asks for the workers.
    MainAskedFirst,
    /// The monitor says that it wants to know when it has checked.
    WantedAfterwards,
    /// It is not asked whether the monitor sleeps.
    MonitorIgnored,
}

/// A runtime with a worker or none, and main.
struct Runtime {
    idle: Idle<Parker>,
    main_sleep: MainSleep<Driver>,
    driver: Arc<Driver>,
    /// Tasks in a queue.
    queue: AtomicUsize,
    /// Tasks that wait for a socket.
    waiters: Mutex<usize>,
    worker: Option<Arc<Parker>>,
    /// The threads of the process.
    threads: AtomicUsize,
    is_deadlocked: AtomicBool,
    has_ended: AtomicBool,
    /// Otherwise by the monitor.
    is_asked_by_main: bool,
    mistake: Mistake,
    times_asked: AtomicUsize,
}

/// What main's thread drives.
struct Driver {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

struct Asked<'a>(&'a Runtime);

impl World for Asked<'_> {
    fn asleep(&self) -> Result<Sleeps, Doubt> {
        let Asked(runtime) = self;
        if runtime.mistake == Mistake::MainAskedFirst {
            runtime.main_sleep.count().ok_or(Doubt::Moves)?;
        }
        let rest = runtime.idle.rest().map_err(|_| Doubt::Moves)?;
        let of_main = runtime.main_sleep.count().ok_or(Doubt::Moves)?;
        let of_monitor =
            match runtime.is_asked_by_main && runtime.mistake != Mistake::MonitorIgnored {
                true => runtime.idle.monitor_sleeps().ok_or(Doubt::Moves)?,
                false => 0,
            };
        let mut sleeps = Sleeps {
            of_workers: rest.sleeps,
            of_main,
            of_monitor,
            threads: rest.workers + 1,
            spares: 0,
        };
        if runtime.mistake == Mistake::SleepsNotCompared {
            (sleeps.of_workers, sleeps.of_main) = (0, 0);
        }
        Ok(sleeps)
    }

    fn outsider(&self, threads: usize) -> Option<Doubt> {
        let others = self.0.threads.load(Ordering::Acquire) - threads;
        (others > 0 && self.0.mistake != Mistake::OutsidersIgnored)
            .then_some(Doubt::Threads(others))
    }

    fn pending(&self) -> Option<Doubt> {
        let Asked(runtime) = self;
        let times = runtime.times_asked.fetch_add(1, Ordering::Relaxed);
        match runtime.mistake {
            Mistake::PendingIgnored => return None,
            Mistake::PendingAskedBefore if times % 2 == 1 => return None,
            _ => {}
        }
        let waits = *lock(&runtime.waiters) > 0;
        let has_events = runtime.worker.as_ref().is_some_and(|worker| worker.has_events());
        let is_main_woken = !runtime.main_sleep.sleeps_on(|driver| *lock(&driver.is_woken));
        let moves =
            waits || has_events || is_main_woken || runtime.queue.load(Ordering::Acquire) > 0;
        moves.then_some(Doubt::Moves)
    }
}

impl Runtime {
    /// Main and the worker, if there is one, are awake.
    fn new(has_worker: bool, outsiders: usize, mistake: Mistake) -> Arc<Self> {
        let runtime = Runtime {
            idle: Idle::new(1, false),
            main_sleep: MainSleep::new(),
            driver: Arc::new(Driver { is_woken: Mutex::new(false), changed: Condvar::new() }),
            queue: AtomicUsize::new(0),
            waiters: Mutex::new(0),
            worker: has_worker.then(|| Arc::new(Parker::new())),
            threads: AtomicUsize::new(1 + usize::from(has_worker) + outsiders),
            is_deadlocked: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            is_asked_by_main: false,
            mistake,
            times_asked: AtomicUsize::new(0),
        };
        if has_worker {
            runtime.idle.worker_added();
        }
        Arc::new(runtime)
    }

    /// Code of the user's runs.
    fn poll(&self) {
        assert!(!self.is_deadlocked.load(Ordering::SeqCst), "a deadlock has moved");
    }

    /// Any thread may call these two.
    fn push(&self) {
        self.queue.fetch_add(1, Ordering::SeqCst);
        self.idle.notify();
    }

    fn wake_main(&self) {
        *lock(&self.driver.is_woken) = true;
        self.driver.changed.notify_one();
    }

    /// An outsider ends.
    fn count_out(&self) {
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    /// Main sleeps until it is woken. `false`: the model is over.
    fn sleep_as_main(&self) -> bool {
        if self.mistake == Mistake::MainLooksFirst {
            self.idle.note_main_sleep();
        }
        self.main_sleep.begin(&self.driver);
        if !matches!(self.mistake, Mistake::MainSaysNothing | Mistake::MainLooksFirst) {
            self.idle.note_main_sleep();
        }
        let mut is_woken = lock(&self.driver.is_woken);
        while !*is_woken {
            is_woken = self.driver.changed.wait(is_woken).unwrap();
        }
        drop(is_woken);
        // It is woken until it runs.
        self.main_sleep.end();
        *lock(&self.driver.is_woken) = false;
        !self.has_ended.load(Ordering::SeqCst)
    }

    /// The worker's loop.
    fn work(&self) {
        let me = self.worker.as_ref().unwrap();
        loop {
            let has_task = || self.queue.load(Ordering::SeqCst) > 0;
            let must_stay_awake = || has_task() || self.has_ended.load(Ordering::SeqCst);
            self.idle.sleep(me, Mode::Waiting, must_stay_awake);
            let _ = self.idle.end_search();
            while has_task() {
                self.queue.fetch_sub(1, Ordering::SeqCst);
                self.poll();
            }
            if self.has_ended.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn check(&self) -> Result<(), Doubt> {
        let checked = check(&Asked(self));
        if checked.is_ok() {
            self.is_deadlocked.store(true, Ordering::SeqCst);
        }
        checked
    }

    /// Whoever sleeps wakes up, and ends.
    fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.idle.notify_all();
        self.wake_main();
    }
}

/// An outsider wakes main, or makes a task, and ends.
fn an_outsider_acts(wakes_main: bool, mistake: Mistake) {
    let runtime = Runtime::new(!wakes_main, 1, mistake);
    let worker = runtime.worker.is_some().then(|| {
        let runtime = runtime.clone();
        thread::spawn(move || runtime.work())
    });
    let main = thread::spawn({
        let runtime = runtime.clone();
        move || {
            while runtime.sleep_as_main() {
                runtime.poll();
            }
        }
    });
    let outsider = thread::spawn({
        let runtime = runtime.clone();
        move || {
            if wakes_main {
                runtime.wake_main()
            } else {
                runtime.push()
            }
            runtime.count_out();
        }
    });
    let _ = runtime.check();
    // What it does now would be too late.
    outsider.join().unwrap();
    runtime.end();
    main.join().unwrap();
    worker.into_iter().for_each(|worker| worker.join().unwrap());
}

/// An outsider wakes main and ends. Main starts another one, which does the same.
fn an_outsider_is_made(mistake: Mistake) {
    let runtime = Runtime::new(false, 1, mistake);
    let main = thread::spawn({
        let runtime = runtime.clone();
        move || {
            let mut other = None;
            while runtime.sleep_as_main() {
                runtime.poll();
                if other.is_none() {
                    runtime.threads.fetch_add(1, Ordering::SeqCst);
                    let runtime = runtime.clone();
                    other = Some(thread::spawn(move || {
                        runtime.wake_main();
                        runtime.count_out();
                    }));
                }
            }
            other.into_iter().for_each(|other| other.join().unwrap());
        }
    });
    let outsider = thread::spawn({
        let runtime = runtime.clone();
        move || {
            runtime.wake_main();
            runtime.count_out();
        }
    });
    let _ = runtime.check();
    outsider.join().unwrap();
    if !runtime.is_deadlocked.load(Ordering::SeqCst) {
        // As if the model was over: what is polled from now on is no mistake.
        runtime.end();
    } else {
        while runtime.threads.load(Ordering::SeqCst) > 1 {
            thread::yield_now();
        }
        runtime.end();
    }
    main.join().unwrap();
}

/// A task waits for a socket, which gets ready while the worker sleeps as the poller.
fn an_event_comes(mistake: Mistake) {
    let runtime = Runtime::new(true, 0, mistake);
    *lock(&runtime.waiters) = 1;
    let worker = thread::spawn({
        let runtime = runtime.clone();
        move || {
            let me = runtime.worker.as_ref().unwrap();
            let poll = |parker: &Parker| {
                if runtime.mistake != Mistake::EventsNotNoted {
                    parker.note_events();
                }
                *lock(&runtime.waiters) -= 1;
                false
            };
            assert!(runtime.idle.sleep_as_poller(me, Mode::Waiting, || false, poll, || {}));
            me.clear_events();
            runtime.poll();
        }
    });
    runtime.main_sleep.begin(&runtime.driver);
    let _ = runtime.check();
    worker.join().unwrap();
}

/// At the end of main: a task waits for a socket, which gets ready while the worker sleeps. The monitor asks the
/// system, and pushes the task.
fn the_monitor_has_an_event(mistake: Mistake) {
    let mut runtime = Runtime::new(true, 0, mistake);
    let new = Arc::get_mut(&mut runtime).unwrap();
    new.is_asked_by_main = true;
    *lock(&new.waiters) = 1;
    let worker = thread::spawn({
        let runtime = runtime.clone();
        move || runtime.work()
    });
    let monitor = thread::spawn({
        let runtime = runtime.clone();
        move || {
            // As `worker_added` has woken it.
            runtime.idle.park_monitor(None);
            *lock(&runtime.waiters) = 0;
            runtime.push();
            runtime.idle.park_monitor(None);
        }
    });
    runtime.main_sleep.begin(&runtime.driver);
    let _ = runtime.check();
    // Until the first sleep of the monitor has ended: `end` ends one.
    while *lock(&runtime.waiters) > 0 {
        thread::yield_now();
    }
    runtime.end();
    monitor.join().unwrap();
    worker.join().unwrap();
}

/// Main and the worker fall asleep. The monitor ends when it has found the deadlock.
fn a_deadlock_is_found(mistake: Mistake) {
    let runtime = Runtime::new(true, 0, mistake);
    let worker = thread::spawn({
        let runtime = runtime.clone();
        move || runtime.work()
    });
    let main = thread::spawn({
        let runtime = runtime.clone();
        move || while runtime.sleep_as_main() {}
    });
    // As `worker_added` has woken it.
    runtime.idle.park_monitor(None);
    loop {
        if mistake != Mistake::WantedAfterwards {
            runtime.idle.want_rest();
        }
        if runtime.check().is_ok() {
            break;
        }
        if mistake == Mistake::WantedAfterwards {
            runtime.idle.want_rest();
        }
        runtime.idle.park_monitor(None);
    }
    runtime.end();
    main.join().unwrap();
    worker.join().unwrap();
}

#[test]
fn what_an_outsider_wakes_is_no_deadlock() {
    explore(Some(3), || an_outsider_acts(true, Mistake::None));
}

#[test]
fn what_an_outsider_makes_is_no_deadlock() {
    explore(quick_or_full(1, Some(2)), || an_outsider_acts(false, Mistake::None));
}

#[test]
#[should_panic(expected = "a deadlock has moved")]
fn an_outsider_that_is_not_asked_for_is_found_out() {
    explore(Some(3), || an_outsider_acts(true, Mistake::OutsidersIgnored));
}

#[test]
#[should_panic(expected = "a deadlock has moved")]
fn a_wake_that_is_not_asked_for_is_found_out() {
    explore(Some(3), || an_outsider_acts(true, Mistake::PendingIgnored));
}

#[test]
#[should_panic(expected = "a deadlock has moved")]
fn a_wake_that_is_asked_for_too_soon_is_found_out() {
    explore(Some(3), || an_outsider_acts(true, Mistake::PendingAskedBefore));
}

#[test]
fn an_outsider_that_main_makes_is_seen() {
    explore(quick_or_full(2, Some(3)), || an_outsider_is_made(Mistake::None));
}

#[test]
#[should_panic(expected = "a deadlock has moved")]
fn sleeps_that_are_not_compared_are_found_out() {
    explore(Some(3), || an_outsider_is_made(Mistake::SleepsNotCompared));
}

#[test]
fn an_event_that_comes_is_seen() {
    explore(None, || an_event_comes(Mistake::None));
}

#[test]
#[should_panic(expected = "a deadlock has moved")]
fn an_event_that_is_not_noted_is_found_out() {
    explore(None, || an_event_comes(Mistake::EventsNotNoted));
}

#[test]
fn an_event_that_the_monitor_has_is_seen() {
    explore(quick_or_full(2, Some(3)), || the_monitor_has_an_event(Mistake::None));
}

#[test]
#[should_panic(expected = "a deadlock has moved")]
fn a_monitor_that_is_not_asked_for_is_found_out() {
    explore(Some(3), || the_monitor_has_an_event(Mistake::MonitorIgnored));
}

#[test]
fn the_last_to_fall_asleep_notifies_the_monitor() {
    explore(quick_or_full(2, Some(3)), || a_deadlock_is_found(Mistake::None));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_main_that_says_nothing_is_found_out() {
    explore(Some(3), || a_deadlock_is_found(Mistake::MainSaysNothing));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_main_that_looks_first_is_found_out() {
    explore(Some(3), || a_deadlock_is_found(Mistake::MainLooksFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_main_that_is_asked_first_is_found_out() {
    explore(Some(3), || a_deadlock_is_found(Mistake::MainAskedFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wish_after_the_check_is_found_out() {
    explore(Some(3), || a_deadlock_is_found(Mistake::WantedAfterwards));
}
