//! Fair turns beside goroutines that compute for milliseconds and yield in between: for what is woken from
//! outside, by a timer, or spawned there. Counted in polls of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use gorun::time::{after, interval, now, sleep, timeout};
use gorun::{Handle, Receiver, channel, spawn};

use super::hogs::{Hogs, alone};
use super::{MILLI, WORKERS};
use crate::common::*;

const SAMPLES: usize = 12;

/// What was due, and when it came.
type Sample = (Instant, Instant);

/// Three fair turns, and some polls that those on other workers begin while this one's thread waits for a
/// core.
fn allowed(hogs: usize, workers: usize) -> usize {
    3 * hogs + 4 * (workers.min(hogs) - 1)
}

#[track_caller]
fn beside_hogs(what: &str, hogs: usize, step: Duration, samples: impl AsyncFn() -> Vec<Sample>) {
    let _watchdog = watchdog();
    let _alone = alone();
    for workers in WORKERS {
        run(workers, async {
            let others = Hogs::start(hogs, step);
            let case = format!("{what}, {workers} workers, {hogs} others, {step:?}");
            while others.polls() < hogs {
                sleep(MILLI).await;
            }
            others.check(&case, &samples().await, allowed(hogs, workers));
        });
    }
}

/// A goroutine that says when it was woken by what it receives.
fn woken(rx: Receiver<Instant>) -> gorun::JoinHandle<Vec<Sample>> {
    spawn(async move {
        let mut samples = Vec::new();
        while let Some(due) = rx.recv().await {
            samples.push((due, now()));
        }
        samples
    })
}

async fn by_main() -> Vec<Sample> {
    let (ask, asked) = channel(0);
    let (tell, told) = channel(0);
    spawn(async move {
        while let Some(due) = asked.recv().await {
            tell.send((due, now())).await.unwrap();
        }
    });
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        sleep(7 * MILLI).await;
        ask.send(now()).await.unwrap();
        samples.push(told.recv().await.unwrap());
    }
    samples
}

async fn by_a_thread() -> Vec<Sample> {
    let (tx, rx) = channel(0);
    let samples = woken(rx);
    thread::spawn(move || {
        for _ in 0..SAMPLES {
            thread::sleep(7 * MILLI);
            tx.send_blocking(Instant::now()).unwrap();
        }
    });
    samples.await.unwrap()
}

async fn by_a_timer() -> Vec<Sample> {
    let samples = spawn(async {
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            let asleep = sleep(MILLI);
            let due = asleep.deadline();
            asleep.await;
            samples.push((due, now()));
        }
        samples
    });
    samples.await.unwrap()
}

#[test]
fn what_main_wakes_waits_for_many_long_polls() {
    beside_hogs("woken by main", 8, 5 * MILLI, by_main);
}

#[test]
fn what_a_thread_wakes_waits_for_many_long_polls() {
    beside_hogs("woken by a thread", 8, 5 * MILLI, by_a_thread);
}

#[test]
fn what_a_timer_wakes_waits_for_many_long_polls() {
    beside_hogs("woken by a timer", 8, 5 * MILLI, by_a_timer);
}

/// Few that compute for long, and many that compute for a millisecond.
#[test]
fn the_length_of_polls_decides_when_others_have_their_turn() {
    beside_hogs("woken by main", 3, 20 * MILLI, by_main);
    beside_hogs("woken by a timer", 3, 20 * MILLI, by_a_timer);
    beside_hogs("woken by main", 12, MILLI, by_main);
    beside_hogs("woken by a timer", 12, MILLI, by_a_timer);
}

/// A poll of 20 ms counts as stuck: its worker's ring is drained, and other workers take what was in it. What
/// is woken must not stand behind all that, nor go from ring to ring along with it.
#[test]
fn what_is_woken_waits_behind_what_was_drained() {
    let _watchdog = watchdog();
    let _alone = alone();
    run(1, async {
        let others = Hogs::start(16, 20 * MILLI);
        let mut samples = Vec::new();
        for _ in 0..4 {
            samples.extend(by_main().await);
        }
        let polls = others.polls_in(&samples);
        println!("{polls:?}");
        assert!(polls[samples.len() * 9 / 10] <= 8, "{polls:?} polls of 16 others");
    });
}

#[test]
fn what_other_timers_wake_waits_for_many_long_polls() {
    beside_hogs("an interval", 8, 5 * MILLI, async || {
        let samples = spawn(async {
            let mut ticks = interval(2 * MILLI);
            let mut samples = Vec::new();
            for _ in 0..SAMPLES {
                let due = ticks.tick().await;
                samples.push((due, now()));
            }
            samples
        });
        samples.await.unwrap()
    });
    beside_hogs("a time limit", 8, 5 * MILLI, async || {
        let samples = spawn(async {
            let mut samples = Vec::new();
            for _ in 0..SAMPLES {
                let due = now() + MILLI;
                let never = std::future::pending::<()>();
                assert!(timeout(MILLI, never).await.is_err());
                samples.push((due, now()));
            }
            samples
        });
        samples.await.unwrap()
    });
    beside_hogs("time::after", 8, 5 * MILLI, async || {
        let samples = spawn(async {
            let mut samples = Vec::new();
            for _ in 0..SAMPLES {
                let due = now() + MILLI;
                after(MILLI).recv().await.unwrap();
                samples.push((due, now()));
            }
            samples
        });
        samples.await.unwrap()
    });
}

#[test]
fn what_is_spawned_outside_waits_for_many_long_polls() {
    beside_hogs("spawned by a thread", 8, 5 * MILLI, async || {
        let handle = Handle::current();
        let (tx, rx) = channel(SAMPLES);
        thread::spawn(move || {
            for _ in 0..SAMPLES {
                let due = Instant::now();
                let came = handle.spawn(async { now() });
                tx.try_send((due, handle.block_on(came).unwrap())).unwrap();
            }
        });
        let mut samples = Vec::new();
        while let Some(sample) = rx.recv().await {
            samples.push(sample);
        }
        samples
    });
    beside_hogs("spawned by main", 8, 5 * MILLI, async || {
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            let due = now();
            samples.push((due, spawn(async { now() }).await.unwrap()));
        }
        samples
    });
}

/// Others come from outside all the time, as many as there are at home.
#[test]
fn neither_who_is_injected_nor_who_is_local_starves_the_other() {
    const OTHERS: usize = 8;
    const STEP: Duration = MILLI;
    let _watchdog = watchdog();
    let _alone = alone();
    for workers in WORKERS {
        run(workers, async {
            let injected = Arc::new(AtomicUsize::new(0));
            let over = flag();
            let hogs = Hogs::start(OTHERS, STEP);
            // Each of these has one goroutine out there at any time.
            let threads: Vec<_> = (0..OTHERS)
                .map(|_| {
                    let (handle, over) = (Handle::current(), over.clone());
                    let injected = injected.clone();
                    thread::spawn(move || {
                        while !over.load(SeqCst) {
                            let injected = injected.clone();
                            let goroutine = handle.spawn(async move {
                                compute_for(STEP);
                                injected.fetch_add(1, SeqCst);
                            });
                            handle.block_on(goroutine).unwrap();
                        }
                    })
                })
                .collect();
            while hogs.polls() + injected.load(SeqCst) < 300 {
                sleep(MILLI).await;
            }
            let (local, injected) = (hogs.polls(), injected.load(SeqCst));
            over.store(true, SeqCst);
            while !threads.iter().all(|thread| thread.is_finished()) {
                sleep(MILLI).await;
            }
            for thread in threads {
                thread.join().unwrap();
            }
            println!("{workers} workers: {local} local, {injected} injected");
            assert!(
                local > 300 / 8 && injected > 300 / 8,
                "{workers} workers: {local} local polls, {injected} goroutines injected"
            );
        });
    }
}
