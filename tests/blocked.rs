//! Goroutines that block their threads, or compute for long, with and without a word.

mod common;

use std::collections::HashSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use futures::channel::oneshot;
use gorun::{Builder, JoinHandle, block_on, blocking, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);

async fn all<T>(handles: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for handle in handles.into_iter().collect::<Vec<_>>() {
        results.push(handle.await.unwrap());
    }
    results
}

// Deadlocks, where a blocked thread is not covered.

/// For each of `count` goroutines another one that must run before it goes on.
async fn wait_for_those_behind(count: usize, wait: fn(Receiver<usize>) -> usize) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel()).unzip();
    let waiting: Vec<_> =
        receivers.into_iter().map(|receiver| spawn(async move { wait(receiver) })).collect();
    let sending: Vec<_> = senders
        .into_iter()
        .enumerate()
        .map(|(index, sender)| spawn(async move { sender.send(index).unwrap() }))
        .collect();
    assert_eq!(all(waiting).await, (0..count).collect::<Vec<_>>());
    all(sending).await;
}

#[test]
fn workers_that_all_wait_in_a_std_channel_for_goroutines_behind_them_get_cover() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, wait_for_those_behind(workers * 3, |receiver| receiver.recv().unwrap()));
    }
}

#[test]
fn workers_that_say_they_block_get_cover() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let wait = |receiver: Receiver<usize>| blocking(|| receiver.recv().unwrap());
        run(workers, wait_for_those_behind(workers * 3, wait));
    }
}

#[test]
fn workers_that_all_compute_until_goroutines_behind_them_have_run_get_cover() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        let wait = |receiver: Receiver<usize>| {
            loop {
                if let Ok(value) = receiver.try_recv() {
                    return value;
                }
                std::hint::spin_loop();
            }
        };
        run(workers, wait_for_those_behind(8, wait));
    }
}

#[test]
fn goroutines_that_meet_at_a_std_barrier_meet() {
    const COUNT: usize = 40;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let barrier = Arc::new(Barrier::new(COUNT));
            let meeting = (0..COUNT).map(|_| {
                let barrier = barrier.clone();
                spawn(async move { barrier.wait().is_leader() })
            });
            let leaders = all(meeting).await;
            assert_eq!(leaders.into_iter().filter(|&is_leader| is_leader).count(), 1);
        });
    }
}

/// Each goroutine wants the lock; who has it waits for one that does not want it.
#[test]
fn a_std_mutex_that_is_held_while_others_wait_for_it_holds_up_nobody_else() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let lock = Arc::new(Mutex::new(0));
            let (go, gone) = mpsc::channel();
            let holder = spawn({
                let lock = lock.clone();
                async move {
                    let mut count = lock.lock().unwrap();
                    gone.recv().unwrap();
                    *count += 1;
                }
            });
            let waiting = (0..workers * 2).map(|_| {
                let lock = lock.clone();
                spawn(async move { *lock.lock().unwrap() += 1 })
            });
            let waiting: Vec<_> = waiting.collect();
            let last = spawn(async move { go.send(()).unwrap() });
            all([last, holder]).await;
            all(waiting).await;
            assert_eq!(*lock.lock().unwrap(), workers * 2 + 1);
        });
    }
}

#[test]
fn a_main_that_blocks_its_thread_holds_up_nobody() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let sum: u64 = run(workers, async {
            let (send, receive) = mpsc::channel();
            for number in 0..1000_u64 {
                let send = send.clone();
                spawn(async move {
                    yield_now().await;
                    send.send(number).unwrap();
                });
            }
            drop(send);
            receive.iter().sum()
        });
        assert_eq!(sum, 499_500);
    }
}

/// One after the other on two workers they would take 250 s.
#[test]
fn ten_thousand_goroutines_that_sleep_in_the_kernel_sleep_together() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes(
            "ten_thousand_goroutines_that_sleep_in_the_kernel_sleep_together",
            &[],
            "",
        );
    }
    let before = threads();
    let start = Instant::now();
    run(2, async {
        let sleeping: Vec<_> =
            (0..10_000).map(|_| spawn(async { thread::sleep(50 * MILLI) })).collect();
        let most = spawn(async move {
            let mut most = 0;
            while start.elapsed() < 500 * MILLI {
                most = most.max(threads());
                yield_now().await;
            }
            most
        });
        all(sleeping).await;
        let most = most.await.unwrap();
        // Beside the 512 there is the monitor.
        assert!(most <= before + 513, "{most} threads");
    });
    println!("10,000 times 50 ms took {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

// `blocking` itself.

#[test]
fn blocking_runs_its_function_here_and_now_wherever_that_is() {
    let _watchdog = watchdog();
    let here = thread::current().id();
    let local = String::from("borrowed");
    let outside = blocking(|| (thread::current().id(), local.len()));
    assert_eq!(outside, (here, 8));
    for workers in WORKERS {
        let in_main = run(workers, async { blocking(|| (thread::current().id(), local.len())) });
        assert_eq!(in_main, (here, 8));
        run(workers, async {
            let goroutine = spawn(async {
                let here = thread::current().id();
                let mut count = 0;
                blocking(|| {
                    count += 1;
                    blocking(|| {
                        assert_eq!(thread::current().id(), here);
                        count += block_on(async {
                            yield_now().await;
                            blocking(|| 1)
                        });
                    });
                });
                count
            });
            assert_eq!(goroutine.await.unwrap(), 2);
        });
    }
}

#[test]
fn a_panic_goes_through_blocking_and_the_worker_is_there_again() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let panics = (0..20).map(|index| {
                spawn(async move {
                    let caught = catch_unwind(AssertUnwindSafe(|| {
                        blocking(|| blocking(|| panic!("inner {index}")))
                    }));
                    assert!(caught.is_err());
                    yield_now().await;
                    blocking(|| panic!("outer {index}"));
                })
            });
            for panic in panics.collect::<Vec<_>>() {
                assert!(panic.await.unwrap_err().is_panic());
            }
            all((0..100).map(|_| spawn(yield_now()))).await;
        });
        let payload = catch_unwind(|| run(workers, async { blocking(|| panic!("main")) }));
        assert_eq!(*payload.unwrap_err().downcast::<&str>().unwrap(), "main");
    }
}

/// Runs `block` in a goroutine that has just woken another, which must run while the first blocks.
async fn blocks_after_a_wake(block: impl FnOnce(Receiver<()>) + Send + 'static) {
    let (wake, woken) = oneshot::channel::<()>();
    let (go, gone) = mpsc::channel();
    let polled = flag();
    let other = spawn({
        let is_polled = polled.clone();
        async move {
            let mut woken = woken;
            std::future::poll_fn(|cx| {
                is_polled.store(true, SeqCst);
                Pin::new(&mut woken).poll(cx)
            })
            .await
            .unwrap();
            go.send(()).unwrap();
        }
    });
    yield_until(|| polled.load(SeqCst)).await;
    let blocks = spawn(async move {
        wake.send(()).unwrap();
        block(gone);
    });
    blocks.await.unwrap();
    other.await.unwrap();
}

#[test]
fn what_a_goroutine_has_just_woken_runs_while_it_blocks() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..20 {
                blocks_after_a_wake(|gone| blocking(|| gone.recv().unwrap())).await;
                blocks_after_a_wake(|gone| gone.recv().unwrap()).await;
                blocks_after_a_wake(|gone| block_on(async { gone.recv().unwrap() })).await;
            }
        });
    }
}

#[test]
fn what_is_spawned_and_woken_inside_a_poll_that_blocks_runs_at_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let block: [fn(&mut dyn FnMut()); 3] =
                [|f| blocking(f), |f| block_on(async { f() }), |f| f()];
            for block in block {
                spawn(async move {
                    block(&mut || {
                        for _ in 0..10 {
                            let (send, receive) = mpsc::channel();
                            spawn(async move {
                                yield_now().await;
                                send.send(()).unwrap();
                            });
                            receive.recv().unwrap();
                        }
                    });
                })
                .await
                .unwrap();
            }
        });
    }
}

#[test]
fn ten_thousand_short_calls_of_blocking_lose_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let count = Arc::new(AtomicUsize::new(0));
            let calls = (0..100).map(|_| {
                let count = count.clone();
                spawn(async move {
                    for call in 0..100 {
                        blocking(|| count.fetch_add(1, SeqCst));
                        if call % 7 == 0 {
                            yield_now().await;
                        }
                    }
                })
            });
            all(calls).await;
            assert_eq!(count.load(SeqCst), 10_000);
        });
    }
}

#[test]
fn a_runtime_inside_blocking_has_its_own_main() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let goroutine = spawn(async {
                blocking(|| run(2, async { spawn(async { blocking(|| 42) }).await.unwrap() }))
            });
            assert_eq!(goroutine.await.unwrap(), 42);
        });
    }
}

// How many run at the same time, and how many threads there are.

/// Counts how many are inside at the same time, at most.
#[derive(Default)]
struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn enter(&self, stay: impl FnOnce()) {
        let inside = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(inside, SeqCst);
        stay();
        self.inside.fetch_sub(1, SeqCst);
    }
}

/// Many block at the same time. Returns when all are through.
async fn storm(how: fn(Duration)) {
    all((0..200).map(|_| spawn(async move { how(5 * MILLI) }))).await;
}

/// Yields until goroutines that spin for a moment, many more than there are workers, have no more of
/// them running at the same time than there are workers.
async fn as_many_run_as_configured(workers: usize) {
    let start = Instant::now();
    loop {
        let crowd = Arc::new(Crowd::default());
        let short = (0..100).map(|_| {
            let crowd = crowd.clone();
            spawn(async move {
                for _ in 0..10 {
                    crowd.enter(|| (0..1000).for_each(|_| std::hint::spin_loop()));
                    yield_now().await;
                }
            })
        });
        all(short).await;
        if crowd.most.load(SeqCst) <= workers {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "{} run on {workers}", crowd.most.load(SeqCst));
    }
}

#[test]
fn after_the_storm_as_many_run_as_before_and_the_threads_go() {
    let _watchdog = watchdog();
    let Some(workers) = workers_of_child() else {
        let test = "after_the_storm_as_many_run_as_before_and_the_threads_go";
        return children_pass(test, &[1, 2, 4], &[]);
    };
    for how in [thread::sleep, |time| blocking(|| thread::sleep(time))] {
        run(workers, async {
            let before = threads();
            storm(how).await;
            assert!(threads() > before, "nobody stepped in");
            as_many_run_as_configured(workers).await;
            wait_until(|| threads() == before);
            // Those that are left work, all at the same time.
            let barrier = Arc::new(Barrier::new(workers));
            let meeting = (0..workers).map(|_| {
                let barrier = barrier.clone();
                spawn(async move { barrier.wait().is_leader() })
            });
            all(meeting).await;
            storm(how).await;
        });
    }
}

#[test]
fn spares_are_used_again() {
    let _watchdog = watchdog();
    run(1, async {
        let mut names = HashSet::new();
        for _ in 0..200 {
            let (go, gone) = mpsc::channel();
            let blocks = spawn(async move { blocking(|| gone.recv().unwrap()) });
            let other = spawn(async move {
                go.send(()).unwrap();
                thread::current().name().map(str::to_owned)
            });
            names.extend(other.await.unwrap());
            blocks.await.unwrap();
        }
        // The worker, and one or two that step in.
        assert!(names.len() <= 4, "{names:?}");
    });
}

/// Blocks until it is told that a goroutine has run.
struct BlockingWaker {
    told: Mutex<Receiver<()>>,
    says_so: bool,
    came_through: AtomicUsize,
}

impl Wake for BlockingWaker {
    fn wake(self: Arc<Self>) {
        let wait = || self.told.lock().unwrap().recv_timeout(DEADLINE).expect("a goroutine runs");
        match self.says_so {
            true => blocking(wait),
            false => wait(),
        }
        self.came_through.fetch_add(1, SeqCst);
    }
}

/// Two timers are due at once, and the second waker lets the first go on, by way of a goroutine.
#[test]
fn a_waker_that_blocks_when_a_timer_calls_it_holds_up_nobody() {
    let _watchdog = watchdog();
    for (workers, says_so) in WORKERS.into_iter().flat_map(|n| [(n, false), (n, true)]) {
        run(workers, async move {
            let (tellers, wakers): (Vec<_>, Vec<_>) = (0..2)
                .map(|_| {
                    let (tell, told) = mpsc::channel();
                    let (told, came_through) = (Mutex::new(told), AtomicUsize::new(0));
                    (tell, Arc::new(BlockingWaker { told, says_so, came_through }))
                })
                .unzip();
            let deadline = Instant::now() + 20 * MILLI;
            // A goroutine waits, in its own way. (Those of main's own timers main calls itself.)
            let waiting = wakers.clone();
            let _sleeps = spawn(async move {
                let wait = |waker: Arc<BlockingWaker>| {
                    let mut sleep = Box::pin(gorun::time::sleep_until(deadline));
                    let waker = Waker::from(waker);
                    assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                    sleep
                };
                waiting.into_iter().map(wait).collect::<Vec<_>>()
            })
            .await
            .unwrap();
            gorun::time::sleep_until(deadline + 10 * MILLI).await;
            for (teller, waker) in tellers.into_iter().zip(&wakers).rev() {
                spawn(async move { teller.send(()).unwrap() }).await.unwrap();
                while waker.came_through.load(SeqCst) == 0 {
                    gorun::time::sleep(MILLI).await;
                }
            }
        });
    }
}

struct DeepWaker(mpsc::Sender<u8>);

impl Wake for DeepWaker {
    fn wake(self: Arc<Self>) {
        let much = std::hint::black_box([1_u8; 500_000]);
        self.0.send(much[much.len() - 1]).unwrap();
    }
}

#[test]
fn a_waker_that_is_called_because_the_runtime_ends_has_an_ordinary_stack() {
    let _watchdog = watchdog();
    let (tell, told) = mpsc::channel();
    let [_sleep] = run(1, async {
        let mut sleep = Box::pin(gorun::time::sleep(DEADLINE));
        let waker = Waker::from(Arc::new(DeepWaker(tell)));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        [sleep]
    });
    assert_eq!(told.recv_timeout(DEADLINE), Ok(1));
}

/// One goroutine blocks, and nobody waits: soon the monitor looks once a second.
#[test]
#[cfg(target_os = "linux")]
fn a_goroutine_that_blocks_while_nothing_waits_causes_few_wake_ups() {
    let _watchdog = watchdog();
    let Some(workers) = workers_of_child() else {
        let test = "a_goroutine_that_blocks_while_nothing_waits_causes_few_wake_ups";
        return children_pass(test, &WORKERS, &[]);
    };
    run(workers, async {
        let (tell, told) = mpsc::channel::<()>();
        let blocks = spawn(async move { told.recv().unwrap() });
        wait_until(|| {
            let before = switches();
            thread::sleep(2000 * MILLI);
            switches() - before <= 6
        });
        tell.send(()).unwrap();
        blocks.await.unwrap();
    });
}

/// A million and one context switches of all threads but the calling one.
#[cfg(target_os = "linux")]
fn switches() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map_while(Result::ok);
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let others = tasks.filter(|task| own.file_name() != Some(&task.file_name()));
    let status = others.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let voluntary = |status: String| -> u64 {
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
        line.unwrap().split_whitespace().last().unwrap().parse().unwrap()
    };
    status.map(voluntary).sum()
}

/// Whether the program sleeps: for two seconds nobody wakes up.
#[test]
#[cfg(target_os = "linux")]
fn an_idle_program_has_no_wake_ups_once_the_spares_are_gone() {
    let _watchdog = watchdog();
    let Some(workers) = workers_of_child() else {
        let test = "an_idle_program_has_no_wake_ups_once_the_spares_are_gone";
        return children_pass(test, &WORKERS, &[("GORUN_BLOCKED", "50ms")]);
    };
    run(workers, async {
        let parked: Vec<_> = (0..10).map(|_| spawn(std::future::pending::<()>())).collect();
        storm(thread::sleep).await;
        wait_until(|| {
            let before = switches();
            thread::sleep(2500 * MILLI);
            switches() == before
        });
        drop(parked);
    });
}

#[test]
fn no_more_threads_are_started_than_allowed_and_that_is_said_once() {
    let _watchdog = watchdog();
    if !is_child() {
        let output =
            child("no_more_threads_are_started_than_allowed_and_that_is_said_once", &[], "");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.matches("no thread could be started").count(), 1, "{text}");
        assert!(text.contains("5 already"), "{text}");
        assert!(text.contains("max_threads"), "{text}");
        return;
    }
    let before = threads();
    Builder::new()
        .worker_threads(2)
        .max_threads(5)
        .block_on(async {
            let crowd = Arc::new(Crowd::default());
            let asleep = (0..50).map(|_| {
                let crowd = crowd.clone();
                spawn(async move { crowd.enter(|| thread::sleep(20 * MILLI)) })
            });
            all(asleep).await;
            assert_eq!(crowd.most.load(SeqCst), 5);
            // And the monitor.
            assert!(threads() <= before + 6);
        })
        .unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_thread_the_system_refuses_is_done_without_and_that_is_said_once() {
    let _watchdog = watchdog();
    let test = "a_thread_the_system_refuses_is_done_without_and_that_is_said_once";
    if !is_child() {
        let output = child(test, &[], "ulimit -v 2000000");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.matches("no thread could be started").count(), 1, "{text}");
        return;
    }
    let builder = Builder::new().worker_threads(2).thread_stack_size(256 << 20);
    builder
        .block_on(async {
            for round in 0..3 {
                let asleep = (0..30).map(|_| {
                    spawn(async move {
                        match round {
                            0 => thread::sleep(10 * MILLI),
                            1 => blocking(|| thread::sleep(10 * MILLI)),
                            _ => block_on(async { thread::sleep(10 * MILLI) }),
                        }
                    })
                });
                all(asleep).await;
            }
        })
        .unwrap();
}

/// In a process whose threads would get stacks that no machine has, unless they say another size.
#[test]
fn that_no_thread_stands_in_is_said_even_if_none_can_be_had_to_say_it() {
    if !is_child() {
        let test = "that_no_thread_stands_in_is_said_even_if_none_can_be_had_to_say_it";
        let output = child(test, &[("RUST_MIN_STACK", "1000000000000000000")], "");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.matches("no thread could be started").count(), 1, "{text}");
        return;
    }
    assert!(thread::Builder::new().spawn(|| {}).is_err());
    let builder = Builder::new().worker_threads(1).max_threads(1).thread_stack_size(1 << 20);
    let blocks = async { spawn(async { block_on(async { 42 }) }).await.unwrap() };
    assert_eq!(builder.block_on(blocks).unwrap(), 42);
}

// Exit.

/// Where a stuck goroutine waits until it is let go.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.opened.wait(is_open).unwrap();
        }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[test]
fn exit_leaves_goroutines_behind_that_block_however_they_do_and_their_cover_too() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for told in [false, true] {
            let gate = Arc::new(Gate::default());
            let (stuck, drops) = (Arc::new(AtomicUsize::new(0)), Drops::new(120));
            let start = Instant::now();
            run(workers, async {
                for index in 0..20 {
                    let (gate, stuck, probe) = (gate.clone(), stuck.clone(), drops.probe(index));
                    spawn(async move {
                        let _probe = probe;
                        let pass = || {
                            stuck.fetch_add(1, SeqCst);
                            gate.pass();
                        };
                        if told {
                            blocking(pass)
                        } else {
                            pass()
                        }
                        yield_now().await;
                        unreachable!("main has ended");
                    });
                }
                for index in 20..120 {
                    let probe = drops.probe(index);
                    spawn(async move {
                        let _probe = probe;
                        std::future::pending::<()>().await;
                    });
                }
                yield_until(|| stuck.load(SeqCst) == 20).await;
            });
            assert!(start.elapsed() < Duration::from_secs(20), "{workers} workers");
            assert_eq!(drops.dropped(), 100, "{workers} workers");
            gate.open();
            wait_until(|| drops.all_dropped());
            drops.assert_each_once_off_main((workers, told));
        }
    }
}

/// Keeps its worker until those it waits for have been dropped.
async fn keep_until_dropped(drops: Arc<Drops>) {
    wait_until(|| drops.all_dropped());
}

#[test]
fn exit_finds_what_is_queued_behind_one_that_computes_although_another_worker_sleeps() {
    let _watchdog = watchdog();
    for _ in 0..100 {
        for workers in [2, 16] {
            let drops = Drops::new(1);
            let (computes, does_compute) = mpsc::channel();
            patient(workers)
                .block_on(async {
                    let probe = drops.probe(0);
                    let drops = drops.clone();
                    spawn(async move {
                        spawn(async move { drop(probe) });
                        computes.send(()).unwrap();
                        keep_until_dropped(drops).await;
                    });
                    does_compute.recv().unwrap();
                })
                .unwrap();
            drops.assert_each_once_off_main(workers);
        }
    }
}

#[test]
fn exit_finds_what_is_queued_although_only_spares_are_free() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        let drops = Drops::new(5);
        let computing = Arc::new(AtomicUsize::new(0));
        patient(workers)
            .block_on(async {
                storm(|time| blocking(|| thread::sleep(time))).await;
                for _ in 0..workers {
                    let (drops, computing) = (drops.clone(), computing.clone());
                    spawn(async move {
                        computing.fetch_add(1, SeqCst);
                        keep_until_dropped(drops).await;
                    });
                }
                wait_until(|| computing.load(SeqCst) == workers);
                for index in 0..5 {
                    let probe = drops.probe(index);
                    spawn(async move { drop(probe) });
                }
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
    }
}

#[test]
fn runtimes_that_end_in_the_middle_of_a_storm_leave_nothing_behind() {
    let _watchdog = watchdog();
    if !is_child() {
        let test = "runtimes_that_end_in_the_middle_of_a_storm_leave_nothing_behind";
        return child_passes(test, &[], "");
    }
    let before = threads();
    for round in 0..scaled(60, 24) {
        let drops = Drops::new(100);
        run(WORKERS[round % 3], async {
            let asleep = (0..100).map(|index| {
                let probe = drops.probe(index);
                spawn(async move {
                    let _probe = probe;
                    for turn in 0..10 {
                        match (index + turn) % 3 {
                            0 => thread::sleep(MILLI),
                            1 => blocking(|| thread::sleep(MILLI)),
                            _ => yield_now().await,
                        }
                    }
                })
            });
            let asleep: Vec<_> = asleep.collect();
            for handle in asleep.into_iter().take(round % 50) {
                handle.await.unwrap();
            }
        });
        wait_until(|| drops.all_dropped());
    }
    wait_until(|| threads() == before);
}

// The report.

/// Runs a main that is told of those that block.
fn told<F: Future>(workers: usize, main: impl FnOnce(Receiver<gorun::Blocked>) -> F) -> F::Output {
    let (tell, told) = mpsc::channel();
    let builder = Builder::new().worker_threads(workers);
    let builder = builder.on_blocked(move |blocked| drop(tell.send(blocked.clone())));
    builder.block_on(main(told)).unwrap()
}

/// Holds a worker until this site is reported. Returns the other sites that were reported before.
async fn reported_as_last(told: &Receiver<gorun::Blocked>) -> Vec<gorun::Blocked> {
    let gate = Arc::new(Gate::default());
    let line = line!() + 1;
    let blocks = spawn({
        let gate = gate.clone();
        async move { gate.pass() }
    });
    let mut others = Vec::new();
    loop {
        let blocked = told.recv_timeout(DEADLINE).expect("a report");
        if blocked.spawned_at.line() == line {
            assert_eq!(blocked.spawned_at.file(), file!());
            assert!(blocked.held_for > 100 * MILLI, "{:?}", blocked.held_for);
            let text = blocked.to_string();
            assert!(text.contains("tests/blocked.rs") && text.contains("blocking"), "{text}");
            break;
        }
        others.push(blocked);
    }
    gate.open();
    blocks.await.unwrap();
    others
}

#[test]
fn a_spawn_site_that_holds_a_worker_is_reported_while_it_does() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Nobody else wants to run.
        told(workers, |told| async move {
            assert!(reported_as_last(&told).await.is_empty());
        });
        has_no_false_report(|| {
            told(workers, |told| async move {
                let others: Vec<_> = (0..100).map(|_| spawn(yield_until(|| false))).collect();
                let reported = reported_as_last(&told).await;
                drop(others);
                reported
            })
        });
    }
}

/// A machine that is busy may keep a worker from its core for so long that the goroutine is reported
/// which it was polling. Not ten times in a row.
#[track_caller]
fn has_no_false_report(run: impl Fn() -> Vec<gorun::Blocked>) {
    let mut reported = (0..10).map(|_| run());
    assert!(reported.any(|reported| reported.is_empty()), "somebody was reported each time");
}

fn hold(time: Duration) -> JoinHandle<()> {
    spawn(async move { thread::sleep(time) })
}

#[test]
fn a_spawn_site_is_reported_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        told(workers, |told| async move {
            for _ in 0..3 {
                all([hold(150 * MILLI), hold(150 * MILLI)]).await;
            }
            assert_eq!(reported_as_last(&told).await.len(), 1);
            assert!(told.try_recv().is_err());
        });
    }
}

#[test]
fn one_that_computes_is_reported_too() {
    let _watchdog = watchdog();
    told(2, |told| async move {
        let stop = flag();
        let line = line!() + 1;
        let computes = spawn({
            let stop = stop.clone();
            async move { spin_until(&stop) }
        });
        assert_eq!(told.recv_timeout(DEADLINE).unwrap().spawned_at.line(), line);
        stop.store(true, SeqCst);
        computes.await.unwrap();
    });
}

#[test]
fn those_that_say_they_block_or_do_not_hold_a_worker_for_long_are_not_reported() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        has_no_false_report(|| {
            told(workers, |told| async move {
                let time = 150 * MILLI;
                let says_so = spawn(async move { blocking(|| thread::sleep(time)) });
                let nested = spawn(async move { block_on(async { thread::sleep(time) }) });
                let short = spawn(async move {
                    let start = Instant::now();
                    while start.elapsed() < time {
                        thread::sleep(MILLI);
                        yield_now().await;
                    }
                });
                let many_calls = spawn(async move {
                    let start = Instant::now();
                    while start.elapsed() < time {
                        blocking(|| thread::sleep(MILLI));
                    }
                });
                // Main has no worker.
                thread::sleep(time);
                all([says_so, nested, short, many_calls]).await;
                reported_as_last(&told).await
            })
        });
    }
}

/// The callback waits for a goroutine that cannot run before another worker steps in.
#[test]
fn a_callback_that_waits_for_a_goroutine_does_not_keep_it_from_running() {
    let _watchdog = watchdog();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let (tell, told) = mpsc::channel();
    let builder = Builder::new().worker_threads(1).on_blocked(move |_| {
        gone.lock().unwrap().recv().unwrap();
        tell.send(()).unwrap();
    });
    builder
        .block_on(async {
            let blocks = spawn(async move { told.recv().unwrap() });
            thread::sleep(200 * MILLI);
            let goes = spawn(async move {
                yield_now().await;
                go.send(()).unwrap();
            });
            all([blocks, goes]).await;
        })
        .unwrap();
}

/// Nobody can be started for the report, so it is not made; the monitor does not call the callback
/// itself, which never returns.
#[test]
#[cfg(target_os = "linux")]
fn a_callback_that_no_thread_can_be_had_for_does_not_hold_up_the_end() {
    let test = "a_callback_that_no_thread_can_be_had_for_does_not_hold_up_the_end";
    if !is_child() {
        let _watchdog = watchdog();
        // The stack of a thread that asks for none in particular.
        return child_passes(test, &[("RUST_MIN_STACK", "70368744177664")], "");
    }
    let builder = Builder::new().worker_threads(1).thread_stack_size(1 << 20);
    let builder = builder.on_blocked(|_| {
        loop {
            thread::park();
        }
    });
    let start = Instant::now();
    let held = builder.block_on(async { spawn(async { thread::sleep(300 * MILLI) }).await });
    held.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_callback_that_panics_is_called_for_the_next_site_all_the_same() {
    let _watchdog = watchdog();
    let (tell, told) = mpsc::channel();
    let builder = Builder::new().worker_threads(2).on_blocked(move |blocked| {
        tell.send(blocked.spawned_at.line()).unwrap();
        panic!("in the callback");
    });
    builder
        .block_on(async {
            for _ in 0..2 {
                let lines = [line!() + 1, line!() + 2];
                let first = spawn(async { thread::sleep(150 * MILLI) });
                let second = spawn(async { thread::sleep(150 * MILLI) });
                all([first, second]).await;
                let Ok(one) = told.recv_timeout(500 * MILLI) else { continue };
                let other = told.recv_timeout(DEADLINE).unwrap();
                assert_eq!(HashSet::from([one, other]), HashSet::from(lines));
            }
        })
        .unwrap();
}

#[test]
fn the_variable_reports_on_standard_error() {
    let _watchdog = watchdog();
    let test = "the_variable_reports_on_standard_error";
    if is_child() {
        return run(2, async {
            all([hold(300 * MILLI), hold(300 * MILLI)]).await;
            // Reports have a thread of their own, for which exit does not wait.
            thread::sleep(300 * MILLI);
        });
    }
    for (value, times) in [("20ms", 1), ("0.02s", 1), ("", 0), ("10s", 0)] {
        let output = child(test, &[("GORUN_BLOCKED", value)], "");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.matches("has held its worker").count(), times, "{value:?}: {text}");
        assert_eq!(text.matches("tests/blocked.rs").count(), times, "{value:?}: {text}");
    }
}
