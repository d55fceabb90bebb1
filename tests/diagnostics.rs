//! Full diagnostics: for how long each goroutine has waited, and which of them nobody can wake.

mod common;

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use gorun::dump::{Dump, Group, State};
use gorun::{Builder, Handle, JoinSet, Stall, channel, go, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];

fn builder(workers: usize) -> Builder {
    Builder::new().worker_threads(workers).full_diagnostics(true)
}

fn run_full<F: Future>(workers: usize, main: F) -> F::Output {
    builder(workers).block_on(main).unwrap()
}

fn waiting(dump: &Dump) -> usize {
    let groups = dump.groups().iter();
    let waits = |group: &&Group| !matches!(group.state, State::Queued | State::Running);
    groups.filter(waits).map(|group| group.count).sum()
}

/// Of each group some are known to wait.
fn have_ages(dump: &Dump) -> bool {
    dump.groups().iter().all(|group| group.longest.is_some())
}

fn orphans(dump: &Dump) -> usize {
    dump.groups().iter().map(|group| group.orphans).sum()
}

/// Looks at dumps on a thread of its own until the end of `main`. Returns one with orphans, if there was any.
fn run_beside_dumps<F: Future>(workers: usize, main: F) -> Option<Dump> {
    let is_over = Arc::new(AtomicBool::new(false));
    let looker = run_full(workers, async {
        let (runtime, over) = (Handle::current(), is_over.clone());
        let looker = thread::spawn(move || {
            let mut wrong = None;
            while !over.load(SeqCst) {
                let dump = runtime.dump();
                if orphans(&dump) > 0 {
                    wrong = Some(dump);
                }
            }
            wrong
        });
        main.await;
        is_over.store(true, SeqCst);
        looker
    });
    looker.join().unwrap()
}

#[track_caller]
fn assert_no_orphans<F: Future>(workers: usize, main: F) {
    if let Some(wrong) = run_beside_dumps(workers, main) {
        panic!("{wrong}");
    }
}

#[test]
fn goroutines_whose_waker_nobody_has_kept_are_orphans() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_full(workers, async {
            let lost: Vec<_> =
                (0..10).map(|_| spawn(poll_fn(|_| Poll::<()>::Pending)).abort_on_drop()).collect();
            let dump = dump_that(|dump| orphans(dump) == 10).await;
            assert!(dump.to_string().contains("10 goroutines [waits for a future"), "{dump}");
            assert!(dump.to_string().contains("; nobody can wake them"), "{dump}");
            // It says so again, and changes nothing.
            assert_eq!(orphans(&Handle::current().dump()), 10);
            drop(lost);
            dump_that(|dump| dump.num_goroutines() == 1).await;
        });
    }
}

#[test]
fn a_goroutine_is_an_orphan_from_when_its_last_waker_is_dropped() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_full(workers, async {
            let kept = Arc::new(Mutex::new(None));
            let keep = kept.clone();
            let goroutine = spawn(poll_fn(move |cx| {
                *keep.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            }));
            let _goroutine = goroutine.abort_on_drop();
            // Its poll may end only a moment after the goroutine says that it waits.
            let dump = dump_that(|dump| have_ages(dump) && waiting(dump) == 1).await;
            assert_eq!(orphans(&dump), 0, "{dump}");
            let waker = kept.lock().unwrap().take().unwrap();
            let another = waker.clone();
            drop(waker);
            assert_eq!(orphans(&Handle::current().dump()), 0);
            thread::spawn(move || drop(another)).join().unwrap();
            let dump = Handle::current().dump();
            assert_eq!(orphans(&dump), 1, "{dump}");
        });
    }
}

#[test]
fn who_waits_for_gorun_s_operations_is_no_orphan() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_full(workers, async {
            let (tx, rx) = channel::<u32>(0);
            let lock = Arc::new(gorun::sync::Mutex::new(1));
            let held = lock.lock().await;
            let (locks, inner) = (lock.clone(), rx.clone());
            let all = [
                spawn(async move { _ = rx.recv().await }).abort_on_drop(),
                spawn(async move { drop(locks.lock().await) }).abort_on_drop(),
                spawn(gorun::time::sleep(HOUR)).abort_on_drop(),
                spawn(async move { _ = spawn(async move { inner.recv().await }).await })
                    .abort_on_drop(),
            ];
            let dump = dump_that(|dump| waiting(dump) == all.len() + 1).await;
            assert_eq!(orphans(&dump), 0, "{dump}");
            drop(held);
            drop(tx);
        });
    }
}

/// The wake has dropped its handle before the goroutine is queued, which the poller does afterwards.
#[test]
fn a_goroutine_that_wakes_itself_by_value_is_no_orphan() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        assert_no_orphans(workers, async {
            let mut set = JoinSet::new();
            for _ in 0..4 {
                set.spawn(async {
                    for _ in 0..scaled(5000, 500) {
                        suspend_with(|cx| {
                            let waker = cx.waker().clone();
                            waker.wake();
                        })
                        .await;
                    }
                });
            }
            while set.join_next().await.is_some() {}
        });
    }
}

/// The waker is taken, and its wake comes later: then, while the goroutine is being polled, and while it waits.
#[test]
fn a_goroutine_whose_waker_is_on_its_way_is_no_orphan() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tell, told) = mpsc::channel::<Waker>();
        let wakes = thread::spawn(move || told.into_iter().for_each(Waker::wake));
        assert_no_orphans(workers, async move {
            let mut set = JoinSet::new();
            for _ in 0..4 {
                let tell = tell.clone();
                set.spawn(async move {
                    for _ in 0..scaled(5000, 500) {
                        suspend_with(|cx| tell.send(cx.waker().clone()).unwrap()).await;
                    }
                });
            }
            drop(tell);
            while set.join_next().await.is_some() {}
        });
        wakes.join().unwrap();
    }
}

#[test]
fn goroutines_that_pass_values_on_are_no_orphans() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        assert_no_orphans(workers, async {
            let (tx, rx) = channel::<u32>(0);
            let mut set = JoinSet::new();
            for _ in 0..3 {
                let (tx, rx) = (tx.clone(), rx.clone());
                set.spawn(async move {
                    for n in 0..scaled(3000, 300) {
                        tx.send(n as u32).await.unwrap();
                    }
                });
                set.spawn(async move {
                    for n in 0..scaled(3000, 300) {
                        rx.recv().await.unwrap();
                        if n % 16 == 0 {
                            yield_now().await;
                        }
                    }
                });
            }
            while set.join_next().await.is_some() {}
        });
    }
}

/// Otherwise a channel would register it anew at each poll, and a combinator would not know its own.
#[test]
fn the_waker_is_the_same_in_each_poll_and_on_each_thread() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_full(workers, async {
            let mut set = JoinSet::new();
            for _ in 0..8 {
                set.spawn(async {
                    let mut first: Option<Waker> = None;
                    for _ in 0..100 {
                        suspend_with(|cx| {
                            let first = first.get_or_insert_with(|| cx.waker().clone());
                            assert!(first.will_wake(cx.waker()) && cx.waker().will_wake(first));
                            cx.waker().wake_by_ref();
                        })
                        .await;
                    }
                });
            }
            while let Some(ended) = set.join_next().await {
                ended.unwrap();
            }
        });
    }
}

/// gorun knows a goroutine's own waker. With another one, once the budget is spent, who comes later in the same poll has
/// one operation.
#[test]
fn the_budget_is_the_same_as_without() {
    let _watchdog = watchdog();
    const PASSES: u32 = 10_000;
    for workers in WORKERS {
        let polls = |full| {
            let main = async {
                let polls = Arc::new(AtomicUsize::new(0));
                let counts = polls.clone();
                let passes = || async {
                    let (tx, rx) = channel::<u32>(1);
                    for n in 0..PASSES {
                        tx.send(n).await.unwrap();
                        rx.recv().await.unwrap();
                    }
                };
                let mut both = Box::pin(futures::future::join(passes(), passes()));
                spawn(poll_fn(move |cx: &mut Context<'_>| {
                    counts.fetch_add(1, SeqCst);
                    both.as_mut().poll(cx).map(drop)
                }))
                .await
                .unwrap();
                polls.load(SeqCst)
            };
            Builder::new().worker_threads(workers).full_diagnostics(full).block_on(main).unwrap()
        };
        let (with, without) = (polls(true), polls(false));
        // 256 to 1,024 operations for each of the two; the monitor ends a turn now and then.
        let operations = 2 * PASSES as usize;
        let expected = operations / 1024..2 * operations / 256;
        for polls in [with, without] {
            assert!(expected.contains(&polls), "{with} with, {without} without");
        }
    }
}

#[test]
fn an_orphan_can_be_aborted_and_is_dropped_when_main_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let dropped = Arc::new(AtomicUsize::new(0));
        let lost = || {
            let dropped = dropped.clone();
            let held = OnDrop(move || _ = dropped.fetch_add(1, SeqCst));
            async move {
                let _held = held;
                pending::<()>().await
            }
        };
        run_full(workers, async {
            let (aborted, _left) = (spawn(lost()), spawn(lost()));
            dump_that(|dump| orphans(dump) == 2).await;
            aborted.abort();
            aborted.await.unwrap_err();
            assert_eq!(dropped.load(SeqCst), 1);
        });
        assert_eq!(dropped.load(SeqCst), 2);
    }
}

#[test]
fn a_wait_is_as_old_as_its_last_poll_and_the_oldest_come_first() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_full(workers, async {
            let (tx, rx) = channel::<u32>(0);
            let twice = rx.clone();
            let line = line!() + 1;
            go!(async move { while twice.recv().await.is_some() {} });
            let age = Duration::from_millis(3);
            let first_group_is_old =
                |dump: &Dump| dump.groups().first().is_some_and(|group| group.longest >= Some(age));
            dump_that(first_group_is_old).await;
            // Many, so that they would be the first without an age.
            for _ in 0..10 {
                let rx = rx.clone();
                go!(async move { _ = rx.recv().await });
            }
            let dump = dump_that(|dump| have_ages(dump) && waiting(dump) == 11).await;
            let [old, young] = dump.groups() else { panic!("{dump}") };
            assert_eq!((old.spawned_at.line(), old.count, young.count), (line, 1, 10), "{dump}");
            assert!(old.longest > young.longest && young.longest.is_some(), "{dump}");
            assert!(dump.to_string().contains("1 goroutine [recv, "), "{dump}");
            // It gets this one, since it has waited longest.
            let now = Instant::now();
            tx.send(1).await.unwrap();
            let dump = dump_that(|dump| {
                let found = dump.groups().iter().find(|group| group.spawned_at.line() == line);
                found.is_some_and(|group| group.longest.is_some_and(|age| age <= now.elapsed()))
                    && have_ages(dump)
                    && waiting(dump) == 11
            })
            .await;
            assert_eq!(dump.groups()[0].count, 10, "{dump}");
            drop(tx);
        });
    }
}

#[test]
fn main_is_shown_with_how_long_it_has_waited() {
    let _watchdog = watchdog();
    run_full(2, async {
        let (tx, rx) = channel::<()>(1);
        let runtime = Handle::current();
        let looks = thread::spawn(move || {
            let age = Duration::from_millis(3);
            wait_until(|| runtime.dump().main_waited() >= Some(age));
            let text = runtime.dump().to_string();
            tx.try_send(()).unwrap();
            text
        });
        rx.recv().await.unwrap();
        let text = looks.join().unwrap();
        assert!(text.contains("main [recv, ") && text.contains("ms] at tests/diag"), "{text}");
    });
}

#[test]
fn without_it_nothing_is_known() {
    let _watchdog = watchdog();
    let main = async {
        let _lost = spawn(pending::<()>()).abort_on_drop();
        let dump = dump_that(|dump| waiting(dump) == 1).await;
        assert_eq!((dump.groups()[0].longest, orphans(&dump), dump.main_waited()), (None, 0, None));
        assert!(dump.to_string().contains("gorun's], spawned at"), "{dump}");
    };
    // The program's word goes before the environment's.
    Builder::new().full_diagnostics(false).block_on(main).unwrap();
}

#[test]
fn who_is_left_is_reported_with_its_age_and_as_an_orphan() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tell, told) = mpsc::channel();
        let main = async {
            go!(async { pending::<()>().await });
        };
        builder(workers)
            .on_exit(move |left| tell.send(left.clone()).unwrap())
            .block_on(main)
            .unwrap();
        let left = told.recv().unwrap();
        assert_eq!((left.num_goroutines(), orphans(&left)), (1, 1), "{left}");
        assert!(left.groups()[0].longest.is_some(), "{left}");
    }
}

#[test]
fn a_deadlock_is_reported_with_ages() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (end, ended) = futures::channel::oneshot::channel();
        let (end, (tell, told)) = (Mutex::new(Some(end)), mpsc::channel());
        let on_stall = move |stall: &Stall| {
            tell.send(stall.to_string()).unwrap();
            let end = end.lock().unwrap().take();
            end.into_iter().for_each(|end| end.send(()).unwrap());
        };
        let main = async {
            let (tx, rx) = channel::<u32>(0);
            let other = tx.clone();
            spawn(async move { _ = other.send(1).await }).detach();
            ended.await.unwrap();
            drop((tx, rx));
        };
        builder(workers).on_stall(Duration::from_millis(20), on_stall).block_on(main).unwrap();
        let stall = told.recv().unwrap();
        assert!(stall.contains("main [waits for a future that is not gorun's, "), "{stall}");
        assert!(stall.contains("1 goroutine [send, "), "{stall}");
    }
}

#[test]
fn the_environment_asks_for_it() {
    let _watchdog = watchdog();
    if is_child() {
        let main = async {
            let (tx, rx) = channel::<u32>(0);
            spawn(async move { _ = rx.recv().await }).detach();
            dump_that(|dump| waiting(dump) == 1).await;
            tx
        };
        drop(Builder::new().block_on(main).unwrap());
        return;
    }
    for (value, shown) in [("full", "1 goroutine [recv, "), (" off ", "1 goroutine [recv] at ")] {
        let variables = [("GORUN_DIAGNOSTICS", value), ("GORUN_LEAKS", "1")];
        let told = stderr(&child("the_environment_asks_for_it", &variables, ""));
        assert!(told.contains(shown), "{value}: {told}");
    }
}

#[test]
fn a_value_of_the_variable_that_is_none_is_an_error() {
    let _watchdog = watchdog();
    if is_child() {
        let error = Builder::new().block_on(async {}).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("GORUN_DIAGNOSTICS is \"some\"; set it to full"),
            "{error}"
        );
        return;
    }
    let test = "a_value_of_the_variable_that_is_none_is_an_error";
    child_passes(test, &[("GORUN_DIAGNOSTICS", "some")], "");
}

/// Also for those that never wait.
#[test]
fn a_goroutine_that_panics_or_ends_at_once_is_what_it_is_without() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_full(workers, async {
            let panics = spawn(async { panic!("so it does") });
            assert!(panics.await.unwrap_err().is_panic());
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
            let late = spawn(async {
                yield_now().await;
                panic!("so it does")
            });
            assert!(late.await.unwrap_err().is_panic());
            // On the thread of that poll other goroutines have their own wakers again.
            assert_eq!(spawn(async { spawn(async { 2 }).await.unwrap() }).await.unwrap(), 2);
            dump_that(|dump| dump.num_goroutines() == 1).await;
        });
    }
}

#[test]
fn a_trace_beside_it_names_the_goroutines_as_ever() {
    let _watchdog = watchdog();
    let main = async {
        let (tx, rx) = channel::<u32>(0);
        let receiver = spawn(async move { rx.recv().await.unwrap() });
        tx.send(7).await.unwrap();
        assert_eq!(receiver.await.unwrap(), 7);
        let mut file = Vec::new();
        Handle::current().write_trace(&mut file).unwrap();
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.contains("tests/diagnostics.rs:"), "{text}");
    };
    builder(2).trace(1000).block_on(main).unwrap();
}

/// Between any two steps, and with the simulation's time.
#[test]
fn in_a_simulation_who_forgets_its_waker_is_an_orphan_and_nobody_else() {
    let _watchdog = watchdog();
    let program = || {
        run_full(1, async {
            let _lost = spawn(pending::<()>()).abort_on_drop();
            let _sleeps = spawn(gorun::time::sleep(HOUR)).abort_on_drop();
            let mut set = JoinSet::new();
            for _ in 0..3 {
                set.spawn(async {
                    for _ in 0..3 {
                        suspend_with(|cx| {
                            let waker = cx.waker().clone();
                            waker.wake();
                        })
                        .await;
                        let dump = Handle::current().dump();
                        assert!(orphans(&dump) <= 1, "{dump}");
                    }
                });
            }
            while let Some(ended) = set.join_next().await {
                ended.unwrap();
            }
            gorun::time::sleep(Duration::from_secs(120)).await;
            let text = Handle::current().dump().to_string();
            assert!(text.contains("[waits for a future that is not gorun's, 2m]"), "{text}");
            assert!(text.contains("1 goroutine [sleep, 2m]"), "{text}");
            assert!(text.matches("; nobody can wake it").count() == 1, "{text}");
        });
    };
    gorun::sim::Sim::new().schedules(scaled(1000, 200) as u64).check_program(program);
}
