//! Who runs when: nothing is lost, nothing starves, nothing runs under a lock.

mod common;

use std::future::{Future, pending, poll_fn};
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, bounded, unbounded};
use common::*;
use futures::channel::oneshot;
use futures::task::AtomicWaker;
use gorun::{Builder, Handle, JoinHandle, num_goroutines, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLION: usize = 1_000_000;

/// Completes its waiter when the last of so many goroutines has counted itself.
struct Countdown {
    /// How often each has run.
    runs: Vec<AtomicU8>,
    left: AtomicUsize,
    waiter: AtomicWaker,
}

impl Countdown {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Countdown {
            runs: (0..count).map(|_| AtomicU8::new(0)).collect(),
            left: AtomicUsize::new(count),
            waiter: AtomicWaker::new(),
        })
    }

    fn count(&self, index: usize) {
        self.runs[index].fetch_add(1, SeqCst);
        if self.left.fetch_sub(1, SeqCst) == 1 {
            self.waiter.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            self.waiter.register(cx.waker());
            if self.left.load(SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }

    fn check(&self) {
        assert!(self.runs.iter().all(|runs| runs.load(SeqCst) == 1));
    }
}

// Many.

#[test]
fn a_million_spawned_by_main_each_run_once() {
    let _watchdog = watchdog();
    for (workers, count) in [(2, MILLION), (1, MILLION / 5), (16, MILLION / 5)] {
        run(workers, async {
            let countdown = Countdown::new(count);
            for index in 0..count {
                let countdown = countdown.clone();
                spawn(async move { countdown.count(index) });
            }
            countdown.wait().await;
            countdown.check();
        });
    }
}

#[test]
fn a_million_spawned_by_a_goroutine_each_run_once() {
    let _watchdog = watchdog();
    for (workers, count) in [(2, MILLION), (1, MILLION / 5), (16, MILLION / 5)] {
        run(workers, async {
            let countdown = Countdown::new(count);
            let spawner = spawn({
                let countdown = countdown.clone();
                async move {
                    for index in 0..count {
                        let countdown = countdown.clone();
                        spawn(async move {
                            if index % 4 == 0 {
                                yield_now().await;
                            }
                            countdown.count(index);
                        });
                    }
                }
            });
            spawner.await.unwrap();
            countdown.wait().await;
            countdown.check();
        });
    }
}

#[test]
fn a_million_spawned_by_eight_foreign_threads_each_run_once() {
    const THREADS: usize = 8;
    let _watchdog = watchdog();
    for (workers, count) in [(2, MILLION), (1, MILLION / 5), (16, MILLION / 5)] {
        run(workers, async {
            let countdown = Countdown::new(count);
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (runtime, countdown) = (Handle::current(), countdown.clone());
                    thread::spawn(move || {
                        for index in (thread..count).step_by(THREADS) {
                            let countdown = countdown.clone();
                            runtime.spawn(async move { countdown.count(index) });
                        }
                    })
                })
                .collect();
            countdown.wait().await;
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            countdown.check();
        });
    }
}

/// The sum of the numbers of the leaves of a tree whose every node is a goroutine.
fn skynet(first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let part = leaves / 10;
        let children: Vec<_> =
            (0..10).map(|child| spawn(skynet(first + child * part, part))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

#[test]
fn a_tree_of_joins_has_the_same_sum_with_any_number_of_workers() {
    const LEAVES: u64 = 100_000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        let sum = run(workers, async { spawn(skynet(0, LEAVES)).await.unwrap() });
        assert_eq!(sum, LEAVES * (LEAVES - 1) / 2);
    }
}

#[test]
fn a_deep_chain_of_joins_completes() {
    fn chain(depth: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
        Box::pin(
            async move { if depth == 0 { 0 } else { spawn(chain(depth - 1)).await.unwrap() + 1 } },
        )
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        assert_eq!(run(workers, chain(20_000)), 20_000);
    }
}

#[test]
fn values_passed_through_many_hands_arrive() {
    const RING: usize = 100;
    const ROUNDS: usize = 200;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (first, mut receiver): (Sender<usize>, Receiver<usize>) = bounded(1);
            for _ in 1..RING {
                let (sender, next) = bounded(1);
                spawn(async move {
                    while let Ok(value) = receiver.recv().await {
                        if sender.send(value + 1).await.is_err() {
                            return;
                        }
                    }
                });
                receiver = next;
            }
            for round in 0..ROUNDS {
                first.send(round).await.unwrap();
                assert_eq!(receiver.recv().await.unwrap(), round + RING - 1);
            }
        });
    }
}

/// Sleeps and wake-ups in quick succession: a lost one is a hang.
#[test]
fn no_wake_up_is_lost_between_busy_and_idle() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ask, asked) = unbounded::<oneshot::Sender<usize>>();
            for _ in 0..4 {
                let asked = asked.clone();
                spawn(async move {
                    while let Ok(answer) = asked.recv().await {
                        let value = spawn(async { 1 }).await.unwrap();
                        answer.send(value).unwrap();
                    }
                });
            }
            let runtime = Handle::current();
            let foreign = thread::spawn({
                let ask = ask.clone();
                move || {
                    for _ in 0..2000 {
                        let (answer, answered) = oneshot::channel();
                        ask.send_blocking(answer).unwrap();
                        assert_eq!(futures::executor::block_on(answered).unwrap(), 1);
                        let spawned = runtime.spawn(async { 2 });
                        assert_eq!(futures::executor::block_on(spawned).unwrap(), 2);
                    }
                }
            });
            for _ in 0..2000 {
                let (answer, answered) = oneshot::channel();
                ask.send(answer).await.unwrap();
                assert_eq!(answered.await.unwrap(), 1);
            }
            foreign.join().unwrap();
        });
    }
}

// Nothing starves.

/// Two goroutines that do nothing but wake each other, until `stop` is dropped.
fn ping_pong() -> (Sender<()>, [JoinHandle<()>; 2]) {
    let (left, right) = (bounded::<()>(1), bounded::<()>(1));
    left.0.try_send(()).unwrap();
    let player = |from: Receiver<()>, to: Sender<()>| {
        spawn(async move { while from.recv().await.is_ok() && to.send(()).await.is_ok() {} })
    };
    let stop = left.0.clone();
    (stop, [player(left.1, right.0), player(right.1, left.0)])
}

#[test]
fn two_that_wake_each_other_starve_nobody() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        run(workers, async {
            // On the workers, so that it is spawned into the queue the two are in.
            let tested = spawn(async {
                let (stop, players) = ping_pong();
                // In the ring: spawned, yielding, waiting for each other.
                for _ in 0..10 {
                    spawn(async {}).await.unwrap();
                    yield_now().await;
                }
                let (second_stop, others) = ping_pong();
                spawn(async { yield_now().await }).await.unwrap();
                // In the injector.
                let runtime = Handle::current();
                let foreign = thread::spawn(move || {
                    for _ in 0..10 {
                        let handle = runtime.spawn(yield_now());
                        futures::executor::block_on(handle).unwrap();
                    }
                });
                yield_until(|| foreign.is_finished()).await;
                foreign.join().unwrap();
                stop.close();
                second_stop.close();
                for player in players.into_iter().chain(others) {
                    player.await.unwrap();
                }
            });
            // From main, by way of the injector.
            for _ in 0..10 {
                spawn(async {}).await.unwrap();
            }
            tested.await.unwrap();
        });
    }
}

#[test]
fn one_that_yields_for_ever_starves_nobody() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        run(workers, async {
            for _ in 0..4 {
                spawn(async {
                    loop {
                        yield_now().await;
                    }
                });
            }
            for _ in 0..10 {
                spawn(async { spawn(yield_now()).await.unwrap() }).await.unwrap();
            }
            let (stop, players) = ping_pong();
            let (runtime, foreign) = (Handle::current(), flag());
            let spawner = thread::spawn({
                let foreign = foreign.clone();
                move || runtime.spawn(async move { foreign.store(true, SeqCst) })
            });
            spawner.join().unwrap().await.unwrap();
            assert!(foreign.load(SeqCst));
            stop.close();
            for player in players {
                player.await.unwrap();
            }
        });
    }
}

#[test]
fn a_stream_of_foreign_spawns_starves_nobody_and_is_not_starved() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        run(workers, async {
            let (runtime, stop, ran) = (Handle::current(), flag(), Arc::new(AtomicUsize::new(0)));
            let stream = thread::spawn({
                let (stop, ran) = (stop.clone(), ran.clone());
                move || {
                    let mut spawned = 0;
                    while !stop.load(SeqCst) {
                        let ran = ran.clone();
                        runtime.spawn(async move { ran.fetch_add(1, SeqCst) });
                        spawned += 1;
                        // Keeps ahead of the workers, but not for ever.
                        if spawned % 1000 == 0 {
                            thread::yield_now();
                        }
                    }
                    spawned
                }
            });
            // Local goroutines: passing messages, yielding, spawning.
            let (ping_stop, players) = ping_pong();
            let local = spawn(async {
                for _ in 0..100 {
                    yield_now().await;
                    spawn(async {}).await.unwrap();
                }
            });
            local.await.unwrap();
            // The stream goes on beside them.
            let before = ran.load(SeqCst);
            yield_until(|| ran.load(SeqCst) >= before + 1000).await;
            stop.store(true, SeqCst);
            let spawned = stream.join().unwrap();
            yield_until(|| ran.load(SeqCst) == spawned).await;
            ping_stop.close();
            for player in players {
                player.await.unwrap();
            }
        });
    }
}

/// Threads push into different parts of the injector; none may hide the others.
#[test]
fn streams_of_foreign_spawns_do_not_starve_a_thread_that_spawns_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (runtime, stop) = (Handle::current(), flag());
            let streams: Vec<_> = (0..4)
                .map(|_| {
                    let (runtime, stop) = (runtime.clone(), stop.clone());
                    thread::spawn(move || {
                        while !stop.load(SeqCst) {
                            let batch: Vec<_> = (0..100).map(|_| runtime.spawn(async {})).collect();
                            // Not without bounds.
                            drop(runtime.block_on(batch.into_iter().next_back().unwrap()));
                        }
                    })
                })
                .collect();
            for _ in 0..20 {
                let runtime = runtime.clone();
                let one = thread::spawn(move || runtime.block_on(runtime.spawn(async { 1 })));
                assert_eq!(one.join().unwrap().unwrap(), 1);
            }
            stop.store(true, SeqCst);
            streams.into_iter().for_each(|stream| stream.join().unwrap());
        });
    }
}

/// Tiny goroutines send workers to rest, where pushes do not wake them. One that computes has to be
/// noticed nevertheless.
#[test]
fn a_foreign_spawn_is_not_stranded_between_resting_and_computing_workers() {
    let _watchdog = watchdog();
    for workers in [2, 3, 16] {
        run(workers, async {
            for _ in 0..20 {
                let released = flag();
                let computing = spawn({
                    let released = released.clone();
                    async move {
                        // In one poll: others take these, find them tiny, and rest.
                        (0..5000).for_each(|_| drop(spawn(async {})));
                        wait_until(|| released.load(SeqCst));
                    }
                });
                let runtime = Handle::current();
                let foreign = thread::spawn(move || {
                    runtime.spawn(async move { released.store(true, SeqCst) });
                });
                foreign.join().unwrap();
                computing.await.unwrap();
            }
        });
    }
}

/// After a flood of tiny goroutines, and when everybody sleeps, outside threads spawn one each that
/// needs the others: a wake-up that is lost, or a goroutine queued behind another, is a deadlock.
#[test]
fn foreign_spawns_that_wait_for_each_other_get_a_worker_each() {
    let _watchdog = watchdog();
    for (workers, count) in [(2, 2), (3, 3), (4, 3), (16, 8)] {
        run(workers, async move {
            for _ in 0..20 {
                for _ in 0..10 {
                    let tiny: Vec<_> = (0..200).map(|_| spawn(async {})).collect();
                    for handle in tiny {
                        handle.await.unwrap();
                    }
                }
                // Only so that they do sleep, most of the time.
                thread::sleep(Duration::from_millis(2));
                let together = Arc::new(Barrier::new(count));
                let spawners: Vec<_> = (0..count)
                    .map(|_| {
                        let (runtime, together) = (Handle::current(), together.clone());
                        thread::spawn(move || {
                            runtime.spawn(async move { together.wait().is_leader() }).detach();
                        })
                    })
                    .collect();
                spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
                yield_until(|| Arc::strong_count(&together) == 1).await;
            }
        });
    }
}

/// A ring that is never empty must not keep what overflowed it waiting.
#[test]
fn what_overflowed_a_queue_that_stays_full_runs_in_time() {
    let _watchdog = watchdog();
    run(1, async {
        let ran = Arc::new(AtomicUsize::new(0));
        let spawner = spawn({
            let ran = ran.clone();
            async move {
                for _ in 0..2000 {
                    let ran = ran.clone();
                    spawn(async move {
                        ran.fetch_add(1, SeqCst);
                        loop {
                            yield_now().await;
                        }
                    });
                }
            }
        });
        spawner.await.unwrap();
        yield_until(|| ran.load(SeqCst) == 2000).await;
    });
}

/// Wakes or spawns B on its own worker and then computes until B has run, which somebody else must
/// see to.
fn then_compute(wakes: bool) {
    for workers in [2, 3, 16] {
        run(workers, async {
            for _ in 0..20 {
                let ran = flag();
                let (go, gone) = oneshot::channel::<()>();
                let b = {
                    let ran = ran.clone();
                    async move {
                        if wakes {
                            gone.await.unwrap();
                        }
                        ran.store(true, SeqCst);
                    }
                };
                let a = spawn(async move {
                    if wakes {
                        let (parked, is_parked) = oneshot::channel();
                        spawn(async {
                            let mut b = Box::pin(b);
                            // Parked from the first poll on, which says so.
                            let mut parked = Some(parked);
                            poll_fn(move |cx| {
                                let poll = b.as_mut().poll(cx);
                                parked.take().map(|parked| parked.send(()));
                                poll
                            })
                            .await;
                        });
                        is_parked.await.unwrap();
                        go.send(()).unwrap();
                    } else {
                        spawn(b);
                    }
                    let start = Instant::now();
                    while !ran.load(SeqCst) {
                        assert!(start.elapsed() < DEADLINE, "stranded");
                        spin_loop();
                    }
                });
                a.await.unwrap();
            }
        });
    }
}

#[test]
fn one_woken_by_a_goroutine_that_then_computes_is_not_stranded() {
    let _watchdog = watchdog();
    then_compute(true);
}

#[test]
fn one_spawned_by_a_goroutine_that_then_computes_is_not_stranded() {
    let _watchdog = watchdog();
    then_compute(false);
}

/// Many at once, in the ring and in the next slot of a worker that does not come back.
#[test]
fn many_left_in_the_queue_of_one_that_computes_are_not_stranded() {
    let _watchdog = watchdog();
    for workers in [2, 16] {
        run(workers, async {
            for count in [1, 2, 3, 5, 100, 300, 1000] {
                let computing = spawn(async move {
                    let left = Arc::new(AtomicUsize::new(count));
                    for _ in 0..count {
                        let left = left.clone();
                        spawn(async move { left.fetch_sub(1, SeqCst) });
                    }
                    wait_until(|| left.load(SeqCst) == 0);
                });
                computing.await.unwrap();
            }
        });
    }
}

// Yielding.

/// Runs `test` as a goroutine of a runtime with one worker.
fn on_one_worker<F>(test: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    run_without_spares(1, async { spawn(test).await.unwrap() })
}

#[test]
fn a_goroutine_that_yields_goes_behind_all_that_was_spawned() {
    let _watchdog = watchdog();
    for count in [1, 2, 50, 200] {
        on_one_worker(async move {
            let ran = Arc::new(AtomicUsize::new(0));
            for _ in 0..count {
                let ran = ran.clone();
                spawn(async move { ran.fetch_add(1, SeqCst) });
            }
            yield_now().await;
            assert_eq!(ran.load(SeqCst), count);
        });
    }
}

/// Goroutines parked until the returned senders say go, and how many have gone on.
async fn parked(count: usize) -> (Vec<oneshot::Sender<()>>, Arc<AtomicUsize>) {
    let (ran, mut senders) = (Arc::new(AtomicUsize::new(0)), Vec::new());
    let polled = Arc::new(AtomicUsize::new(0));
    for _ in 0..count {
        let (go, mut gone) = oneshot::channel::<()>();
        senders.push(go);
        let (ran, polled) = (ran.clone(), polled.clone());
        spawn(async move {
            let mut is_first = true;
            poll_fn(move |cx| {
                let poll = Pin::new(&mut gone).poll(cx);
                if std::mem::take(&mut is_first) {
                    polled.fetch_add(1, SeqCst);
                }
                poll
            })
            .await
            .unwrap();
            ran.fetch_add(1, SeqCst);
        });
    }
    yield_until(|| polled.load(SeqCst) == count).await;
    (senders, ran)
}

#[test]
fn a_goroutine_that_yields_goes_behind_all_that_it_woke() {
    let _watchdog = watchdog();
    for count in [1, 2, 3, 4, 5, 50, 200] {
        on_one_worker(async move {
            let (senders, ran) = parked(count).await;
            senders.into_iter().for_each(|go| go.send(()).unwrap());
            yield_now().await;
            assert_eq!(ran.load(SeqCst), count);
        });
    }
}

/// The limit on how often the next slot goes first must not put what is in it behind a goroutine
/// that has yielded since.
#[test]
fn a_goroutine_that_yields_goes_behind_what_it_woke_at_the_end_of_a_chain_of_wakes() {
    let _watchdog = watchdog();
    for links in 0..10 {
        on_one_worker(async move {
            let (mut senders, ran) = parked(1).await;
            let last = senders.pop().unwrap();
            // Each wakes the next one, which so comes from the next slot; the last one yields.
            let (first, mut wakes) = oneshot::channel::<()>();
            for _ in 0..links {
                let (next, following) = oneshot::channel::<()>();
                let this = std::mem::replace(&mut wakes, following);
                spawn(async move {
                    this.await.unwrap();
                    next.send(()).unwrap();
                });
            }
            let end = spawn(async move {
                wakes.await.unwrap();
                last.send(()).unwrap();
                yield_now().await;
                ran.load(SeqCst)
            });
            yield_now().await;
            first.send(()).unwrap();
            assert_eq!(end.await.unwrap(), 1, "behind a chain of {links}");
        });
    }
}

/// Behind all of it after a short poll; after a long one, such as a wait for a thread, they take turns.
#[test]
fn a_goroutine_that_yields_gives_what_foreign_threads_spawned_a_turn() {
    let _watchdog = watchdog();
    for count in [1, 2, 50] {
        on_one_worker(async move {
            let (ran, runtime) = (Arc::new(AtomicUsize::new(0)), Handle::current());
            let foreign = thread::spawn({
                let ran = ran.clone();
                move || {
                    for _ in 0..count {
                        let ran = ran.clone();
                        runtime.spawn(async move { ran.fetch_add(1, SeqCst) });
                    }
                }
            });
            foreign.join().unwrap();
            for turn in 1..=count {
                yield_now().await;
                assert!(ran.load(SeqCst) >= turn, "{} of {count} in turn {turn}", ran.load(SeqCst));
            }
        });
    }
}

/// The runtime drains the ring of a worker that counts as stuck. What was in it must not wait for a long
/// poll each, in turn with what other threads spawn.
#[test]
fn what_is_drained_from_a_ring_goes_on_as_a_queue() {
    let _watchdog = watchdog();
    // With spares: one covers for the worker that is stuck.
    Builder::new()
        .worker_threads(1)
        .block_on(async {
            let (stop, polls, runtime) = (flag(), Arc::new(AtomicUsize::new(0)), Handle::current());
            for _ in 0..2 {
                let (stop, polls) = (stop.clone(), polls.clone());
                spawn(async move {
                    while !stop.load(SeqCst) {
                        polls.fetch_add(1, SeqCst);
                        compute_for(Duration::from_millis(2));
                        yield_now().await;
                    }
                });
            }
            // There is always something of theirs in the injector.
            let streams: Vec<_> = (0..4)
                .map(|_| {
                    let (stop, runtime) = (stop.clone(), runtime.clone());
                    thread::spawn(move || {
                        let queued = Arc::new(AtomicUsize::new(0));
                        while !stop.load(SeqCst) {
                            if queued.load(SeqCst) == 4 {
                                thread::sleep(Duration::from_micros(100));
                                continue;
                            }
                            queued.fetch_add(1, SeqCst);
                            let queued = queued.clone();
                            runtime.spawn(async move { queued.fetch_sub(1, SeqCst) });
                        }
                    })
                })
                .collect();
            // Until the worker expects long polls.
            while polls.load(SeqCst) < 50 {
                gorun::time::sleep(Duration::from_millis(10)).await;
            }
            let last = spawn(async move {
                for _ in 0..200 {
                    spawn(async {});
                }
                let before = polls.load(SeqCst);
                let last = spawn(async move { polls.load(SeqCst) - before });
                thread::sleep(Duration::from_millis(40));
                last.await.unwrap()
            });
            let long_polls = last.await.unwrap();
            stop.store(true, SeqCst);
            streams.into_iter().for_each(|stream| stream.join().unwrap());
            assert!(long_polls < 100, "200 goroutines waited for {long_polls} long polls");
        })
        .unwrap();
}

/// The same beside another goroutine that yields, so that the worker's own queue is never empty.
#[test]
fn two_goroutines_that_yield_do_not_keep_foreign_spawns_waiting() {
    let _watchdog = watchdog();
    on_one_worker(async move {
        let other = spawn(async {
            loop {
                yield_now().await;
            }
        });
        for _ in 0..20 {
            yield_now().await;
            let (ran, runtime) = (flag(), Handle::current());
            let foreign = thread::spawn({
                let ran = ran.clone();
                move || drop(runtime.spawn(async move { ran.store(true, SeqCst) }))
            });
            foreign.join().unwrap();
            for _ in 0..61 {
                yield_now().await;
            }
            assert!(ran.load(SeqCst), "still in the injector");
        }
        other.abort();
    });
}

#[test]
fn one_that_awaits_many_in_turn_is_not_polled_after_each() {
    let _watchdog = watchdog();
    on_one_worker(async {
        let handles: Vec<_> = (0..100).map(|_| spawn(async {})).collect();
        let mut all = Box::pin(async {
            for handle in handles {
                handle.await.unwrap();
            }
        });
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            all.as_mut().poll(cx)
        })
        .await;
        assert!(polls <= 3, "polled {polls} times");
    });
}

#[test]
fn main_that_yields_goes_on_and_lets_others_run() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..1000 {
                yield_now().await;
            }
            let ran = flag();
            let sets = ran.clone();
            spawn(async move { sets.store(true, SeqCst) });
            while !ran.load(SeqCst) {
                yield_now().await;
            }
        });
    }
    // Nor does it need a runtime.
    futures::executor::block_on(yield_now());
}

// Counting.

#[test]
fn num_goroutines_counts_main_and_is_exact_after_a_join() {
    let _watchdog = watchdog();
    assert_eq!(num_goroutines(), 0);
    for workers in WORKERS {
        let runtime = run(workers, async {
            assert_eq!(num_goroutines(), 1);
            for round in 0..50 {
                // Completed, panicked, aborted; spawned by main, a goroutine, an outside thread.
                let main = spawn(async {});
                let parked = spawn(pending::<()>());
                assert!((2..=3).contains(&num_goroutines()), "{round}");
                main.await.unwrap();
                assert_eq!(num_goroutines(), 2);
                spawn(async { spawn(async {}).await.unwrap() }).await.unwrap();
                assert_eq!(num_goroutines(), 2);
                spawn(async { panic!("boom") }).await.unwrap_err();
                assert_eq!(num_goroutines(), 2);
                let (runtime, foreign) = (Handle::current(), Handle::current());
                let spawned = thread::spawn(move || foreign.spawn(async { num_goroutines() }));
                assert_eq!(spawned.join().unwrap().await.unwrap(), 3);
                assert_eq!(runtime.num_goroutines(), 2);
                parked.abort();
                assert!(parked.await.is_err());
                assert_eq!(num_goroutines(), 1);
            }
            Handle::current()
        });
        assert_eq!(runtime.num_goroutines(), 0);
        assert_eq!(num_goroutines(), 0);
    }
}

#[test]
fn num_goroutines_is_exact_when_every_child_has_been_joined() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..200 {
                let parents: Vec<_> = (0..8)
                    .map(|_| {
                        spawn(async {
                            let children: Vec<_> = (0..8).map(|_| spawn(yield_now())).collect();
                            for child in children {
                                child.await.unwrap();
                            }
                        })
                    })
                    .collect();
                for parent in parents {
                    parent.await.unwrap();
                }
                assert_eq!(num_goroutines(), 1);
            }
        });
    }
}

// Locks.

/// Does, in its destructor, all that user code can do, with a lock held that others want too.
struct Meddler {
    lock: Arc<Mutex<usize>>,
    wakers: Arc<Mutex<Vec<Waker>>>,
    victim: Option<JoinHandle<()>>,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let mut guard = self.lock.lock().unwrap();
        *guard += 1;
        let lock = self.lock.clone();
        spawn(async move { *lock.lock().unwrap() += 1 });
        spawn(pending::<()>()).abort();
        let wakers: Vec<_> = self.wakers.lock().unwrap().drain(..).collect();
        wakers.into_iter().for_each(Waker::wake);
        if let Some(victim) = self.victim.take() {
            victim.abort();
        }
        num_goroutines();
        Handle::current().spawn(async {});
    }
}

#[test]
fn destructors_that_spawn_wake_abort_and_lock_do_not_deadlock() {
    const COUNT: usize = 200;
    let _watchdog = watchdog();
    for workers in WORKERS {
        let lock = Arc::new(Mutex::new(0));
        run(workers, async {
            let wakers = Arc::new(Mutex::new(Vec::new()));
            let mut handles = Vec::new();
            for number in 0..COUNT {
                let wakes = wakers.clone();
                let victim = spawn(suspend_with(move |cx| {
                    wakes.lock().unwrap().push(cx.waker().clone());
                }));
                let meddler =
                    Meddler { lock: lock.clone(), wakers: wakers.clone(), victim: Some(victim) };
                // Dropped at completion, at abort, as an output, with the lock held by the dropper.
                match number % 4 {
                    0 => handles.push(spawn(async move {
                        yield_now().await;
                        drop(meddler);
                    })),
                    1 => {
                        let handle = spawn(async move {
                            let _meddler = meddler;
                            pending::<()>().await;
                        });
                        handle.abort();
                        handles.push(handle);
                    }
                    2 => drop(spawn(async move { meddler })),
                    _ => {
                        let handle = spawn(async move { meddler });
                        wait_until(|| handle.is_finished());
                        drop(handle);
                    }
                }
            }
            for handle in handles {
                let _ = handle.await;
            }
            yield_until(|| *lock.lock().unwrap() == 2 * COUNT).await;
        });
    }
}

#[test]
fn destructors_that_spawn_wake_abort_and_lock_do_not_deadlock_exit() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let lock = Arc::new(Mutex::new(0));
        run(workers, async {
            let wakers = Arc::new(Mutex::new(Vec::new()));
            for _ in 0..200 {
                let wakes = wakers.clone();
                let victim = spawn(suspend_with(move |cx| {
                    wakes.lock().unwrap().push(cx.waker().clone());
                }));
                let meddler =
                    Meddler { lock: lock.clone(), wakers: wakers.clone(), victim: Some(victim) };
                spawn(async move {
                    let _meddler = meddler;
                    pending::<()>().await;
                });
            }
            yield_now().await;
        });
        assert_eq!(*lock.lock().unwrap(), 200);
    }
}

/// A waker of the user's that does all of this when a goroutine completes.
struct Meddling {
    lock: Mutex<usize>,
    runtime: Handle,
    others: Mutex<Vec<JoinHandle<()>>>,
    woken: AtomicBool,
}

impl Wake for Meddling {
    fn wake(self: Arc<Self>) {
        *self.lock.lock().unwrap() += 1;
        let this = self.clone();
        self.runtime.spawn(async move { *this.lock.lock().unwrap() += 1 });
        let mut others = self.others.lock().unwrap();
        for other in others.iter_mut() {
            other.abort();
            let _ = Pin::new(other).poll(&mut Context::from_waker(Waker::noop()));
        }
        others.clear();
        drop(others);
        self.woken.store(true, SeqCst);
    }
}

#[test]
fn an_awaiters_waker_that_spawns_aborts_polls_and_drops_does_not_deadlock() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let (go, gone) = oneshot::channel::<()>();
                let mut handle = spawn(async move { gone.await.unwrap() });
                let meddling = Arc::new(Meddling {
                    lock: Mutex::new(0),
                    runtime: Handle::current(),
                    others: Mutex::new(vec![spawn(pending()), spawn(async {}), spawn(yield_now())]),
                    woken: AtomicBool::new(false),
                });
                let waker = Waker::from(meddling.clone());
                let mut cx = Context::from_waker(&waker);
                assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
                let guard = meddling.lock.lock().unwrap();
                go.send(()).unwrap();
                drop(guard);
                wait_until(|| meddling.woken.load(SeqCst));
                handle.await.unwrap();
                yield_until(|| *meddling.lock.lock().unwrap() == 2).await;
            }
        });
    }
}

/// A handle that is awaited from outside hears that exit left its goroutine behind. Its waker
/// may drop other such handles, and poll them.
#[test]
fn a_waker_told_that_a_goroutine_was_left_behind_may_use_other_handles() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes(
            "a_waker_told_that_a_goroutine_was_left_behind_may_use_other_handles",
            &[],
            "",
        );
    }
    struct Drops {
        others: Mutex<Vec<JoinHandle<()>>>,
        woken: AtomicBool,
    }
    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            for mut other in std::mem::take(&mut *self.others.lock().unwrap()) {
                let _ = Pin::new(&mut other).poll(&mut Context::from_waker(Waker::noop()));
            }
            self.woken.store(true, SeqCst);
        }
    }
    let (told, tell) = mpsc::channel::<(JoinHandle<()>, JoinHandle<()>)>();
    let (polled, is_polled) = mpsc::channel();
    let outside = thread::spawn(move || {
        let (mut one, mut two) = tell.recv().unwrap();
        let mut idle = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut two).poll(&mut idle).is_pending());
        let drops =
            Arc::new(Drops { others: Mutex::new(vec![two]), woken: AtomicBool::new(false) });
        let waker = Waker::from(drops.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut one).poll(&mut cx).is_pending());
        polled.send(()).unwrap();
        wait_until(|| drops.woken.load(SeqCst));
        let poll = Pin::new(&mut one).poll(&mut cx);
        assert!(matches!(poll, Poll::Ready(Err(error)) if error.is_cancelled()));
    });
    let builder = Builder::new().worker_threads(2).exit_grace(Duration::ZERO);
    let main = async {
        let stuck = || {
            spawn(async {
                loop {
                    thread::park();
                }
            })
        };
        told.send((stuck(), stuck())).unwrap();
        is_polled.recv().unwrap();
    };
    builder.block_on(main).unwrap();
    outside.join().unwrap();
}

// Large futures.

/// Keeps `SIZE` bytes across an await.
async fn large<const SIZE: usize>() -> usize {
    let mut bytes = [0u8; SIZE];
    bytes[SIZE - 1] = 1;
    yield_now().await;
    bytes.len() - usize::from(bytes[SIZE - 1])
}

// In an unoptimised build each has a frame of its own, with one copy of the future; `spawn` has the
// second, on its way to the heap. That is as few as a function that takes it by value can make.

fn spawn_large<const SIZE: usize>() -> JoinHandle<usize> {
    spawn(large::<SIZE>())
}

fn spawn_large_by_handle<const SIZE: usize>() -> JoinHandle<usize> {
    Handle::current().spawn(large::<SIZE>())
}

fn spawn_large_boxed<const SIZE: usize>() -> JoinHandle<usize> {
    spawn(Box::pin(large::<SIZE>()))
}

/// To be run in a process of its own, which a stack overflow ends.
fn on_small_stacks(stack: usize, spawn_it: fn() -> JoinHandle<usize>, expected: usize) {
    let test = move || {
        let builder = Builder::new().worker_threads(2).thread_stack_size(stack);
        let main = async {
            assert_eq!(spawn_it().await.unwrap(), expected);
            let by_goroutine = spawn(async move { spawn_it().await.unwrap() });
            assert_eq!(by_goroutine.await.unwrap(), expected);
        };
        builder.block_on(main).unwrap();
    };
    thread::Builder::new().stack_size(stack).spawn(test).unwrap().join().unwrap();
}

#[test]
fn a_future_of_almost_1_mib_fits_through_a_stack_of_2_mib() {
    const SIZE: usize = 960 << 10;
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("a_future_of_almost_1_mib_fits_through_a_stack_of_2_mib", &[], "");
    }
    for spawn_it in [spawn_large::<SIZE>, spawn_large_by_handle::<SIZE>] {
        on_small_stacks(2 << 20, spawn_it, SIZE - 1);
    }
}

#[test]
fn a_future_of_1_mib_is_copied_no_more_than_twice_on_the_stack() {
    const SIZE: usize = 1 << 20;
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes(
            "a_future_of_1_mib_is_copied_no_more_than_twice_on_the_stack",
            &[],
            "",
        );
    }
    for spawn_it in [spawn_large::<SIZE>, spawn_large_by_handle::<SIZE>] {
        on_small_stacks(2 * SIZE + (128 << 10), spawn_it, SIZE - 1);
    }
}

#[test]
fn a_future_of_1_mib_boxed_by_the_caller_fits_through_a_stack_of_2_mib() {
    const SIZE: usize = 1 << 20;
    let _watchdog = watchdog();
    if !is_child() {
        let test = "a_future_of_1_mib_boxed_by_the_caller_fits_through_a_stack_of_2_mib";
        return child_passes(test, &[], "");
    }
    on_small_stacks(2 << 20, spawn_large_boxed::<SIZE>, SIZE - 1);
}

/// A panic inside a spawner's poll must leave what it had spawned to run.
#[test]
fn what_a_goroutine_spawned_and_woke_before_its_panic_runs() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let countdown = Countdown::new(500);
            let spawner = spawn({
                let countdown = countdown.clone();
                async move {
                    for index in 0..500 {
                        let countdown = countdown.clone();
                        spawn(async move { countdown.count(index) });
                    }
                    panic!("boom");
                }
            });
            assert!(spawner.await.unwrap_err().is_panic());
            countdown.wait().await;
            countdown.check();
        });
    }
}

#[test]
fn a_user_that_catches_panics_inside_a_goroutine_sees_them() {
    let _watchdog = watchdog();
    run(1, async {
        spawn(async {
            let caught = catch_unwind(AssertUnwindSafe(|| panic!("boom")));
            assert!(caught.is_err());
            yield_now().await;
        })
        .await
        .unwrap();
    });
}
