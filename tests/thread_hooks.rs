//! `on_thread_start` and `on_thread_stop`: where they run, how often, and what a panic in them does.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use common::*;
use gorun::time::sleep;
use gorun::{
    Builder, Handle, JoinHandle, JoinSet, UnhandledPanic, block_on, num_goroutines, spawn,
    yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];

thread_local!(static STARTED: Cell<usize> = const { Cell::new(0) });

#[derive(Default)]
struct Log {
    /// How often each thread has started and stopped.
    threads: Mutex<HashMap<ThreadId, (usize, usize)>>,
}

impl Log {
    fn hooked(self: &Arc<Self>, builder: Builder) -> Builder {
        let (starts, stops) = (self.clone(), self.clone());
        builder
            .on_thread_start(move || {
                STARTED.set(STARTED.get() + 1);
                starts.note(|times| times.0 += 1);
            })
            .on_thread_stop(move || {
                assert_eq!(STARTED.get(), 1, "it has started");
                stops.note(|times| times.1 += 1);
            })
    }

    fn note(&self, change: impl FnOnce(&mut (usize, usize))) {
        change(self.threads.lock().unwrap().entry(thread::current().id()).or_default());
    }

    fn threads(&self) -> usize {
        self.threads.lock().unwrap().len()
    }
}

#[test]
fn each_thread_starts_once_before_its_goroutines_and_stops_once_after_them() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let log = Arc::new(Log::default());
        log.hooked(patient(workers))
            .block_on(async {
                assert_eq!(STARTED.get(), 0, "main's thread is not a worker's");
                let mut set: JoinSet<()> = (0..200)
                    .map(|_| async {
                        for _ in 0..5 {
                            assert_eq!(STARTED.get(), 1);
                            yield_now().await;
                        }
                    })
                    .collect();
                while let Some(done) = set.join_next().await {
                    done.unwrap();
                }
            })
            .unwrap();
        let threads = log.threads.lock().unwrap();
        // Or more, if one of them had to wait for a core.
        assert!(threads.len() >= workers);
        assert!(threads.values().all(|&times| times == (1, 1)), "{:?}", threads.values());
    }
}

#[test]
fn threads_that_stand_in_for_others_have_the_hooks_too() {
    let _watchdog = watchdog();
    let log = Arc::new(Log::default());
    log.hooked(patient(1))
        .block_on(async {
            let release = flag();
            let mut blocked = JoinSet::new();
            for _ in 0..4 {
                let release = release.clone();
                blocked.spawn(async move {
                    assert_eq!(STARTED.get(), 1);
                    gorun::blocking(|| wait_until(|| release.load(SeqCst)));
                });
            }
            // All of them, and one that is free.
            yield_until(|| log.threads() == 5).await;
            release.store(true, SeqCst);
            blocked.join_all().await;
        })
        .unwrap();
    let threads = log.threads.lock().unwrap();
    assert!(threads.values().all(|&times| times == (1, 1)), "{:?}", threads.values());
}

#[test]
fn a_panic_at_a_start_is_unhandled_and_the_thread_goes_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let panicking = || patient(workers).on_thread_start(|| panic!("boom at the start"));
        let waits = || panicking().block_on(pending::<()>());
        assert_eq!(message(&*payload_of(waits)), Some("boom at the start"));
        let ignoring = panicking().unhandled_panic(UnhandledPanic::Ignore);
        let value = ignoring.block_on(async { spawn(async { 42 }).await.unwrap() });
        assert_eq!(value.unwrap(), 42);
    }
}

#[test]
fn a_panic_at_a_stop_changes_no_result() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let stops = Arc::new(AtomicUsize::new(0));
        let counts = stops.clone();
        let panicking = patient(workers).on_thread_stop(move || {
            counts.fetch_add(1, SeqCst);
            panic!("boom at the stop")
        });
        let value = panicking.block_on(async { spawn(async { 42 }).await.unwrap() });
        assert_eq!(value.unwrap(), 42);
        assert!(stops.load(SeqCst) >= workers);
    }
}

#[test]
fn a_start_may_spawn_and_block_on_and_finds_its_runtime() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let handles: Arc<Mutex<Vec<JoinHandle<u32>>>> = Arc::default();
        let spawned = handles.clone();
        patient(workers)
            .on_thread_start(move || {
                assert!(Handle::try_current().is_some());
                spawned.lock().unwrap().push(spawn(async { 1 }));
                block_on(sleep(Duration::from_micros(100)));
            })
            .block_on(async {
                yield_until(|| handles.lock().unwrap().len() >= workers).await;
                let handles = std::mem::take(&mut *handles.lock().unwrap());
                for handle in handles {
                    assert_eq!(handle.await.unwrap(), 1);
                }
                assert_eq!(spawn(async { 2 }).await.unwrap(), 2);
            })
            .unwrap();
    }
}

#[test]
fn what_a_stop_spawns_is_dropped_at_once_and_said_to_be_cancelled() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let dropped = Arc::new(AtomicUsize::new(0));
        let handles: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let (drops, spawned) = (dropped.clone(), handles.clone());
        patient(workers)
            .on_thread_stop(move || {
                let drops = drops.clone();
                let probe = OnDrop(move || _ = drops.fetch_add(1, SeqCst));
                let handle = spawn(async move { drop((pending::<()>().await, probe)) });
                assert_eq!(num_goroutines(), 0);
                spawned.lock().unwrap().push(handle);
            })
            .block_on(async {})
            .unwrap();
        let handles = std::mem::take(&mut *handles.lock().unwrap());
        assert!(handles.len() >= workers);
        assert_eq!(dropped.load(SeqCst), handles.len());
        for handle in handles {
            assert!(futures::executor::block_on(handle).unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn what_the_stop_of_a_spare_spawns_is_dropped_while_the_runtime_goes_on() {
    let _watchdog = watchdog();
    let handles: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
    let spawned = handles.clone();
    patient(1)
        .on_thread_stop(move || spawned.lock().unwrap().push(spawn(pending())))
        .block_on(async {
            // One stands in, is not needed any more, and ends after a second or two.
            let release = flag();
            let releases = release.clone();
            let blocked =
                spawn(async move { gorun::blocking(|| wait_until(|| releases.load(SeqCst))) });
            spawn(async {}).await.unwrap();
            release.store(true, SeqCst);
            blocked.await.unwrap();
            while handles.lock().unwrap().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
            let handles = std::mem::take(&mut *handles.lock().unwrap());
            for handle in handles {
                assert!(handle.await.unwrap_err().is_cancelled());
            }
            yield_until(|| num_goroutines() == 1).await;
        })
        .unwrap();
}

/// Keeps the one that stops apart from the destructors after it.
#[test]
fn a_stop_comes_before_the_destructors_of_thread_locals() {
    struct Last(Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("destructor");
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
    let _watchdog = watchdog();
    let order: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let (keeps, stops) = (order.clone(), order.clone());
    patient(1)
        .on_thread_start(move || LAST.set(Some(Last(keeps.clone()))))
        .on_thread_stop(move || stops.lock().unwrap().push("stop"))
        .block_on(async {})
        .unwrap();
    assert_eq!(*order.lock().unwrap(), ["stop", "destructor"]);
}

#[test]
fn a_start_that_does_not_end_holds_up_neither_main_nor_other_workers_nor_exit() {
    let _watchdog = watchdog();
    let (first, release) = (AtomicUsize::new(0), flag());
    let releases = release.clone();
    Builder::new()
        .worker_threads(2)
        .report_left_behind(false)
        .on_thread_start(move || {
            if first.fetch_add(1, SeqCst) == 0 {
                wait_until(|| releases.load(SeqCst));
            }
        })
        .block_on(async {
            let mut set: JoinSet<u32> = (0..50).map(|n| async move { n }).collect();
            let mut sum = 0;
            while let Some(value) = set.join_next().await {
                sum += value.unwrap();
            }
            assert_eq!(sum, 49 * 50 / 2);
        })
        .unwrap();
    release.store(true, SeqCst);
}
