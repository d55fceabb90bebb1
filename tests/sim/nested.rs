//! `block_on` inside a simulation, and other things that occupy a thread.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gorun::sim::Sim;
use gorun::{WaitGroup, block_on, blocking, channel, go, spawn, spawn_local, yield_now};

#[test]
fn a_goroutine_that_blocks_on_main_is_deadlocked() {
    Sim::new().schedules(100).check(|| async {
        let ((to_tx, to), (from_tx, from)) = (channel(0), channel(0));
        go!(async move {
            while let Some(n) = block_on(async { to.recv().await }) {
                block_on(async { from_tx.send(n + 1).await.unwrap() });
            }
        });
        for n in 0..5 {
            to_tx.send(n).await.unwrap();
            assert_eq!(from.recv().await, Some(n + 1));
        }
    });
}

#[test]
fn goroutines_that_block_on_each_other_are_deadlocked() {
    Sim::new().schedules(100).check(|| async {
        let (mut first, group) = (None, WaitGroup::new());
        let (start, mut receiver) = channel::<usize>(0);
        for _ in 0..5 {
            let (tx, rx) = channel(0);
            let from = std::mem::replace(&mut receiver, rx);
            group.go(async move {
                block_on(async {
                    let n = from.recv().await.unwrap();
                    block_on(tx.send(n + 1)).unwrap();
                });
            });
            first.get_or_insert(());
        }
        start.send(0).await.unwrap();
        assert_eq!(receiver.recv().await, Some(5));
        group.wait().await;
    });
}

#[test]
fn main_that_blocks_keeps_goroutines_from_running() {
    Sim::new().schedules(100).check(|| async {
        let (tx, rx) = channel(0);
        go!(async move { tx.send(1).await.unwrap() });
        assert_eq!(block_on(async { block_on(rx.recv()) }), Some(1));
    });
}

#[test]
fn a_deadlock_in_a_nested_block_on_hangs() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Drops(Arc<AtomicUsize>);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let failure = Sim::new()
        .run(|| {
            let dropped = dropped.clone();
            async move {
                let drops = Drops(dropped);
                spawn(async move {
                    let _drops = drops;
                    block_on(std::future::pending::<()>());
                })
                .await
                .unwrap();
            }
        })
        .unwrap_err();
    assert!(failure.to_string().contains("a deadlock"), "{failure}");
    assert!(dropped.load(SeqCst) > 0);
}

#[test]
fn the_end_of_main_waits_for_a_nested_block_on() {
    Sim::new().schedules(20).allow_leaks().check(|| async {
        spawn(async { block_on(std::future::pending::<()>()) }).detach();
        yield_now().await;
    });
}

#[test]
fn what_blocks_runs_on_another_thread() {
    Sim::new().schedules(20).check(|| async {
        let current = || std::thread::current().id();
        let goroutine = spawn(async move { blocking(current) == current() });
        assert!(goroutine.await.unwrap());
    });
}

#[test]
fn local_futures_do_not_run() {
    Sim::new().schedules(50).check(|| async {
        let count = Rc::new(Cell::new(0));
        let (tx, rx) = channel(0);
        let local = spawn_local({
            let count = count.clone();
            async move {
                while let Some(n) = rx.recv().await {
                    count.set(count.get() + n);
                }
            }
        });
        let sender = spawn(async move {
            for n in 0..4 {
                tx.send(n).await.unwrap();
            }
        });
        sender.await.unwrap();
        local.await.unwrap();
        assert_eq!(count.get(), 6);
    });
}

/// Waits in its destructor until a goroutine answers.
struct Farewell(gorun::Sender<()>);

impl Drop for Farewell {
    fn drop(&mut self) {
        _ = block_on(self.0.send(()));
    }
}

#[test]
fn destructors_that_block_abort_the_process() {
    Sim::new().schedules(50).check(|| async {
        let (tx, rx) = channel(0);
        let goroutine = spawn(async move {
            let _both = (Farewell(tx.clone()), Farewell(tx));
            yield_now().await;
            panic!("while they are there");
        });
        while rx.recv().await.is_some() {}
        assert!(goroutine.await.unwrap_err().is_panic());
    });
}

#[test]
fn a_destructor_of_main_that_blocks_after_a_failure_hangs() {
    let failure = Sim::new().run(|| async {
        let (tx, rx) = channel(0);
        go!(async move { while rx.recv().await.is_some() {} });
        let _both = (Farewell(tx.clone()), Farewell(tx));
        block_on(async { panic!("main's own") });
    });
    assert!(failure.unwrap_err().to_string().contains("main's own"));
    let failure = Sim::new().run(|| async {
        let (tx, _rx) = channel(0);
        let _farewell = Farewell(tx);
        std::future::pending::<()>().await;
    });
    assert!(failure.unwrap_err().to_string().contains("a deadlock"));
}

#[test]
fn a_value_that_is_made_once_is_poisoned() {
    use std::sync::LazyLock;
    static MADE: LazyLock<usize> = LazyLock::new(|| {
        block_on(async {
            yield_now().await;
            7
        })
    });
    let made = || async { assert_eq!(spawn(async { *MADE }).await.unwrap(), 7) };
    // The second run does not make it.
    let failure = Sim::new().schedules(20).run(made).unwrap_err().to_string();
    assert!(failure.contains("do not lead to the same steps"), "{failure}");
    Sim::new().schedules(20).check(made);
}

#[test]
fn a_panic_beside_a_nested_block_on_is_reported_as_a_deadlock() {
    let failure = Sim::new().run(|| async {
        spawn(async {
            block_on(yield_now());
            panic!("nobody sees this");
        })
        .detach();
        std::future::pending::<()>().await;
    });
    let report = failure.unwrap_err().to_string();
    assert!(report.contains("nobody sees this"), "{report}");
}

#[test]
fn a_goroutine_that_is_cancelled_in_a_nested_block_on_seems_to_panic() {
    use std::sync::Mutex;
    type Kept = Mutex<Option<gorun::JoinHandle<()>>>;
    static KEPT: Kept = Mutex::new(None);
    Sim::new().schedules(5).allow_leaks().check_program(|| {
        gorun::block_on(async {
            let goroutine = spawn(async { block_on(std::future::pending::<()>()) });
            yield_now().await;
            *KEPT.lock().unwrap() = Some(goroutine);
        });
        let goroutine = KEPT.lock().unwrap().take().unwrap();
        let ended = futures::executor::block_on(goroutine);
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_panic_of_a_goroutine_does_not_let_a_destructor_of_main_end() {
    let failure = Sim::new().run(|| async {
        let (tx, rx) = channel(0);
        go!(async move {
            rx.recv().await;
            // Others must still run while main waits in its destructor.
            while rx.recv().await.is_some() {}
        });
        spawn(async {
            yield_now().await;
            panic!("nobody sees this");
        })
        .detach();
        let _both = (Farewell(tx.clone()), Farewell(tx));
        block_on(std::future::pending::<()>());
    });
    let report = failure.unwrap_err().to_string();
    assert!(report.contains("nobody sees this"), "{report}");
}
