//! Random choices differ from call to call and from run to run: main's, guests', nested ones.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

use gorun::time::sleep;
use gorun::{Builder, Handle, Receiver, Sender, block_on, channel, select, spawn};

use super::{MILLI, WORKERS, programs, scaled};
use crate::common::*;

const CASES: usize = 3;

/// Three channels that always have a value.
struct Full([(Sender<()>, Receiver<()>); CASES]);

impl Full {
    fn new() -> Full {
        Full(std::array::from_fn(|_| {
            let (tx, rx) = channel(1);
            tx.try_send(()).unwrap();
            (tx, rx)
        }))
    }

    /// Chooses one of the cases.
    async fn choose(&self) -> usize {
        let [(tx0, rx0), (tx1, rx1), (tx2, rx2)] = &self.0;
        let (tx, chosen) = select! {
            _ = rx0.recv() => (tx0, 0),
            _ = rx1.recv() => (tx1, 1),
            _ = rx2.recv() => (tx2, 2),
        };
        tx.try_send(()).unwrap();
        chosen
    }
}

/// Six standard deviations of a binomial: one false alarm in hundreds of millions.
#[track_caller]
fn check(what: &str, choices: impl IntoIterator<Item = usize>) {
    let mut counts = [0; CASES];
    for choice in choices {
        counts[choice] += 1;
    }
    println!("{what}: {counts:?}");
    let tries = counts.iter().sum::<usize>() as f64;
    let (expected, sigma) = (tries / 3.0, (tries * 2.0 / 9.0).sqrt());
    for count in counts {
        assert!((count as f64 - expected).abs() < 6.0 * sigma, "{what}: {counts:?}");
    }
}

/// Runtimes that begin and end: their number is what a test takes its time with.
const RUNS: usize = scaled(300, 150);
const TRIES: usize = 3000;

#[test]
fn each_fresh_runtimes_main_begins_with_the_same_choice() {
    let test = "choices::each_fresh_runtimes_main_begins_with_the_same_choice";
    programs::for_each_workers(test, |workers| {
        let full = Full::new();
        let builder = Builder::new().worker_threads(workers);
        check("Builder::block_on", (0..RUNS).map(|_| run(workers, full.choose())));
        let again = || builder.clone().block_on(full.choose()).unwrap();
        check("the same builder again", (0..RUNS).map(|_| again()));
        check("block_on", (0..RUNS).map(|_| block_on(full.choose())));
    });
}

#[test]
fn each_fresh_runtimes_goroutine_begins_with_the_same_choice() {
    let test = "choices::each_fresh_runtimes_goroutine_begins_with_the_same_choice";
    programs::for_each_workers(test, |workers| {
        let first =
            || run(workers, async { spawn(async { Full::new().choose().await }).await.unwrap() });
        check("the first goroutine", (0..RUNS).map(|_| first()));
    });
}

#[test]
fn each_block_on_of_a_guest_begins_with_the_same_choice() {
    let test = "choices::each_block_on_of_a_guest_begins_with_the_same_choice";
    programs::for_each_workers(test, |workers| {
        run(workers, async {
            let handle = Handle::current();
            let guest = thread::spawn(move || {
                let full = Full::new();
                check("a guest", (0..TRIES).map(|_| handle.block_on(full.choose())));
            });
            while !guest.is_finished() {
                sleep(MILLI).await;
            }
            guest.join().unwrap();
        });
    });
}

#[test]
fn guests_on_several_threads_make_the_same_choices() {
    let test = "choices::guests_on_several_threads_make_the_same_choices";
    programs::for_each_workers(test, |workers| {
        run(workers, async {
            let (tell, told) = mpsc::channel();
            let guests: Vec<_> = (0..100)
                .map(|_| {
                    let (handle, tell) = (Handle::current(), tell.clone());
                    thread::spawn(move || {
                        let full = Full::new();
                        let mut choices = Vec::new();
                        for _ in 0..3 {
                            choices.push(handle.block_on(full.choose()));
                        }
                        // All of one call: what differs between threads.
                        let all = async {
                            let mut all = Vec::new();
                            for _ in 0..40 {
                                all.push(full.choose().await);
                            }
                            all
                        };
                        tell.send((choices, handle.block_on(all))).unwrap();
                    })
                })
                .collect();
            for guest in guests {
                guest.join().unwrap();
            }
            drop(tell);
            let (choices, rows): (Vec<_>, HashSet<_>) = told.iter().unzip();
            check("guests on threads", choices.into_iter().flatten());
            assert_eq!(rows.len(), 100, "threads that choose alike");
        });
    });
}

#[test]
fn each_nested_block_on_begins_with_the_same_choice() {
    let test = "choices::each_nested_block_on_begins_with_the_same_choice";
    programs::for_each_workers(test, |workers| {
        run(workers, async {
            let full = Full::new();
            check("nested in main", (0..TRIES).map(|_| block_on(full.choose())));
            let handle = Handle::current();
            let of_handle = || handle.block_on(full.choose());
            check("Handle::block_on in main", (0..TRIES).map(|_| of_handle()));
            let twice = || block_on(async { block_on(full.choose()) });
            check("nested twice", (0..TRIES).map(|_| twice()));
            let goroutine = spawn(async {
                let (full, handle) = (Full::new(), Handle::current());
                let choices: Vec<_> =
                    (0..TRIES / 10).map(|_| handle.block_on(full.choose())).collect();
                check("nested in a goroutine", choices);
            });
            goroutine.await.unwrap();
        });
    });
}

/// A runtime inside a runtime: by `Builder::block_on` on main's thread.
#[test]
fn each_runtime_in_a_runtime_begins_with_the_same_choice() {
    let test = "choices::each_runtime_in_a_runtime_begins_with_the_same_choice";
    programs::for_each_workers(test, |workers| {
        run(workers, async {
            let full = Full::new();
            check("a runtime inside", (0..RUNS).map(|_| run(1, full.choose())));
        });
    });
}

/// What a process chooses first, as text.
fn first_choices(workers: usize) -> String {
    run(workers, async {
        let full = Full::new();
        let mut text = String::from("main: ");
        for _ in 0..40 {
            text += &full.choose().await.to_string();
        }
        text += ", a goroutine: ";
        let goroutine = spawn(async {
            let (full, mut text) = (Full::new(), String::new());
            for _ in 0..40 {
                text += &full.choose().await.to_string();
            }
            text
        });
        text + &goroutine.await.unwrap()
    })
}

#[test]
fn each_run_of_a_program_makes_the_same_choices() {
    let test = "choices::each_run_of_a_program_makes_the_same_choices";
    if scenario().is_some() {
        return programs::for_each_workers(test, |workers| {
            println!("chosen by {}", first_choices(workers));
        });
    }
    for workers in WORKERS {
        let mut seen = [HashSet::new(), HashSet::new()];
        for _ in 0..3 {
            let printed = programs::output(test, workers);
            let chosen = printed.split_once("chosen by ").unwrap().1.lines().next().unwrap();
            let (main, goroutine) = chosen.split_once(", ").unwrap();
            for (seen, choices) in seen.iter_mut().zip([main, goroutine]) {
                assert!(seen.insert(choices.to_owned()), "{workers} workers, again: {choices}");
            }
        }
    }
}
