//! The reactor: an event wakes the task that waits for it, whoever asks for events, and wherever the
//! others sleep.
//!
//! Beside the twins below, seen to report a deadlock: the first model with a `Source::wait` that does
//! not look at the word again; `the_monitor_looks_when_nobody_else_does` without the call of `watch` in
//! the drop of a `Token`, and without its fence; `a_first_source_calls_the_monitor` without the call of
//! `watch` in `Reactor::add`; `a_push_wakes_the_poller` with a `Parker::send` that never interrupts;
//! `a_source_that_is_added_at_the_end_is_told_or_refused` with a `Table::insert` that does not ask whether
//! the end has come; `the_end_after_a_short_read_is_read` with a `clear_after_short` that clears also then.
//! And `a_poller_that_retires_wakes_whom_it_has_noted` with a `sleep_as_poller` that hands nothing over when
//! it is not told to search.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use loom::thread;

use crate::explore::{explore, quick_or_full};
use crate::idle::parker::{Interrupt, Parker};
use crate::idle::{Idle, Mode};
use crate::primitives::{AtomicBool, Condvar, Mutex, Ordering, lock};
use crate::reactor::source::{Direction, Readiness, Source, Woken};
use crate::reactor::{Driver, Reactor};
use crate::workers::Event;

/// The system.
struct Simulated {
    state: Mutex<Reported>,
    changed: Condvar,
}

#[derive(Default)]
struct Reported {
    events: Vec<(usize, Readiness)>,
    is_interrupted: bool,
}

impl Simulated {
    fn new() -> Arc<Self> {
        Arc::new(Simulated { state: Mutex::new(Reported::default()), changed: Condvar::new() })
    }

    fn report(&self, key: usize) {
        lock(&self.state).events.push((key, Readiness::READABLE));
        self.changed.notify_one();
    }
}

impl Interrupt for Simulated {
    fn interrupt(&self) {
        lock(&self.state).is_interrupted = true;
        self.changed.notify_one();
    }
}

impl Driver for Arc<Simulated> {
    type Registry = ();

    fn wait(&mut self, limit: Option<Duration>, mut event: impl FnMut(usize, Readiness)) {
        let mut state = lock(&self.state);
        while limit.is_none() && state.events.is_empty() && !state.is_interrupted {
            state = self.changed.wait(state).unwrap();
        }
        let reported = std::mem::take(&mut *state);
        drop(state);
        reported.events.into_iter().for_each(|(key, readiness)| event(key, readiness));
    }
}

/// Counts its wakes.
struct Task(Event);

impl Task {
    fn new() -> (Arc<Self>, Waker) {
        let task = Arc::new(Task(Event::new()));
        (task.clone(), Waker::from(task))
    }

    fn is_woken(&self) -> bool {
        self.0.times() > 0
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.happen();
    }
}

// A source.

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// A failed attempt clears the bit, whatever has come since.
    ClearsUnseen,
    /// A short read clears the bit also if the end is known.
    ClearsAtEnd,
    /// The monitor does not look again when it has announced its sleep.
    MonitorSleepsWithoutLook,
    /// A poller that must not run on keeps to itself whom it was to wake.
    NotHandedOver,
}

/// A task reads, while data come.
fn reads(mistake: Mistake) {
    let source = Arc::new(Source::new());
    let has_data = Arc::new(AtomicBool::new(false));
    let system = thread::spawn({
        let (source, has_data) = (source.clone(), has_data.clone());
        move || {
            has_data.store(true, Ordering::Release);
            let mut woken = Vec::new();
            source.notify(Readiness::READABLE, &mut woken);
            woken.into_iter().for_each(|woken| woken.waker.wake());
        }
    });
    let (task, waker) = Task::new();
    let (mut id, mut waits) = (None, 0);
    loop {
        let seen = source.state();
        if seen.is_ready(Direction::Read) {
            if has_data.load(Ordering::Acquire) {
                break;
            }
            let since = if mistake == Mistake::ClearsUnseen { source.state() } else { seen };
            source.clear(Direction::Read, since);
        } else if source.wait(Direction::Read, &mut id, waker.clone(), true).waits {
            waits += 1;
            task.0.wait_for(waits);
        }
    }
    system.join().unwrap();
}

#[test]
fn an_event_between_an_attempt_and_the_wait_is_not_lost() {
    explore(quick_or_full(3, Some(4)), || reads(Mistake::None));
}

#[test]
#[should_panic = "deadlock"]
fn it_would_be_lost_if_an_attempt_cleared_what_it_has_not_seen() {
    explore(Some(4), || reads(Mistake::ClearsUnseen));
}

/// What a peer sends, byte by byte. After the last one it sends nothing any more.
struct Stream {
    state: Mutex<(usize, bool)>,
}

impl Stream {
    fn send(&self, is_last: bool) {
        let (bytes, is_over) = &mut *lock(&self.state);
        (*bytes, *is_over) = (*bytes + 1, is_last);
    }

    /// Up to four bytes. `None`: it would block.
    fn read(&self) -> Option<usize> {
        let (bytes, is_over) = &mut *lock(&self.state);
        let read = std::mem::take(bytes);
        (read > 0 || *is_over).then_some(read)
    }
}

/// A task reads two bytes, and to the end if there is one, and clears after each read that is short.
fn reads_short(has_end: bool, mistake: Mistake) {
    let source = Arc::new(Source::new());
    let stream = Arc::new(Stream { state: Mutex::new((0, false)) });
    let system = thread::spawn({
        let (source, stream) = (source.clone(), stream.clone());
        move || {
            for is_last in [false, has_end] {
                stream.send(is_last);
                let readiness = match is_last {
                    true => Readiness::READABLE.with(Readiness::READ_CLOSED),
                    false => Readiness::READABLE,
                };
                let mut woken = Vec::new();
                source.notify(readiness, &mut woken);
                woken.into_iter().for_each(|woken| woken.waker.wake());
            }
        }
    });
    let (task, waker) = Task::new();
    let (mut id, mut waits, mut received) = (None, 0, 0);
    while has_end || received < 2 {
        let seen = source.state();
        if !seen.is_ready(Direction::Read) {
            if source.wait(Direction::Read, &mut id, waker.clone(), true).waits {
                waits += 1;
                task.0.wait_for(waits);
            }
            continue;
        }
        match stream.read() {
            None => source.clear(Direction::Read, seen),
            Some(0) => break,
            Some(read) => {
                received += read;
                match mistake {
                    Mistake::ClearsUnseen => {
                        source.clear_after_short(Direction::Read, source.state());
                    }
                    Mistake::ClearsAtEnd => source.clear(Direction::Read, seen),
                    _ => source.clear_after_short(Direction::Read, seen),
                }
            }
        }
    }
    assert_eq!(received, 2);
    system.join().unwrap();
}

#[test]
fn what_comes_after_a_short_read_is_read() {
    explore(quick_or_full(3, Some(4)), || reads_short(false, Mistake::None));
}

#[test]
fn the_end_after_a_short_read_is_read() {
    explore(quick_or_full(3, Some(4)), || reads_short(true, Mistake::None));
}

#[test]
#[should_panic = "deadlock"]
fn it_would_be_lost_if_a_short_read_cleared_what_it_has_not_seen() {
    explore(Some(4), || reads_short(false, Mistake::ClearsUnseen));
}

#[test]
#[should_panic = "deadlock"]
fn the_end_would_be_lost_if_a_short_read_cleared_it() {
    explore(Some(4), || reads_short(true, Mistake::ClearsAtEnd));
}

#[test]
fn of_two_waiters_one_that_goes_takes_no_event_with_it() {
    explore(Some(3), || {
        let source = Arc::new(Source::new());
        source.clear(Direction::Read, source.state());
        let goes = thread::spawn({
            let source = source.clone();
            move || {
                let mut id = None;
                source.wait(Direction::Read, &mut id, Waker::noop().clone(), true);
                if let Some(id) = id {
                    source.forget(Direction::Read, id);
                }
            }
        });
        let (task, waker) = Task::new();
        let system = thread::spawn({
            let source = source.clone();
            move || {
                let mut woken = Vec::new();
                source.notify(Readiness::READABLE, &mut woken);
                woken.into_iter().for_each(|woken| woken.waker.wake());
            }
        });
        if source.wait(Direction::Read, &mut None, waker, true).waits {
            task.0.wait_for(1);
        }
        goes.join().unwrap();
        system.join().unwrap();
    });
}

// The token.

struct Worker {
    parker: Parker,
}

impl AsRef<Parker> for Worker {
    fn as_ref(&self) -> &Parker {
        &self.parker
    }
}

/// A worker, the monitor, and a task that waits for a source.
struct World {
    idle: Idle<Worker>,
    worker: Arc<Worker>,
    system: Arc<Simulated>,
    reactor: Reactor<Arc<Simulated>>,
    source: Arc<Source>,
    task: Arc<Task>,
    /// Work in the injector, which has a lock.
    pushed: Mutex<bool>,
    /// The worker has announced its sleep.
    asleep: Event,
    mistake: Mistake,
}

impl World {
    fn new(mistake: Mistake) -> Arc<Self> {
        let idle = Idle::new(1, false);
        idle.worker_added();
        let system = Simulated::new();
        let reactor = Reactor::new(system.clone(), (), system.clone());
        let source = Arc::new(Source::new());
        source.clear(Direction::Read, source.state());
        let (task, waker) = Task::new();
        assert!(source.wait(Direction::Read, &mut None, waker, true).waits);
        let worker = Arc::new(Worker { parker: Parker::new() });
        let pushed = Mutex::new(false);
        let asleep = Event::new();
        Arc::new(World { idle, worker, system, reactor, source, task, pushed, asleep, mistake })
    }

    fn add_source(&self) -> usize {
        self.reactor.add(self.source.clone(), &self.idle).unwrap()
    }

    fn push(&self) {
        *lock(&self.pushed) = true;
        self.idle.notify();
    }

    /// As exit does.
    fn end(&self) {
        self.idle.keep_all();
        *lock(&self.pushed) = true;
        self.idle.notify_all();
    }

    fn has_pushed(&self) -> bool {
        *lock(&self.pushed)
    }

    /// Returns whether it had the token.
    fn look(&self) -> bool {
        let Some(mut token) = self.reactor.try_token(&self.idle) else { return false };
        let mut woken = Vec::new();
        token.wait(Some(Duration::ZERO), &mut woken);
        drop(token);
        woken.into_iter().for_each(|woken| woken.waker.wake());
        true
    }

    /// As a worker's search, until `done`, or until the worker must retire.
    fn search_until(&self, done: impl Fn() -> bool) {
        let mut mode = Mode::Searching;
        assert!(self.idle.begin_search());
        loop {
            if mode == Mode::Searching && self.reactor.has_sources() {
                self.look();
            }
            if done() {
                _ = self.idle.end_search();
                return;
            }
            let token = match self.reactor.has_sources() {
                true => self.reactor.try_token(&self.idle),
                false => None,
            };
            let woken = RefCell::new(Vec::<Woken>::new());
            let must_stay_awake = || {
                self.asleep.happen();
                self.has_pushed()
            };
            let wake_all = || woken.take().into_iter().for_each(|woken| woken.waker.wake());
            let may_go_on = match token {
                Some(token) => {
                    let hand_over = || match self.mistake {
                        Mistake::NotHandedOver => woken.take().clear(),
                        _ => wake_all(),
                    };
                    let poll = |parker: &Parker| {
                        let mut token = token;
                        token.sleep(parker, &mut woken.borrow_mut())
                    };
                    self.idle.sleep_as_poller(&self.worker, mode, must_stay_awake, poll, hand_over)
                }
                None => self.idle.sleep(&self.worker, mode, must_stay_awake),
            };
            if !may_go_on {
                return assert!(woken.take().is_empty(), "it would run them");
            }
            wake_all();
            mode = Mode::Searching;
        }
    }

    /// As the monitor, until the task has been woken.
    fn monitor(&self) {
        let mut looks = self.reactor.looks();
        while !self.task.is_woken() {
            if self.reactor.has_sources() {
                let nobody_has = looks == self.reactor.looks();
                let has = self.look();
                if has && nobody_has {
                    self.idle.wake_poller();
                }
                looks = self.reactor.looks();
            }
            self.idle.announce_monitor_sleep();
            let looks_again = self.mistake != Mistake::MonitorSleepsWithoutLook;
            if looks_again && self.reactor.needs_monitor() {
                self.idle.cancel_monitor_sleep();
                thread::yield_now();
            } else if !self.task.is_woken() {
                self.idle.park_monitor(None);
            }
        }
    }
}

#[test]
fn an_event_wakes_the_poller() {
    explore(quick_or_full(2, Some(3)), || {
        let world = World::new(Mistake::None);
        let key = world.add_source();
        let worker = thread::spawn({
            let world = world.clone();
            move || world.search_until(|| world.task.is_woken())
        });
        world.system.report(key);
        worker.join().unwrap();
    });
}

#[test]
fn a_push_wakes_the_poller() {
    explore(quick_or_full(2, Some(3)), || {
        let world = World::new(Mistake::None);
        world.add_source();
        let worker = thread::spawn({
            let world = world.clone();
            move || world.search_until(|| world.has_pushed())
        });
        world.push();
        worker.join().unwrap();
    });
}

/// A worker looks in passing, and then computes for ever: it is the monitor that has to see the event.
fn left_to_the_monitor() {
    let world = World::new(Mistake::None);
    let key = world.add_source();
    let worker = thread::spawn({
        let world = world.clone();
        move || _ = world.look()
    });
    let monitor = thread::spawn({
        let world = world.clone();
        move || world.monitor()
    });
    worker.join().unwrap();
    world.system.report(key);
    monitor.join().unwrap();
}

#[test]
fn the_monitor_looks_when_nobody_else_does() {
    explore(quick_or_full(2, Some(3)), left_to_the_monitor);
}

/// The worker sleeps on its parker, and the monitor sleeps, when the first source comes.
fn first_source(mistake: Mistake) {
    let world = World::new(mistake);
    let monitor = thread::spawn({
        let world = world.clone();
        move || world.monitor()
    });
    let key = world.add_source();
    world.system.report(key);
    monitor.join().unwrap();
}

#[test]
fn a_first_source_calls_the_monitor() {
    explore(Some(3), || first_source(Mistake::None));
}

#[test]
#[should_panic = "deadlock"]
fn a_first_source_would_be_left_alone_if_the_monitor_went_to_sleep_at_once() {
    explore(Some(3), || first_source(Mistake::MonitorSleepsWithoutLook));
}

/// Whoever waits for a socket that is added while the runtime ends is told, or the socket refused.
#[test]
fn a_source_that_is_added_at_the_end_is_told_or_refused() {
    explore(Some(3), || {
        let world = World::new(Mistake::None);
        let ends = thread::spawn({
            let world = world.clone();
            move || world.reactor.end().into_iter().for_each(|woken| woken.waker.wake())
        });
        let source = Arc::new(Source::new());
        source.clear(Direction::Read, source.state());
        if world.reactor.add(source.clone(), &world.idle).is_some() {
            let (task, waker) = Task::new();
            if source.wait(Direction::Read, &mut None, waker, true).waits {
                task.0.wait_for(1);
            }
            assert!(source.state().has_ended());
        }
        ends.join().unwrap();
        assert!(!world.reactor.has_sources());
    });
}

/// A worker that sleeps on its parker is woken, and becomes the poller.
#[test]
fn a_sleeper_becomes_the_poller() {
    explore(quick_or_full(1, Some(2)), || {
        let world = World::new(Mistake::None);
        let worker = thread::spawn({
            let world = world.clone();
            move || world.search_until(|| world.task.is_woken())
        });
        world.asleep.wait_for(1);
        let key = world.add_source();
        // As the monitor does, which has found that nobody looks.
        world.idle.wake_poller();
        world.asleep.wait_for(2);
        world.system.report(key);
        worker.join().unwrap();
    });
}

/// A worker comes back from a call that blocks, so that the poller, if it sleeps, becomes a spare, which
/// perhaps must retire. Meanwhile there is an event.
fn poller_becomes_a_spare(must_retire: bool, mistake: Mistake) {
    let world = World::new(mistake);
    world.idle.worker_added();
    let returning = Parker::new();
    world.idle.block(&returning);
    let key = world.add_source();
    let poller = thread::spawn({
        let world = world.clone();
        move || world.search_until(|| world.task.is_woken())
    });
    let monitor = thread::spawn({
        let world = world.clone();
        move || world.monitor()
    });
    world.asleep.wait_for(1);
    world.system.report(key);
    world.idle.unblock(&returning, false);
    if must_retire {
        (0..2).for_each(|_| world.idle.retire_spares());
    }
    world.task.0.wait_for(1);
    world.end();
    poller.join().unwrap();
    monitor.join().unwrap();
}

#[test]
fn a_poller_that_becomes_a_spare_wakes_whom_it_has_noted() {
    explore(Some(1), || poller_becomes_a_spare(false, Mistake::None));
}

/// The monitor looks for its event for ever.
#[test]
#[should_panic = "exceeded maximum number of branches"]
fn they_would_not_be_woken_if_a_spare_kept_them() {
    explore(Some(2), || poller_becomes_a_spare(false, Mistake::NotHandedOver));
}

#[test]
fn a_poller_that_retires_wakes_whom_it_has_noted() {
    explore(Some(1), || poller_becomes_a_spare(true, Mistake::None));
}

/// The monitor looks for its event for ever.
#[test]
#[should_panic = "exceeded maximum number of branches"]
fn they_would_not_be_woken_if_one_that_retires_kept_them() {
    explore(Some(2), || poller_becomes_a_spare(true, Mistake::NotHandedOver));
}
