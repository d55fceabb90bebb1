//! Wait groups: counting up and down, waiting, and goroutines that count themselves.

mod common;

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use common::*;
use futures::FutureExt;
use futures::channel::oneshot;
use gorun::{
    Builder, UnhandledPanic, Wait, WaitGroup, go, num_goroutines, select, spawn, yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];

fn poll_once(wait: &mut Wait<'_>) -> bool {
    poll_with(wait, Waker::noop())
}

fn poll_with(wait: &mut Wait<'_>, waker: &Waker) -> bool {
    Pin::new(wait).poll(&mut Context::from_waker(waker)).is_ready()
}

fn counter(group: &WaitGroup) -> String {
    format!("{group:?}")
}

const ZERO: &str = "WaitGroup { counter: 0 }";

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Calls a function when it is woken.
struct Call<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)()
    }
}

fn calls(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Call(f)))
}

fn ignoring(workers: usize) -> Builder {
    Builder::new().worker_threads(workers).unhandled_panic(UnhandledPanic::Ignore)
}

// What Go's own tests check.

/// Sixteen goroutines count one group down and then wait for another: nobody gets past either too
/// soon, nobody stays behind, and both groups serve eight times. Mirrors `TestWaitGroup`.
#[test]
fn nobody_passes_a_barrier_too_soon_or_stays_behind_it_however_often_it_is_used() {
    const COUNT: usize = 16;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (first, second) = (WaitGroup::new(), WaitGroup::new());
            for _ in 0..8 {
                first.add(COUNT);
                second.add(COUNT);
                let exited = Arc::new(AtomicUsize::new(0));
                for _ in 0..COUNT {
                    let (first, second) = (first.clone(), second.clone());
                    let exited = exited.clone();
                    go!(async move {
                        first.done();
                        second.wait().await;
                        exited.fetch_add(1, SeqCst);
                    });
                }
                first.wait().await;
                for _ in 0..COUNT {
                    assert_eq!(exited.load(SeqCst), 0, "released too soon");
                    second.done();
                }
                yield_until(|| exited.load(SeqCst) == COUNT).await;
            }
        });
    }
}

/// One `done` too many panics where it is called, and the group goes on. Mirrors
/// `TestWaitGroupMisuse`.
#[test]
fn one_done_too_many_panics_at_its_line_and_leaves_the_group_usable() {
    let group = WaitGroup::new();
    group.add(1);
    group.done();
    for _ in 0..2 {
        let line = line!() + 1;
        let seen = panic_of(|| group.done());
        assert_eq!((&*seen.file, seen.line), (file!(), line));
        assert!(seen.message.contains("counter would be negative"), "{}", seen.message);
        assert_eq!(counter(&group), ZERO);
    }
    group.add(1);
    let mut wait = group.wait();
    assert!(!poll_once(&mut wait));
    group.done();
    assert!(poll_once(&mut wait));
}

/// A wait for two goroutines never ends after one of them, whoever is first. Mirrors
/// `TestWaitGroupRace`.
#[test]
fn a_wait_ends_when_the_last_one_is_done_and_not_before() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..1000 {
                let (group, n) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
                for _ in 0..2 {
                    group.add(1);
                    let (group, n) = (group.clone(), n.clone());
                    go!(async move {
                        n.fetch_add(1, SeqCst);
                        group.done();
                    });
                }
                group.wait().await;
                assert_eq!(n.load(SeqCst), 2);
            }
        });
    }
}

/// What a goroutine started by `go` has done is seen after the wait. Mirrors `TestWaitGroupGo`.
#[test]
fn what_a_counted_goroutine_did_is_seen_after_the_wait() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (group, n) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
            group.go({
                let n = n.clone();
                async move {
                    // Ordered by the group alone.
                    n.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
            group.wait().await;
            assert_eq!(n.load(std::sync::atomic::Ordering::Relaxed), 1);
        });
    }
}

/// Main may look again and again, and come to no await before it sees that the counter is at zero.
#[test]
fn main_that_only_looks_is_told_of_zero_after_a_goroutine_has_panicked() {
    for workers in WORKERS {
        let (by_select, by_now_or_never) = (flag(), flag());
        let payload = payload_of(|| {
            run(workers, async {
                let group = WaitGroup::new();
                group.go(async { panic!("boom") });
                // A thread is not main, and gets past.
                let waits = group.clone();
                thread::spawn(move || futures::executor::block_on(waits.wait())).join().unwrap();
                select! {
                    _ = group.wait() => by_select.store(true, SeqCst),
                    default => {}
                }
                by_now_or_never.store(group.wait().now_or_never().is_some(), SeqCst);
            })
        });
        assert_eq!(message(&*payload), Some("boom"));
        assert!(by_select.load(SeqCst), "`select!` found it not at zero");
        assert!(by_now_or_never.load(SeqCst), "`now_or_never` found it not at zero");
    }
}

/// A panic of a goroutine started by `go` ends the program, and main never gets past its wait.
/// Mirrors `TestIssue76126`; here in one process, often, and with each way to be late for it.
#[test]
fn main_does_not_get_past_a_wait_for_a_goroutine_that_panics() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for round in 0..100 {
            let past = flag();
            let payload = payload_of(|| {
                run(workers, async {
                    let group = WaitGroup::new();
                    group.go(async move {
                        if round % 2 == 0 {
                            yield_now().await;
                        }
                        panic!("boom")
                    });
                    if round % 3 == 0 {
                        // It is over before main polls the wait for the first time.
                        wait_until(|| counter(&group) == ZERO);
                    }
                    group.wait().await;
                    past.store(true, SeqCst);
                })
            });
            assert_eq!(message(&*payload), Some("boom"));
            assert!(!past.load(SeqCst), "the wait returned");
        }
    }
}

/// The same in a process of its own, which ends with 101 and says where the goroutine was started.
#[test]
fn a_counted_goroutine_that_panics_ends_the_process_and_is_reported_once() {
    const LINE: u32 = line!() + 5;
    let _watchdog = watchdog();
    if is_child() {
        gorun::block_on(async {
            let group = WaitGroup::new();
            group.go(async { panic!("boom at sea") });
            group.wait().await;
            panic!("the wait returned");
        });
        return;
    }
    let test = "a_counted_goroutine_that_panics_ends_the_process_and_is_reported_once";
    let output = child(test, &[], "");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert_eq!(text.matches("boom at sea").count(), 1, "{text}");
    assert!(!text.contains("the wait returned"), "{text}");
    let report = format!("gorun: unhandled panic in the goroutine spawned at {}:{LINE}:", file!());
    assert_eq!(text.matches(&report).count(), 1, "{text}");
}

// Counting and waiting.

#[test]
fn a_zero_shorter_than_a_poll_completes_those_who_waited_and_only_them() {
    let group = WaitGroup::new();
    group.add(1);
    let mut before = group.wait();
    assert!(!poll_once(&mut before));
    group.done();
    group.add(1);
    let mut after = group.wait();
    assert!(!poll_once(&mut after));
    assert!(poll_once(&mut before));
    assert!(!poll_once(&mut after));
    group.done();
    assert!(poll_once(&mut after));
}

#[test]
fn a_wait_begins_with_its_first_poll() {
    let group = WaitGroup::new();
    let mut wait = group.wait();
    group.add(1);
    assert!(!poll_once(&mut wait));
    group.done();
    assert!(poll_once(&mut wait));
    // And again.
    group.add(1);
    assert!(!poll_once(&mut wait));
}

#[test]
fn too_large_a_count_panics_at_the_line_of_add_and_changes_nothing() {
    let group = WaitGroup::default();
    group.add(0);
    assert_eq!(counter(&group), ZERO);
    group.add(usize::MAX);
    let line = line!() + 1;
    let seen = panic_of(|| group.add(1));
    assert_eq!((&*seen.file, seen.line), (file!(), line));
    assert!(seen.message.contains("more than it can count"), "{}", seen.message);
    assert_eq!(counter(&group), format!("WaitGroup {{ counter: {} }}", usize::MAX));
    group.done();
    group.add(1);
}

#[test]
fn a_waiter_dropped_forgets_its_waker_and_disturbs_nobody() {
    let group = WaitGroup::new();
    group.add(1);
    let wakes: [Arc<Count>; 3] = Default::default();
    let wakers = wakes.clone().map(Waker::from);
    let [mut one, mut two, mut three] = [group.wait(), group.wait(), group.wait()];
    assert!(!poll_with(&mut one, &wakers[0]) && !poll_with(&mut two, &wakers[1]));
    drop(one);
    // `wakes`, `wakers`.
    assert_eq!(Arc::strong_count(&wakes[0]), 2);
    group.done();
    group.add(1);
    // In the place that `two` had in the last round.
    assert!(!poll_with(&mut three, &wakers[2]));
    drop(two);
    group.done();
    assert_eq!(wakes.map(|count| count.0.load(SeqCst)), [0, 1, 1]);
    assert!(poll_once(&mut three));
}

#[test]
fn of_the_wakers_of_one_waiter_the_last_is_woken() {
    let group = WaitGroup::new();
    group.add(1);
    let wakes: [Arc<Count>; 2] = Default::default();
    let mut wait = group.wait();
    for count in &wakes {
        assert!(!poll_with(&mut wait, &count.clone().into()));
    }
    assert_eq!(Arc::strong_count(&wakes[0]), 1);
    group.done();
    assert_eq!(wakes.map(|count| count.0.load(SeqCst)), [0, 1]);
}

#[test]
fn a_waker_may_use_the_group() {
    let _watchdog = watchdog();
    let group = WaitGroup::new();
    group.add(1);
    let mut wait = group.wait();
    let used = flag();
    let waker = calls({
        let (group, used) = (group.clone(), used.clone());
        move || {
            group.add(1);
            let mut wait = group.wait();
            assert!(!poll_once(&mut wait));
            group.done();
            assert!(poll_once(&mut wait));
            used.store(true, SeqCst);
        }
    });
    assert!(!poll_with(&mut wait, &waker));
    group.done();
    assert!(used.load(SeqCst) && poll_once(&mut wait));
}

#[test]
fn a_wakers_destructor_may_use_the_group() {
    let _watchdog = watchdog();
    let group = WaitGroup::new();
    let used = Arc::new(AtomicUsize::new(0));
    let waker = || {
        let (group, used) = (group.clone(), used.clone());
        let user = Mutex::new(OnDrop(move || {
            group.add(1);
            assert!(!poll_once(&mut group.wait()));
            group.done();
            used.fetch_add(1, SeqCst);
        }));
        calls(move || drop(user.lock()))
    };
    group.add(1);
    let mut wait = group.wait();
    assert!(!poll_with(&mut wait, &waker()));
    // Replaced, dropped with the wait, woken.
    assert!(!poll_with(&mut wait, &waker()));
    // The destructor has brought about a zero.
    assert_eq!(used.load(SeqCst), 1);
    group.done();
    drop(wait);
    assert_eq!(used.load(SeqCst), 2);
    group.add(1);
    let mut wait = group.wait();
    assert!(!poll_with(&mut wait, &waker()));
    drop(wait);
    assert_eq!(used.load(SeqCst), 3);
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    quiet();
    let group = WaitGroup::new();
    group.add(1);
    let woken = Arc::new(Count::default());
    let mut waits = [group.wait(), group.wait(), group.wait()];
    assert!(!poll_with(&mut waits[0], &woken.clone().into()));
    assert!(!poll_with(&mut waits[1], &calls(|| panic!("boom"))));
    assert!(!poll_with(&mut waits[2], &woken.clone().into()));
    group.done();
    assert_eq!(woken.0.load(SeqCst), 2);
    assert!(waits.iter_mut().all(poll_once));
}

#[test]
fn main_goroutines_and_foreign_executors_wait_at_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let group = WaitGroup::new();
        group.add(1);
        let passed = Arc::new(AtomicUsize::new(0));
        let wait = || {
            let (group, passed) = (group.clone(), passed.clone());
            async move {
                group.wait().await;
                passed.fetch_add(1, SeqCst);
            }
        };
        let threads: Vec<_> =
            (0..4).map(|_| wait()).map(|wait| thread::spawn(|| block_on(wait))).collect();
        run(workers, async {
            let waiting: Vec<_> = (0..100).map(|_| spawn(wait())).collect();
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!(passed.load(SeqCst), 0);
            let last = group.clone();
            go!(async move { last.done() });
            wait().await;
            for waiting in waiting {
                waiting.await.unwrap();
            }
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(passed.load(SeqCst), 105);
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

/// Threads count up and down, never together below one; in each round each group comes to zero once,
/// for a moment, and everybody who has waited since before goes on to the next.
#[test]
fn rounds_in_a_race_of_threads_end_each_with_one_short_zero() {
    const THREADS: usize = 4;
    fn pass(group: &WaitGroup) {
        // Before the zero: after it others count up again.
        let mut wait = group.wait();
        assert!(!poll_once(&mut wait));
        group.done();
        block_on(wait);
    }
    let _watchdog = watchdog();
    let (arrive, leave) = (WaitGroup::new(), WaitGroup::new());
    let arrived = AtomicUsize::new(0);
    arrive.add(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=500 {
                    leave.add(1);
                    for _ in 0..round % 5 {
                        arrive.add(2);
                        arrive.done();
                        arrive.done();
                    }
                    arrived.fetch_add(1, SeqCst);
                    pass(&arrive);
                    assert!(arrived.load(SeqCst) >= round * THREADS);
                    arrive.add(1);
                    pass(&leave);
                }
            });
        }
    });
    assert_eq!(arrived.into_inner(), 500 * THREADS);
}

// Goroutines that count themselves.

#[test]
fn a_goroutine_is_counted_before_it_is_spawned_and_is_gone_when_the_wait_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..200 {
                let (group, dropped) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
                let (go, gone) = oneshot::channel::<()>();
                let count = dropped.clone();
                let guard = OnDrop(move || {
                    (0..20).for_each(|_| thread::yield_now());
                    count.fetch_add(1, SeqCst);
                });
                // Some larger than what is stored unboxed.
                let ballast = [0u8; 2000];
                let is_large = round % 2 == 0;
                if is_large {
                    group.go(async move {
                        let _guard = guard;
                        gone.await.unwrap();
                        assert_eq!(ballast.len(), 2000);
                    });
                } else {
                    group.go(async move {
                        let _guard = guard;
                        gone.await.unwrap();
                    });
                }
                assert_eq!(counter(&group), "WaitGroup { counter: 1 }");
                go.send(()).unwrap();
                group.wait().await;
                assert_eq!((dropped.load(SeqCst), num_goroutines()), (1, 1));
            }
        });
    }
}

#[test]
fn go_outside_a_runtime_panics_as_spawn_does_and_counts_nothing() {
    let group = WaitGroup::new();
    let dropped = flag();
    let guard = OnDrop({
        let dropped = dropped.clone();
        move || dropped.store(true, SeqCst)
    });
    let line = line!() + 2;
    let seen = panic_of(|| {
        group.go(async move {
            let _guard = guard;
        })
    });
    assert_eq!((&*seen.file, seen.line), (file!(), line));
    assert!(seen.message.contains("belongs to no gorun runtime"), "{}", seen.message);
    assert_eq!(counter(&group), ZERO);
    assert!(dropped.load(SeqCst));
}

#[test]
fn a_destructor_that_panics_in_go_outside_a_runtime_neither_hides_the_error_nor_is_left_counted() {
    let _watchdog = watchdog();
    let group = WaitGroup::new();
    let guard = OnDrop(|| panic!("boom"));
    let seen = panic_of(|| {
        group.go(async move {
            let _guard = guard;
        })
    });
    assert!(seen.message.contains("belongs to no gorun runtime"), "{}", seen.message);
    assert_eq!(counter(&group), ZERO);
}

#[test]
fn a_wait_can_be_debugged_before_and_after_the_zero() {
    let group = WaitGroup::new();
    group.add(1);
    let mut wait = group.wait();
    assert!(!poll_once(&mut wait));
    assert_eq!(format!("{wait:?}"), "Wait { counter: 1 }");
    group.done();
    assert_eq!(format!("{wait:?}"), "Wait { counter: 0 }");
    assert!(poll_once(&mut wait));
}

#[test]
fn ignored_panics_of_polls_and_destructors_count_down() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let group = WaitGroup::new();
        ignoring(workers)
            .block_on(async {
                for _ in 0..100 {
                    group.go(async { panic!("boom") });
                    group.go(async {
                        yield_now().await;
                        panic!("boom")
                    });
                    group.go(async { drop(OnDrop(|| panic!("boom"))) });
                    let bomb = OnDrop(|| panic!("boom"));
                    group.go(async move {
                        let _bomb = bomb;
                        yield_now().await;
                    });
                    group.wait().await;
                    assert_eq!(num_goroutines(), 1);
                }
            })
            .unwrap();
    }
}

/// The destructor of a future that has completed is its goroutine's code as well.
#[test]
fn main_does_not_get_past_a_wait_for_a_goroutine_whose_destructor_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom")
        }
    }
    /// Ready at once, and dropped by the scheduler.
    struct Ready(#[allow(dead_code)] Bomb);
    impl Future for Ready {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        for _ in 0..50 {
            let past = flag();
            let payload = payload_of(|| {
                run(workers, async {
                    let group = WaitGroup::new();
                    group.go(Ready(Bomb));
                    group.wait().await;
                    past.store(true, SeqCst);
                })
            });
            assert_eq!(message(&*payload), Some("boom"));
            assert!(!past.load(SeqCst), "the wait returned");
        }
    }
}

#[test]
fn of_two_panics_of_a_counted_goroutine_the_first_wins() {
    /// Panics in its poll, and again when dropped.
    struct Both;
    impl Future for Both {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("boom 1")
        }
    }
    impl Drop for Both {
        fn drop(&mut self) {
            panic!("boom 2")
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        let payload = payload_of(|| {
            run(workers, async {
                let group = WaitGroup::new();
                group.go(Both);
                group.wait().await;
            })
        });
        assert_eq!(message(&*payload), Some("boom 1"));
    }
}

/// Main waits through an executor that is not gorun's, which nobody can interrupt: it goes on, to
/// its next await.
#[test]
fn a_wait_of_main_in_a_foreign_executor_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (past_block_on, past_await) = (flag(), flag());
        let payload = payload_of(|| {
            run(workers, async {
                let group = WaitGroup::new();
                group.go(async { panic!("boom") });
                block_on(group.wait());
                past_block_on.store(true, SeqCst);
                yield_now().await;
                past_await.store(true, SeqCst);
            })
        });
        assert_eq!(message(&*payload), Some("boom"));
        assert!(past_block_on.load(SeqCst) && !past_await.load(SeqCst));
    }
}

#[test]
fn goroutines_cancelled_by_exit_count_down_and_the_group_outlives_the_runtime() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let group = WaitGroup::new();
        let waiter = thread::spawn({
            let group = group.clone();
            group.add(1);
            move || block_on(group.wait())
        });
        let drops = Drops::new(20);
        patient(workers)
            .block_on(async {
                for i in 0..20 {
                    let probe = drops.probe(i);
                    group.go(async move {
                        let _probe = probe;
                        pending::<()>().await;
                    });
                    // So that some are parked, and some have not run.
                    if i == 10 {
                        yield_now().await;
                    }
                }
                assert_eq!(counter(&group), "WaitGroup { counter: 21 }");
                group.done();
            })
            .unwrap();
        waiter.join().unwrap();
        drops.assert_each_once_off_main(workers);
        assert_eq!(counter(&group), ZERO);
        group.add(1);
        thread::spawn({
            let group = group.clone();
            move || group.done()
        });
        block_on(group.wait());
    }
}

#[test]
fn go_while_the_runtime_is_closing_drops_the_future_and_counts_down() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let group = WaitGroup::new();
        let (polled, dropped) = (flag(), flag());
        let late = {
            let (group, polled, dropped) = (group.clone(), polled.clone(), dropped.clone());
            OnDrop(move || {
                let (polled, dropped) = (polled.clone(), dropped.clone());
                let guard = OnDrop(move || dropped.store(true, SeqCst));
                group.go(async move {
                    let _guard = guard;
                    polled.store(true, SeqCst);
                });
                assert_eq!(counter(&group), ZERO);
                assert!(poll_once(&mut group.wait()));
            })
        };
        end_while_parked(workers, late);
        assert!(dropped.load(SeqCst) && !polled.load(SeqCst));
    }
}

#[test]
fn a_goroutine_somebody_else_has_counted_down_panics_when_it_counts_itself() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let payload = payload_of(|| {
            run(workers, async {
                let group = WaitGroup::new();
                let (go, gone) = oneshot::channel::<()>();
                group.go(async move { gone.await.unwrap() });
                group.done();
                group.wait().await;
                go.send(()).unwrap();
                pending::<()>().await;
            })
        });
        let text = message(&*payload).unwrap();
        assert!(text.contains("counter would be negative") && text.contains(file!()), "{text}");
    }
}

/// Goroutines start others of the same group, while main waits.
#[test]
fn a_tree_of_counted_goroutines_is_waited_for_as_a_whole() {
    // An `async fn` that starts itself does not compile.
    #[allow(clippy::manual_async_fn)]
    fn grow(
        group: WaitGroup,
        leaves: Arc<AtomicUsize>,
        depth: u32,
    ) -> impl Future<Output = ()> + Send {
        async move {
            if depth == 0 {
                leaves.fetch_add(1, SeqCst);
                return;
            }
            for _ in 0..2 {
                group.go(grow(group.clone(), leaves.clone(), depth - 1));
            }
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (group, leaves) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
            for round in 1..=10 {
                group.go(grow(group.clone(), leaves.clone(), 8));
                group.wait().await;
                assert_eq!(leaves.load(SeqCst), round << 8);
            }
        });
    }
}

/// Waits come and go while others count.
#[test]
fn waits_that_are_dropped_at_any_moment_lose_nothing_for_others() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..200 {
                let group = WaitGroup::new();
                let stop = Arc::new(AtomicBool::new(false));
                for _ in 0..4 {
                    group.go(yield_now());
                }
                let fickle = {
                    let (group, stop) = (group.clone(), stop.clone());
                    spawn(async move {
                        while !stop.load(SeqCst) {
                            let wait = pin!(group.wait());
                            futures::future::select(wait, pin!(yield_now())).await;
                        }
                    })
                };
                group.wait().await;
                stop.store(true, SeqCst);
                fickle.await.unwrap();
            }
        });
    }
}

#[test]
fn a_group_is_not_poisoned_by_a_panic_while_it_is_used() {
    quiet();
    let group = WaitGroup::new();
    group.add(1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut wait = group.wait();
        assert!(!poll_once(&mut wait));
        panic!("boom")
    }));
    assert!(result.is_err());
    group.done();
    assert!(poll_once(&mut group.wait()));
}
