//! The end of main: its value, and what becomes of the goroutines that are still alive.
//!
//! `cargo test` makes fewer runs of some than their names say; `cargo test --release --test exit`, which
//! CI does, makes them all.

// Main may well return a handle, which is a future, for others to await.
#![allow(clippy::async_yields_async)]

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use futures::{FutureExt, executor};
use gorun::{Builder, Handle, JoinHandle, go};

const MILLISECOND: Duration = Duration::from_millis(1);

/// One worker, as many as the machine has cores, and more.
const WORKERS: [usize; 3] = [1, 2, 16];

fn load(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Acquire)
}

fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

/// Starts one spinner more than there are workers, and returns when every worker spins.
async fn occupy(
    workers: usize,
    polls: &Arc<AtomicUsize>,
    stop: &Arc<AtomicBool>,
    drops: &Arc<Drops>,
) {
    for index in 0..=workers {
        let mut spinner = spinner(polls, stop, drops.probe(index));
        spinner.suspends_first = index % 2 == 0;
        gorun::spawn(spinner);
    }
    yield_until(|| load(polls) >= workers).await;
}

// Main.

#[test]
fn main_may_borrow_need_not_be_send_and_stays_on_its_thread() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let borrowed = String::from("borrowed");
        let unsendable = Rc::new(Cell::new(0));
        let here = thread::current().id();
        let value = patient(workers).block_on(async {
            for round in 1..=100 {
                let woken = gorun::spawn(async move { round }).await.unwrap();
                assert_eq!(thread::current().id(), here);
                unsendable.set(unsendable.get() + woken);
            }
            (&borrowed, Rc::clone(&unsendable))
        });
        let (returned, sum) = value.unwrap();
        assert_eq!((returned.as_str(), sum.get()), ("borrowed", 5050));
    }
}

#[test]
fn main_runs_on_while_every_worker_spins() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (polls, stop, drops) = (counter(), flag(), Drops::new(workers + 1));
        patient(workers)
            .block_on(async {
                occupy(workers, &polls, &stop, &drops).await;
                for round in 0..20 {
                    let (sender, receiver) = futures::channel::oneshot::channel();
                    let foreign = thread::spawn(move || sender.send(round));
                    assert_eq!(receiver.await, Ok(round));
                    foreign.join().unwrap().unwrap();
                    gorun::yield_now().await;
                }
                assert_eq!(drops.dropped(), 0);
                stop.store(true, Ordering::Release);
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
    }
}

// The process ends. Each scenario runs in a process of its own, which would live for an hour.

const EXIT_CODE: i32 = 42;
const MAIN_RETURNS: &str = "main returns";

#[test]
fn child() {
    let Some(scenario) = scenario() else { return };
    if scenario == "ten_thousand_runs" {
        return ten_thousand_runs();
    }
    let code = gorun::block_on(async {
        child_main(&scenario).await;
        println!("{MAIN_RETURNS}");
        EXIT_CODE
    });
    std::process::exit(code);
}

async fn child_main(scenario: &str) {
    let workers = match std::env::var("GORUN_WORKER_THREADS") {
        Ok(workers) => workers.parse().unwrap(),
        Err(_) => thread::available_parallelism().unwrap().get(),
    };
    match scenario {
        "parked" => park(10_000).await,
        "spinning" => spin_for_ever(workers).await,
        "asleep" => {
            let polls = counter();
            let asleep = polls.clone();
            gorun::spawn(async move {
                asleep.fetch_add(1, Ordering::AcqRel);
                thread::sleep(HOUR);
            });
            yield_until(|| load(&polls) == 1).await;
        }
        "parked_and_spinning" => {
            park(10_000).await;
            spin_for_ever(workers).await;
        }
        "destructor_asleep" => {
            let polls = counter();
            gorun::spawn(parked(&polls, SleepsWhenDropped));
            park(1000).await;
            yield_until(|| load(&polls) == 1).await;
        }
        "thread_local_asleep" => {
            thread_local!(static ASLEEP: RefCell<Option<SleepsWhenDropped>> = const { RefCell::new(None) });
            gorun::spawn(async { ASLEEP.set(Some(SleepsWhenDropped)) }).await.unwrap();
        }
        other => panic!("no scenario {other:?}"),
    }
}

struct SleepsWhenDropped;

impl Drop for SleepsWhenDropped {
    fn drop(&mut self) {
        thread::sleep(HOUR);
    }
}

async fn park(goroutines: usize) {
    let polls = counter();
    for _ in 0..goroutines {
        gorun::spawn(parked(&polls, ()));
    }
    yield_until(|| load(&polls) == goroutines).await;
}

async fn spin_for_ever(workers: usize) {
    let spinning = counter();
    for _ in 0..=workers {
        let spinning = spinning.clone();
        gorun::spawn(async move {
            spinning.fetch_add(1, Ordering::AcqRel);
            loop {
                std::hint::spin_loop();
            }
        });
    }
    yield_until(|| load(&spinning) >= workers).await;
}

/// The process must end within a second of main's return. The limit here is five times as long:
/// the machine may be busy; what it guards against takes an hour.
#[track_caller]
fn ends_at_once(scenario: &str) {
    for workers in [None, Some(1), Some(16)] {
        let mut child = start_child("child", scenario, workers);
        let (returns, has_returned) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if line.contains(MAIN_RETURNS) {
                    let _ = returns.send(Instant::now());
                }
            }
        });
        let returned = has_returned.recv_timeout(Duration::from_secs(60));
        let status = returned.is_ok().then(|| {
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break Some(status);
                }
                if returned.unwrap().elapsed() > Duration::from_secs(5) {
                    break None;
                }
                thread::sleep(MILLISECOND);
            }
        });
        let _ = child.kill();
        let _ = child.wait();
        reader.join().unwrap();
        match status {
            None => panic!("{scenario}, {workers:?} workers: main does not come to its end"),
            Some(None) => panic!("{scenario}, {workers:?} workers: the process lives on"),
            Some(Some(status)) => {
                assert_eq!(status.code(), Some(EXIT_CODE), "{scenario}, {workers:?} workers");
            }
        }
    }
}

#[test]
fn process_ends_while_ten_thousand_goroutines_are_parked() {
    ends_at_once("parked");
}

#[test]
fn process_ends_while_more_goroutines_than_workers_spin() {
    ends_at_once("spinning");
}

#[test]
fn process_ends_while_a_goroutine_sleeps_in_its_thread() {
    ends_at_once("asleep");
}

#[test]
fn process_ends_while_some_are_parked_and_every_worker_spins() {
    ends_at_once("parked_and_spinning");
}

#[test]
fn process_ends_while_a_stragglers_destructor_sleeps() {
    ends_at_once("destructor_asleep");
}

#[test]
fn process_ends_while_the_destructor_of_a_workers_thread_local_sleeps() {
    ends_at_once("thread_local_asleep");
}

// Every suspended goroutine is dropped before `block_on` returns.

/// How many of them in each of a thousand runs: in full only if optimised, where it takes seconds.
const PARKED: usize = if cfg!(debug_assertions) { 500 } else { 10_000 };

/// Main returns when all have been polled, or at once.
fn drop_parked(builder: Builder, goroutines: usize, wait: bool) {
    let (polls, drops) = (counter(), Drops::new(goroutines));
    builder
        .block_on(async {
            for index in 0..goroutines {
                gorun::spawn(parked(&polls, drops.probe(index)));
            }
            if wait {
                yield_until(|| load(&polls) == goroutines).await;
            }
        })
        .unwrap();
    drops.assert_each_once_off_main((goroutines, wait));
}

#[test]
fn exit_drops_each_parked_goroutine_once_in_each_of_a_thousand_runs() {
    let _watchdog = watchdog();
    for run in 0..scaled(1000, 150) {
        let workers = WORKERS[run % 3];
        drop_parked(Builder::new().worker_threads(workers), PARKED, run % 5 > 0);
    }
}

fn drop_parked_beside_spinners(workers: usize, goroutines: usize, grace: Duration) {
    let (polls, drops) = (counter(), Drops::new(goroutines));
    let (spins, stop, spinners) = (counter(), flag(), Drops::new(workers + 1));
    without_spares(workers)
        .exit_grace(grace)
        .block_on(async {
            for index in 0..goroutines {
                gorun::spawn(parked(&polls, drops.probe(index)));
            }
            yield_until(|| load(&polls) == goroutines).await;
            occupy(workers, &spins, &stop, &spinners).await;
        })
        .unwrap();
    drops.assert_each_once_off_main((workers, goroutines, grace));
    assert_eq!(spinners.dropped(), 1, "one of them had no worker to spin on");
    // They end now, so that threads do not pile up.
    stop.store(true, Ordering::Release);
    wait_until(|| spinners.all_dropped());
}

const DEFAULT_GRACE: Duration = Duration::from_millis(100);

/// Each run takes the grace, so some go on at the same time.
#[test]
fn exit_drops_each_parked_goroutine_beside_spinning_workers_in_each_of_a_thousand_runs() {
    let _watchdog = watchdog();
    thread::scope(|scope| {
        for index in 0..8 {
            scope.spawn(move || {
                for run in 0..scaled(125, 20) {
                    drop_parked_beside_spinners(1 + (index + run) % 2, PARKED, DEFAULT_GRACE);
                }
            });
        }
    });
    drop_parked_beside_spinners(2, 10_000, DEFAULT_GRACE);
    for _ in 0..5 {
        drop_parked_beside_spinners(16, 100, DEFAULT_GRACE);
    }
}

#[test]
fn a_million_parked_goroutines_are_all_dropped_however_long_it_takes() {
    let _watchdog = watchdog();
    drop_parked(Builder::new(), 1_000_000, true);
    drop_parked_beside_spinners(1, 1_000_000, DEFAULT_GRACE);
}

#[test]
fn no_grace_still_drops_parked_goroutines() {
    let _watchdog = watchdog();
    for run in 0..300 {
        let builder = Builder::new().worker_threads(WORKERS[run % 3]);
        drop_parked(builder.exit_grace(Duration::ZERO), 100, true);
    }
}

#[test]
fn no_grace_still_drops_parked_goroutines_beside_spinning_workers() {
    let _watchdog = watchdog();
    for run in 0..scaled(200, 30) {
        drop_parked_beside_spinners(1 + run % 2, 100, Duration::ZERO);
    }
}

// Goroutines that do not come to their next await.

#[test]
fn spinners_cost_no_more_than_the_grace_and_are_dropped_at_their_next_await() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (polls, stop, drops) = (counter(), flag(), Drops::new(workers + 1));
        let returned = Cell::new(Instant::now());
        without_spares(workers)
            .block_on(async {
                occupy(workers, &polls, &stop, &drops).await;
                returned.set(Instant::now());
            })
            .unwrap();
        // 200 ms are promised; a grace that is not kept to would be far longer.
        assert!(returned.get().elapsed() < Duration::from_secs(5), "{workers} workers");
        assert_eq!(drops.dropped(), 1, "{workers} workers: the one that had no worker");
        stop.store(true, Ordering::Release);
        wait_until(|| drops.all_dropped());
        drops.assert_each_once_off_main(workers);
        assert_eq!(load(&polls), workers, "polled after main had ended");
    }
}

/// Each call lets something begin and end, but no poll.
#[test]
fn goroutines_that_block_again_and_again_in_one_poll_cost_no_more_than_the_grace() {
    let _watchdog = watchdog();
    type Block = fn();
    let kinds: [Block; 2] = [
        || gorun::blocking(|| thread::sleep(MILLISECOND)),
        || gorun::block_on(async { thread::sleep(MILLISECOND) }),
    ];
    for (workers, block) in WORKERS.into_iter().flat_map(|n| kinds.map(|block| (n, block))) {
        let (stop, drops, calls) = (flag(), Drops::new(2), [counter(), counter()]);
        Builder::new()
            .worker_threads(workers)
            .block_on(async {
                for index in 0..2 {
                    let (probe, stop) = (drops.probe(index), stop.clone());
                    let calls = calls[index].clone();
                    go!(async move {
                        let _probe = probe;
                        while !stop.load(Ordering::Acquire) {
                            block();
                            calls.fetch_add(1, Ordering::AcqRel);
                        }
                    });
                }
                // One that has not begun would be dropped.
                yield_until(|| calls.iter().all(|calls| load(calls) > 0)).await;
            })
            .unwrap();
        assert_eq!(drops.dropped(), 0);
        stop.store(true, Ordering::Release);
        wait_until(|| drops.all_dropped());
    }
}

#[test]
fn endless_grace_waits_for_a_goroutine_that_comes_to_its_await_late() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (polls, stop, drops) = (counter(), flag(), Drops::new(workers + 1));
        let mut late = None;
        patient(workers)
            .max_threads(workers)
            .block_on(async {
                occupy(workers, &polls, &stop, &drops).await;
                let (handle, stop) = (Handle::current(), stop.clone());
                late = Some(thread::spawn(move || {
                    // It is cancelled when main has ended.
                    executor::block_on(handle.spawn(pending::<()>())).unwrap_err();
                    // Later than the default grace.
                    thread::sleep(300 * MILLISECOND);
                    stop.store(true, Ordering::Release);
                }));
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
        assert_eq!(load(&polls), workers, "polled after main had ended");
        late.unwrap().join().unwrap();
    }
}

#[test]
fn a_nested_block_on_is_left_behind_without_waiting() {
    let _watchdog = watchdog();
    type Block = fn(Pin<Box<dyn Future<Output = ()>>>);
    let kinds: [Block; 3] = [
        |future| gorun::block_on(future),
        |future| Handle::current().block_on(future),
        |future| patient(1).block_on(future).unwrap(),
    ];
    for (run, block) in (0..30).flat_map(|run| kinds.map(|block| (run, block))) {
        let workers = WORKERS[run % 3];
        let (polls, parked_drops) = (counter(), Drops::new(100));
        let (inside, drops, polled_again) = (counter(), Drops::new(3), flag());
        let mut senders = Vec::new();
        let closed = gorun::channel::<()>(0).1;
        // A grace without an end: waiting for them would hang.
        patient(workers)
            .block_on(async {
                for index in 0..100 {
                    gorun::spawn(parked(&polls, parked_drops.probe(index)));
                }
                for index in 0..3 {
                    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
                    senders.push(sender);
                    let (inside, probe) = (inside.clone(), drops.probe(index));
                    let (polled_again, closed) = (polled_again.clone(), closed.clone());
                    gorun::spawn(async move {
                        let _probe = probe;
                        block(Box::pin(async move {
                            inside.fetch_add(1, Ordering::AcqRel);
                            receiver.await.unwrap();
                        }));
                        match run % 2 {
                            0 => gorun::yield_now().await,
                            // Ready at once.
                            _ => _ = closed.recv().await,
                        }
                        polled_again.store(true, Ordering::Release);
                    });
                }
                yield_until(|| load(&polls) == 100 && load(&inside) == 3).await;
            })
            .unwrap();
        parked_drops.assert_each_once_off_main(workers);
        assert_eq!(drops.dropped(), 0);
        senders.into_iter().for_each(|sender| sender.send(()).unwrap());
        wait_until(|| drops.all_dropped());
        drops.assert_each_once_off_main(workers);
        assert!(!polled_again.load(Ordering::Acquire));
    }
}

/// It is given ten milliseconds, which on a busy machine may pass while its thread has no core.
#[test]
fn a_nested_block_on_that_comes_to_its_end_is_not_left_behind() {
    const RUNS: usize = 50;
    let mut in_time = 0;
    for run in 0..RUNS {
        let dropped = flag();
        let held = OnDrop({
            let dropped = dropped.clone();
            move || dropped.store(true, Ordering::Release)
        });
        patient(WORKERS[run % 3])
            .block_on(async move {
                let (inside, is_inside) = futures::channel::oneshot::channel();
                gorun::spawn(async move {
                    let _held = held;
                    gorun::block_on(async {
                        inside.send(()).unwrap();
                        thread::sleep(2 * MILLISECOND);
                    });
                    pending::<()>().await;
                })
                .detach();
                is_inside.await.unwrap();
            })
            .unwrap();
        in_time += usize::from(dropped.load(Ordering::Acquire));
    }
    assert!(in_time > RUNS / 2, "{in_time} of {RUNS} were dropped in time");
}

/// Its destructor waits, in a nested `block_on`, until the sender goes.
struct BlocksWhenDropped(Arc<AtomicUsize>, futures::channel::oneshot::Receiver<()>);

impl Drop for BlocksWhenDropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
        let _ = gorun::block_on(&mut self.1);
    }
}

/// Has a worker drop the result of a goroutine that has completed, and returns when it blocks.
async fn block_in_a_results_destructor() -> futures::channel::oneshot::Sender<()> {
    let inside = counter();
    let (sender, receiver) = futures::channel::oneshot::channel();
    let result = BlocksWhenDropped(inside.clone(), receiver);
    // It completes when it has no handle any more.
    let (detached, is_detached) = futures::channel::oneshot::channel();
    gorun::spawn(async {
        is_detached.await.unwrap();
        result
    });
    detached.send(()).unwrap();
    yield_until(|| load(&inside) == 1).await;
    sender
}

/// Of each pair, one waits in its destructor until the other has been dropped. If exit gave up on
/// those that wait, or had no worker for the others, they would wait for each other for ever.
#[test]
fn stragglers_destructors_may_block_on_the_end_of_other_stragglers() {
    struct JoinsWhenDropped(Option<JoinHandle<()>>);
    impl Drop for JoinsWhenDropped {
        fn drop(&mut self) {
            assert!(gorun::block_on(self.0.take().unwrap()).unwrap_err().is_cancelled());
        }
    }
    let _watchdog = watchdog();
    for run in 0..100 {
        let workers = WORKERS[run % 3];
        let (polls, drops) = (counter(), Drops::new(40));
        Builder::new()
            .worker_threads(workers)
            .block_on(async {
                for pair in 0..20 {
                    let other = gorun::spawn(parked(&polls, drops.probe(2 * pair)));
                    let held = (JoinsWhenDropped(Some(other)), drops.probe(2 * pair + 1));
                    gorun::spawn(parked(&polls, held));
                }
                yield_until(|| load(&polls) == 40).await;
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
    }
}

/// More destructors that do not end than there are workers: the others are dropped all the same.
#[test]
fn destructors_that_do_not_end_do_not_keep_others_from_being_dropped() {
    struct Stuck(Arc<AtomicBool>);
    impl Drop for Stuck {
        fn drop(&mut self) {
            wait_until(|| self.0.load(Ordering::Acquire));
        }
    }
    let _watchdog = watchdog();
    for run in 0..scaled(20, 6) {
        let workers = WORKERS[run % 3];
        let (polls, stop, drops) = (counter(), flag(), Drops::new(1000));
        let (stuck, goroutines) = (Drops::new(workers + 3), 1000 + workers + 3);
        Builder::new()
            .worker_threads(workers)
            .block_on(async {
                for index in 0..1000 {
                    gorun::spawn(parked(&polls, drops.probe(index)));
                    if index < workers + 3 {
                        let held = (Stuck(stop.clone()), stuck.probe(index));
                        gorun::spawn(parked(&polls, held));
                    }
                }
                yield_until(|| load(&polls) == goroutines).await;
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
        assert_eq!(stuck.dropped(), 0);
        stop.store(true, Ordering::Release);
        wait_until(|| stuck.all_dropped());
    }
}

/// Whoever blocks there is no longer alive, so must not be taken for one of those that are.
#[test]
fn a_nested_block_on_in_a_results_destructor_does_not_stand_for_a_parked_goroutine() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(20 * MILLISECOND);
        }
    }
    let _watchdog = watchdog();
    for run in 0..30 {
        let workers = WORKERS[run % 3];
        let (polls, drops) = (counter(), Drops::new(1));
        patient(workers)
            .block_on(async {
                let sender = block_in_a_results_destructor().await;
                gorun::spawn(parked(&polls, (Slow, drops.probe(0), sender)));
                yield_until(|| load(&polls) == 1).await;
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
    }
}

#[test]
fn a_nested_block_on_in_a_results_destructor_is_left_behind_without_waiting() {
    let _watchdog = watchdog();
    for run in 0..30 {
        let blocking = block_in_a_results_destructor();
        let sender = patient(WORKERS[run % 3]).block_on(blocking).unwrap();
        drop(sender);
    }
}

// What destructors do while exit is in progress.

/// Does all that a destructor could do to a runtime that ends.
struct Busy {
    handle: Handle,
    /// A goroutine that was spawned by this and polled, which must not be.
    ran: Arc<AtomicUsize>,
    refused: Arc<Drops>,
    index: usize,
    wakers: Arc<Mutex<Vec<Waker>>>,
    joins: Vec<JoinHandle<()>>,
    surprises: Arc<Mutex<Vec<&'static str>>>,
}

impl Busy {
    fn spawn_refused(&self, spawn: impl FnOnce(Parked<Probe>) -> JoinHandle<()>, probe: usize) {
        let probe = self.refused.probe(2 * self.index + probe);
        let surprise = match spawn(parked(&self.ran, probe)).now_or_never() {
            Some(Err(error)) if error.is_cancelled() => return,
            // A worker is to drop it.
            None => return,
            Some(Err(_)) => "not cancelled",
            Some(Ok(())) => "it ran",
        };
        self.surprises.lock().unwrap().push(surprise);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.spawn_refused(gorun::spawn, 0);
        self.spawn_refused(|future| self.handle.spawn(future), 1);
        let wakers = self.wakers.lock().unwrap().clone();
        wakers.iter().for_each(Waker::wake_by_ref);
        wakers.into_iter().take(5).for_each(Waker::wake);
        self.joins.iter().for_each(JoinHandle::abort);
        self.joins.clear();
        let _ = (gorun::num_goroutines(), self.handle.num_goroutines(), Handle::try_current());
    }
}

/// Suspended, and its waker can be had.
async fn keep_waker(wakers: Arc<Mutex<Vec<Waker>>>, _held: impl Sized) {
    let mut is_kept = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut is_kept, true) {
            wakers.lock().unwrap().push(cx.waker().clone());
        }
        Poll::Pending
    })
    .await
}

#[test]
fn stragglers_destructors_may_spawn_wake_and_drop_handles() {
    let _watchdog = watchdog();
    for run in 0..600 {
        let workers = WORKERS[run % 3];
        let (ran, refused, stragglers) = (counter(), Drops::new(40), Drops::new(40));
        let (wakers, surprises) = (Arc::default(), Arc::default());
        patient(workers)
            .block_on(async {
                for index in 0..20 {
                    let keep = |held| keep_waker(Arc::clone(&wakers), held);
                    let joins = vec![gorun::spawn(keep_waker(
                        Arc::clone(&wakers),
                        stragglers.probe(20 + index),
                    ))];
                    let busy = Busy {
                        handle: Handle::current(),
                        ran: ran.clone(),
                        refused: refused.clone(),
                        index,
                        wakers: wakers.clone(),
                        joins,
                        surprises: Arc::clone(&surprises),
                    };
                    gorun::spawn(keep((busy, stragglers.probe(index))));
                }
                yield_until(|| wakers.lock().unwrap().len() == 40).await;
            })
            .unwrap();
        assert_eq!(*surprises.lock().unwrap(), [""; 0]);
        stragglers.assert_each_once_off_main(run);
        refused.assert_each_once_off_main(run);
        assert_eq!(load(&ran), 0);
        wakers.lock().unwrap().drain(..).for_each(Waker::wake);
    }
}

#[test]
fn destructors_of_workers_thread_locals_may_spawn_wake_and_drop_handles() {
    thread_local!(static AT_END: RefCell<Vec<(Busy, Probe)>> = const { RefCell::new(Vec::new()) });
    let _watchdog = watchdog();
    for run in 0..300 {
        let workers = WORKERS[run % 3];
        let (ran, refused, ended) = (counter(), Drops::new(40), Drops::new(20));
        let (wakers, surprises) = (Arc::default(), Arc::default());
        patient(workers)
            .block_on(async {
                for index in 0..20 {
                    let busy = Busy {
                        handle: Handle::current(),
                        ran: ran.clone(),
                        refused: refused.clone(),
                        index,
                        wakers: Arc::clone(&wakers),
                        joins: vec![gorun::spawn(keep_waker(Arc::clone(&wakers), ()))],
                        surprises: Arc::clone(&surprises),
                    };
                    let probe = ended.probe(index);
                    gorun::spawn(async move {
                        AT_END.with_borrow_mut(|at_end| at_end.push((busy, probe)));
                    })
                    .await
                    .unwrap();
                }
            })
            .unwrap();
        // A thread has ended when its thread-locals are gone.
        ended.assert_each_once_off_main(run);
        assert_eq!(*surprises.lock().unwrap(), [""; 0]);
        refused.assert_each_once_off_main(run);
        assert_eq!(load(&ran), 0);
    }
}

/// Else the panic would leave the destructor of a thread-local, which aborts the process.
#[test]
fn a_future_refused_in_the_destructor_of_a_workers_thread_local_may_panic_in_its_own() {
    struct Late {
        _ended: Probe,
    }
    impl Drop for Late {
        fn drop(&mut self) {
            let refused = || {
                let bomb = OnDrop(|| panic!("boom"));
                async move { drop(bomb) }
            };
            gorun::go!(refused());
            drop(gorun::spawn(refused()));
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let _watchdog = watchdog();
    quiet();
    for workers in WORKERS {
        let ended = Drops::new(1);
        patient(workers)
            .block_on(async {
                let late = Late { _ended: ended.probe(0) };
                gorun::spawn(async { LATE.set(Some(late)) }).await.unwrap();
            })
            .unwrap();
        ended.assert_each_once_off_main(workers);
    }
}

/// It runs after what this thread's earlier mains may have left for its end.
#[test]
fn the_destructor_of_a_thread_local_may_be_a_main() {
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            let spawned = async { gorun::spawn(async { 42 }).await.unwrap() };
            assert_eq!(gorun::block_on(spawned), 42);
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let _watchdog = watchdog();
    let thread = thread::spawn(|| {
        LATE.set(Some(Late));
        gorun::block_on(async {});
    });
    thread.join().unwrap();
}

#[test]
fn spawn_after_exit_drops_the_future_and_says_cancelled() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let handle = patient(workers).block_on(async { Handle::current() }).unwrap();
        let (ran, drops) = (counter(), Drops::new(2));
        let late = handle.spawn(parked(&ran, drops.probe(0)));
        assert_eq!(drops.dropped(), 1);
        assert!(late.is_finished());
        assert!(futures::executor::block_on(late).unwrap_err().is_cancelled());
        thread::scope(|scope| {
            scope.spawn(|| {
                let late = handle.spawn(parked(&ran, drops.probe(1)));
                assert!(gorun::block_on(late).unwrap_err().is_cancelled());
            });
        });
        drops.assert_each_once(workers);
        assert_eq!(load(&ran), 0);
    }
}

#[test]
fn spawns_from_other_threads_while_main_returns_are_run_or_refused() {
    let _watchdog = watchdog();
    for run in 0..150 {
        let workers = WORKERS[run % 3];
        let (started, ended, late) = (counter(), flag(), counter());
        let mut foreign = Vec::new();
        patient(workers)
            .block_on(async {
                for _ in 0..2 {
                    let (handle, started, late) =
                        (Handle::current(), started.clone(), late.clone());
                    let ended = ended.clone();
                    foreign.push(thread::spawn(move || {
                        let (mut handles, drops) = (Vec::new(), Drops::new(10_000));
                        let mut spawned = 0;
                        // On for a while after the first that is refused.
                        let mut refused = 0;
                        while refused < 20 && spawned < 10_000 {
                            let (probe, ended) = (drops.probe(spawned), ended.clone());
                            let late = late.clone();
                            let handle = handle.spawn(async move {
                                let _probe = probe;
                                if ended.load(Ordering::Acquire) {
                                    late.fetch_add(1, Ordering::AcqRel);
                                }
                                gorun::yield_now().await;
                            });
                            spawned += 1;
                            started.fetch_add(1, Ordering::AcqRel);
                            refused += usize::from(handle.is_finished());
                            handles.push(handle);
                        }
                        for handle in handles {
                            if let Err(error) = futures::executor::block_on(handle) {
                                assert!(error.is_cancelled());
                            }
                        }
                        assert_eq!(drops.dropped(), spawned);
                    }));
                }
                yield_until(|| load(&started) >= 20).await;
            })
            .unwrap();
        ended.store(true, Ordering::Release);
        foreign.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(load(&late), 0, "polled after main had ended");
    }
}

// Handles of goroutines that exit leaves behind.

/// Awaits a handle of the runtime given, and says so.
type Waiter = fn(&Handle, JoinHandle<()>, mpsc::Sender<()>);

/// Where the handle is awaited.
const WAITERS: [Waiter; 4] = [
    |_, handle, waiting| is_cancelled(futures::executor::block_on(announce(handle, waiting))),
    |_, handle, waiting| is_cancelled(patient(1).block_on(announce(handle, waiting)).unwrap()),
    |_, handle, waiting| {
        let goroutine = async move { gorun::spawn(announce(handle, waiting)).await.unwrap() };
        is_cancelled(patient(1).block_on(goroutine).unwrap())
    },
    |runtime, handle, waiting| is_cancelled(runtime.block_on(announce(handle, waiting))),
];

#[track_caller]
fn is_cancelled(result: Result<(), gorun::JoinError>) {
    assert!(result.unwrap_err().is_cancelled());
}

/// Says so when it has been found pending.
async fn announce<F: Future + Unpin>(mut future: F, waiting: mpsc::Sender<()>) -> F::Output {
    poll_fn(|cx| {
        let polled = future.poll_unpin(cx);
        if polled.is_pending() {
            let _ = waiting.send(());
        }
        polled
    })
    .await
}

#[test]
fn handles_say_cancelled_to_those_who_wait_when_main_returns() {
    let _watchdog = watchdog();
    for run in 0..10 {
        let workers = WORKERS[run % 3];
        let (polls, stop, drops) = (counter(), flag(), Drops::new(2 * WAITERS.len()));
        let (waiting, are_waiting) = mpsc::channel();
        let mut waiters = Vec::new();
        Builder::new()
            .worker_threads(workers)
            .exit_grace(5 * MILLISECOND)
            .block_on(async {
                // One of the spinners, and one that is parked, for each waiter; with few
                // workers not all of the spinners spin.
                for (index, waiter) in WAITERS.into_iter().enumerate() {
                    let stuck = gorun::spawn(spinner(&polls, &stop, drops.probe(index)));
                    let probe = drops.probe(WAITERS.len() + index);
                    let parked = gorun::spawn(parked(&counter(), probe));
                    for handle in [stuck, parked] {
                        let (runtime, waiting) = (Handle::current(), waiting.clone());
                        waiters.push(thread::spawn(move || waiter(&runtime, handle, waiting)));
                    }
                }
                yield_until(|| load(&polls) >= workers.min(WAITERS.len())).await;
                for _ in 0..2 * WAITERS.len() {
                    are_waiting.recv().unwrap();
                }
            })
            .unwrap();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        stop.store(true, Ordering::Release);
        wait_until(|| drops.all_dropped());
    }
}

#[test]
fn handles_say_cancelled_to_those_who_come_after_main_returned() {
    let _watchdog = watchdog();
    for (run, waiter) in (0..6).flat_map(|run| WAITERS.map(|waiter| (run, waiter))) {
        let workers = WORKERS[run % 3];
        let (polls, stop, drops) = (counter(), flag(), Drops::new(2));
        let (runtime, stuck, parked) = Builder::new()
            .worker_threads(workers)
            .exit_grace(5 * MILLISECOND)
            .block_on(async {
                let parked = gorun::spawn(parked(&polls, drops.probe(0)));
                yield_until(|| load(&polls) == 1).await;
                let stuck = gorun::spawn(spinner(&polls, &stop, drops.probe(1)));
                yield_until(|| load(&polls) == 2).await;
                (Handle::current(), stuck, parked)
            })
            .unwrap();
        let (waiting, _) = mpsc::channel();
        waiter(&runtime, parked, waiting.clone());
        waiter(&runtime, stuck, waiting);
        stop.store(true, Ordering::Release);
        wait_until(|| drops.all_dropped());
    }
}

/// A combinator has a waker of its own, which may come from the runtime that has ended since.
#[test]
fn a_combinator_that_was_polled_inside_is_told_that_a_goroutine_was_left_behind() {
    use futures::stream::{FuturesUnordered, StreamExt};
    let _watchdog = watchdog();
    for (run, by_main) in (0..6).flat_map(|run| [true, false].map(|by_main| (run, by_main))) {
        let (polls, stop, drops) = (counter(), flag(), Drops::new(1));
        let mut set = Builder::new()
            .worker_threads(WORKERS[run % 3])
            .exit_grace(Duration::ZERO)
            .block_on(async {
                let mut set = FuturesUnordered::new();
                set.push(gorun::spawn(spinner(&polls, &stop, drops.probe(0))));
                yield_until(|| load(&polls) == 1).await;
                if by_main {
                    assert!(set.next().now_or_never().is_none());
                    poll_fn(|cx| Poll::Ready(set.poll_next_unpin(cx).is_pending())).await;
                    set
                } else {
                    let poll = async move {
                        poll_fn(|cx| Poll::Ready(set.poll_next_unpin(cx).is_pending())).await;
                        set
                    };
                    // With one worker it never comes to that.
                    if run % 3 == 0 { poll.await } else { gorun::spawn(poll).await.unwrap() }
                }
            })
            .unwrap();
        let told = futures::executor::block_on(set.next()).unwrap();
        assert!(told.unwrap_err().is_cancelled());
        stop.store(true, Ordering::Release);
        wait_until(|| drops.all_dropped());
    }
}

/// Nor does main's thread run it.
#[test]
fn a_waker_that_blocks_does_not_keep_main_from_returning() {
    struct Blocks(Arc<AtomicBool>, Arc<AtomicBool>);
    impl std::task::Wake for Blocks {
        fn wake(self: Arc<Self>) {
            wait_until(|| self.0.load(Ordering::Acquire));
            self.1.store(true, Ordering::Release);
        }
    }
    let _watchdog = watchdog();
    let (polls, stop, drops) = (counter(), flag(), Drops::new(1));
    let (goes_on, was_woken) = (flag(), flag());
    let waker = Waker::from(Arc::new(Blocks(goes_on.clone(), was_woken.clone())));
    let _handle = Builder::new()
        .worker_threads(1)
        .exit_grace(Duration::ZERO)
        .block_on(async {
            let mut handle = gorun::spawn(spinner(&polls, &stop, drops.probe(0)));
            yield_until(|| load(&polls) == 1).await;
            let mut cx = std::task::Context::from_waker(&waker);
            assert!(handle.poll_unpin(&mut cx).is_pending());
            handle
        })
        .unwrap();
    goes_on.store(true, Ordering::Release);
    wait_until(|| was_woken.load(Ordering::Acquire));
    stop.store(true, Ordering::Release);
    wait_until(|| drops.all_dropped());
}

/// Waits for a goroutine that main leaves behind, with each of the wakers. `told` says when it may
/// end: its end wakes too.
fn leave_behind(wakers: &[Waker], told: impl Fn()) {
    let (stop, drops) = (flag(), Drops::new(wakers.len()));
    let polls: Vec<_> = wakers.iter().map(|_| counter()).collect();
    // As many workers: each of them spins.
    let builder = Builder::new().worker_threads(wakers.len()).thread_stack_size(1 << 20);
    let _handles = builder
        .exit_grace(Duration::ZERO)
        .block_on(async {
            let mut handles = Vec::new();
            for (index, waker) in wakers.iter().enumerate() {
                let spinner = spinner(&polls[index], &stop, drops.probe(index));
                let mut handle = gorun::spawn(spinner);
                let mut cx = std::task::Context::from_waker(waker);
                assert!(handle.poll_unpin(&mut cx).is_pending());
                handles.push(handle);
            }
            yield_until(|| polls.iter().all(|polls| load(polls) == 1)).await;
            handles
        })
        .unwrap();
    told();
    stop.store(true, Ordering::Release);
    wait_until(|| drops.all_dropped());
}

/// Sets a flag, and may panic then. Not at the second time, which is at the goroutine's end.
struct Told(Arc<AtomicBool>, bool);

impl std::task::Wake for Told {
    fn wake(self: Arc<Self>) {
        let is_first = !self.0.swap(true, Ordering::AcqRel);
        assert!(!(is_first && self.1), "boom");
    }
}

#[test]
fn a_waker_that_panics_does_not_keep_others_from_being_told_who_was_left_behind() {
    let _watchdog = watchdog();
    quiet();
    let told = [flag(), flag(), flag()];
    let wakers = told.clone().map(|told| Waker::from(Arc::new(Told(told, true))));
    leave_behind(&wakers, || {
        wait_until(|| told.iter().all(|told| told.load(Ordering::Acquire)));
    });
}

/// In a process whose threads would get stacks that no machine has, unless they say another size.
#[test]
fn without_a_thread_to_bring_the_news_main_brings_it() {
    if !is_child() {
        let test = "without_a_thread_to_bring_the_news_main_brings_it";
        return child_passes(test, &[("RUST_MIN_STACK", "1000000000000000000")], "");
    }
    assert!(thread::Builder::new().spawn(|| {}).is_err());
    let told = flag();
    leave_behind(&[Waker::from(Arc::new(Told(told.clone(), false)))], || {
        assert!(told.load(Ordering::Acquire));
    });
}

// Many runs in one process.

#[test]
fn ten_thousand_runs_leave_no_thread_and_no_memory_behind() {
    let child = start_child("child", "ten_thousand_runs", None);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn ten_thousand_runs() {
    let _watchdog = watchdog();
    let threads_before = threads();
    let mut settled = 0;
    for run in 0..10_000 {
        let value = Builder::new().worker_threads(1).block_on(async {
            for _ in 0..5 {
                gorun::spawn(pending::<()>());
            }
            gorun::spawn(async { gorun::spawn(async { 42 }).await }).await
        });
        assert_eq!(value.unwrap().unwrap().unwrap(), 42);
        if run == 2000 {
            settled = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(settled);
    assert!(grown < 2 << 20, "8000 runs left {grown} bytes behind");
    wait_until(|| threads() <= threads_before);
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> usize {
    0
}
