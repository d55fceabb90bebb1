//! `Handle::dump`: what goroutines wait for, and where.

mod common;

use std::future::{pending, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use gorun::dump::{Dump, Group, State};
use gorun::sync::{Barrier, Cond, Mutex, Notify, RwLock, Semaphore, broadcast, oneshot, watch};
use gorun::time::{interval, sleep, timeout};
use gorun::{
    AbortOnDrop, Handle, JoinSet, WaitGroup, block_on, blocking, channel, context, go, select,
    spawn, yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];

fn waits_at(state: State) -> Option<(&'static str, Option<u32>)> {
    match state {
        State::Waiting { operation, at, .. } => Some((operation, at.map(|at| at.line()))),
        _ => None,
    }
}

/// The group of the goroutines that were spawned in this line of this file.
fn of_line(dump: &Dump, line: u32) -> Vec<&Group> {
    dump.groups().iter().filter(|group| group.spawned_at.line() == line).collect()
}

/// Spawns a goroutine that waits, and looks until the dump names the operation and this line.
macro_rules! shows {
    ($operation:literal, $waits:expr) => {{
        let goroutine = spawn(async move { _ = $waits }).abort_on_drop();
        let line = line!();
        dump_that(|dump| match of_line(dump, line)[..] {
            [group] => waits_at(group.state) == Some(($operation, Some(line))),
            _ => false,
        })
        .await;
        goroutine
    }};
}

#[gorun::test(worker_threads = 2, leaks = "allow")]
async fn each_operation_is_shown_with_its_kind_and_the_place_of_its_await() {
    let _watchdog = watchdog();
    let (tx, rx) = channel::<u32>(1);
    let _recv = shows!("recv", rx.recv().await);
    let (to_nobody, _receiver) = channel::<u32>(0);
    let _send = shows!("send", to_nobody.send(1).await);
    let two = channel::<u32>(1);
    let other = two.1.clone();
    let _select = shows!("select", select! { _ = other.recv() => {} });
    let _sleep = shows!("sleep", sleep(HOUR).await);
    let never = spawn(pending::<()>());
    let _join = shows!("join", never.await);
    let group = WaitGroup::new();
    group.add(1);
    let _wait_group = shows!("wait group", group.wait().await);

    let held = Arc::new(Mutex::new(()));
    let _guard = held.lock().await;
    let mutex = held.clone();
    let _lock = shows!("lock", mutex.lock().await);
    let shared = Arc::new(RwLock::new(()));
    let _reader = shared.read().await;
    let rw_lock = shared.clone();
    let _write = shows!("lock", rw_lock.write().await);
    let permits = Semaphore::new(0);
    let _permit = shows!("lock", permits.acquire().await);
    let notify = Notify::new();
    let _notified = shows!("notified", notify.notified().await);
    let cond = (Mutex::new(()), Cond::new());
    let _cond = shows!("notified", cond.1.wait(cond.0.lock().await).await);
    let barrier = Barrier::new(2);
    let _barrier = shows!("barrier", barrier.wait().await);
    let (_announcer, mut listener) = broadcast::channel::<u32>(1);
    let _broadcast = shows!("broadcast", listener.recv().await);
    let (_setter, mut watcher) = watch::channel(1);
    let _watch = shows!("watch", watcher.changed().await);
    let (_once, receiver) = oneshot::channel::<u32>();
    let _oneshot = shows!("oneshot", receiver.await);
    let (cx, _cancel) = context::Context::background().with_cancel();
    let _context = shows!("context", cx.done().await);
    drop((tx, two));
}

#[cfg(feature = "net")]
#[gorun::test(worker_threads = 2)]
async fn waits_for_the_network_are_shown_where_the_program_awaits_them() {
    use gorun::net::{TcpListener, TcpStream, UdpSocket};

    let _watchdog = watchdog();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_peer, _) = listener.accept().await.unwrap();
    let _accept = shows!("accept", listener.accept().await);
    let _read = shows!("read", stream.read(&mut [0]).await);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let _receive = shows!("read", socket.recv(&mut [0]).await);
}

#[gorun::test(worker_threads = 2, leaks = "allow")]
async fn what_awaits_something_inside_gorun_is_shown_where_the_program_awaits_it() {
    let _watchdog = watchdog();
    let mut set = JoinSet::new();
    set.spawn(pending::<()>());
    let _join_next = shows!("join set", set.join_next().await);
    let mut ticks = interval(HOUR);
    ticks.tick().await;
    let _tick = shows!("sleep", ticks.tick().await);
    let mut all = JoinSet::new();
    all.spawn(pending::<()>());
    let _join_all = shows!("join set", all.join_all().await);
    let group = gorun::errgroup::Group::<()>::new();
    group.go(pending::<Result<(), ()>>()).await;
    let _group = shows!("wait group", group.wait().await);
    let (_tx, watched) = watch::channel(1);
    let mut watched = watched;
    let _watch = shows!("watch", watched.wait_for(|value| *value == 2).await);
    let cond = Cond::new();
    let mutex = Mutex::new(1);
    #[rustfmt::skip]
    let _cond = shows!("notified", drop(cond.wait_while(mutex.lock().await, |_| true).await));
    let ((near, _far), (other, _its_far)) = (gorun::io::duplex(), gorun::io::duplex());
    let _copy = shows!("read", gorun::io::copy(near, other).await);
}

/// What is inside one of gorun's is more than that there is a limit.
#[gorun::test(worker_threads = 2)]
async fn of_operations_inside_one_another_the_inner_one_is_shown() {
    let _watchdog = watchdog();
    let (_tx, rx) = channel::<u32>(1);
    let _inner = shows!("recv", timeout(HOUR, rx.recv()).await);
    let _outer = shows!("timeout", timeout(HOUR, pending::<()>()).await);
}

#[gorun::test(worker_threads = 2)]
async fn another_crates_future_is_said_to_be_one() {
    let _watchdog = watchdog();
    let line = line!() + 1;
    let _parked = spawn(pending::<()>()).abort_on_drop();
    let is_shown = |dump: &Dump| match of_line(dump, line)[..] {
        [group] => group.state == State::WaitingElsewhere,
        _ => false,
    };
    let text = dump_that(is_shown).await.to_string();
    assert!(text.contains("a future that is not gorun's"), "{text}");
}

/// A goroutine that has waited for gorun's operation, and now does not.
#[gorun::test(worker_threads = 2)]
async fn a_wait_that_is_over_is_not_shown() {
    let _watchdog = watchdog();
    let (tx, rx) = channel::<u32>(1);
    let line = line!() + 1;
    let goroutine = spawn(async move {
        rx.recv().await;
        pending::<()>().await
    });
    let _goroutine = goroutine.abort_on_drop();
    let shows = |state: fn(State) -> bool| {
        move |dump: &Dump| match of_line(dump, line)[..] {
            [group] => state(group.state),
            _ => false,
        }
    };
    dump_that(shows(|state| waits_at(state).is_some())).await;
    tx.send(1).await.unwrap();
    dump_that(shows(|state| state == State::WaitingElsewhere)).await;
}

/// Of what these poll, something waits, but they do not.
#[gorun::test(worker_threads = 2)]
async fn an_operation_that_ends_leaves_no_note_of_what_waited_inside() {
    let _watchdog = watchdog();
    let (_tx, rx) = channel::<u32>(1);
    let (other, another) = (rx.clone(), rx.clone());
    let first = line!();
    let all = [
        spawn(async move {
            timeout(HOUR, ready(())).await.unwrap();
            pending::<()>().await
        }),
        spawn(async move {
            select! { _ = other.recv() => {}, () = ready(()) => {} }
            pending::<()>().await
        }),
        spawn(async move {
            select! { _ = another.recv() => {}, default => {} }
            pending::<()>().await
        }),
        spawn(async move {
            let (cx, _cancel) = context::Context::background().with_cancel();
            cx.run(ready(())).await.unwrap();
            pending::<()>().await
        }),
    ];
    let lines = first..line!();
    let _all = all.map(gorun::JoinHandle::abort_on_drop);
    dump_that(|dump| {
        let groups = dump.groups().iter();
        let ours = groups.filter(|group| lines.contains(&group.spawned_at.line()));
        ours.filter(|group| group.state == State::WaitingElsewhere).count() == 4
    })
    .await;
    drop(rx);
}

#[gorun::test(worker_threads = 2)]
async fn main_is_not_shown_with_what_its_local_futures_wait_for() {
    let _watchdog = watchdog();
    let (_tx, rx) = channel::<()>(1);
    let local = gorun::spawn_local(async move { rx.recv().await });
    let (tell, told) = futures::channel::oneshot::channel();
    let runtime = Handle::current();
    let looks = thread::spawn(move || {
        wait_until(|| runtime.dump().main() == Some(State::WaitingElsewhere));
        tell.send(()).unwrap();
    });
    told.await.unwrap();
    blocking(|| looks.join().unwrap());
    drop(local);
}

/// A destructor that hangs at exit, for example.
#[test]
fn a_dump_while_the_runtime_ends_says_so() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tell, told) = std::sync::mpsc::channel();
        let held = OnDrop(move || tell.send(Handle::current().dump()).unwrap());
        end_while_parked(workers, held);
        let dump = told.recv().unwrap();
        assert_eq!((dump.main(), dump.groups().len(), dump.num_new()), (None, 0, 1), "{dump}");
        assert!(dump.to_string().contains("1 goroutine: left, while main has ended"), "{dump}");
    }
}

#[gorun::test(worker_threads = 1)]
async fn those_that_could_run_are_queued() {
    let _watchdog = watchdog();
    let (tx, rx) = channel::<()>(16);
    let line = line!() + 4;
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let rx = rx.clone();
            spawn(async move { rx.recv().await.unwrap() })
        })
        .collect();
    dump_that(|dump| dump.groups().iter().any(|group| group.count == 8)).await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (started, has_started) = std::sync::mpsc::channel();
    // Keeps the only worker, so that nobody runs those that it wakes.
    let hog = spawn(async move {
        (0..8).for_each(|_| tx.try_send(()).unwrap());
        started.send(()).unwrap();
        released.recv().unwrap();
    });
    has_started.recv().unwrap();
    let dump = Handle::current().dump();
    release.send(()).unwrap();
    // Another thread may have taken over meanwhile.
    for group in of_line(&dump, line) {
        assert!(matches!(group.state, State::Queued | State::Running), "{dump}");
    }
    hog.await.unwrap();
    for one in waiting {
        one.await.unwrap();
    }
}

#[test]
fn a_dump_comes_while_every_worker_is_stuck_and_says_on_what() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_without_spares(workers, async {
            let release = Arc::new(AtomicBool::new(false));
            let stuck = Arc::new(AtomicUsize::new(0));
            let line = line!() + 3;
            for _ in 0..workers {
                let (release, stuck) = (release.clone(), stuck.clone());
                go!(async move {
                    stuck.fetch_add(1, SeqCst);
                    while !release.load(SeqCst) {
                        thread::sleep(Duration::from_millis(1));
                    }
                });
            }
            wait_until(|| stuck.load(SeqCst) == workers);
            let count = |dump: &Dump| {
                let polls = dump.workers().iter().filter_map(|worker| worker.poll.as_ref());
                let sites = polls.filter_map(|poll| poll.spawned_at);
                sites.filter(|site| site.line() == line).count()
            };
            for _ in 0..2 {
                let dump = Handle::current().dump();
                assert_eq!(count(&dump), workers, "{dump}");
                assert_eq!(dump.num_new(), workers, "{dump}");
            }
            // The monitor has seen them for a while.
            wait_until(|| {
                let dump = Handle::current().dump();
                let polls = dump.workers().iter().filter_map(|worker| worker.poll.as_ref());
                polls.filter(|poll| poll.held_for > Some(Duration::from_millis(5))).count()
                    == workers
            });
            release.store(true, SeqCst);
        });
    }
}

#[test]
fn who_blocks_in_block_on_is_shown_with_what_that_waits_for() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel::<u32>(1);
            let line = line!() + 1;
            let blocked = spawn(async move { block_on(async { rx.recv().await }) });
            let is_shown = |dump: &Dump| {
                let polls = dump.workers().iter().filter_map(|worker| worker.poll.as_ref());
                polls
                    .filter_map(|poll| poll.waits_for.and_then(waits_at))
                    .any(|wait| wait == ("recv", Some(line)))
            };
            dump_that(is_shown).await;
            tx.send(1).await.unwrap();
            assert_eq!(blocked.await.unwrap(), Some(1));
        });
    }
}

#[gorun::test(worker_threads = 2)]
async fn main_is_shown_with_what_it_waits_for() {
    let _watchdog = watchdog();
    let (tx, rx) = channel::<()>(1);
    let runtime = Handle::current();
    let line = line!() + 9;
    let looks = thread::spawn(move || {
        wait_until(|| {
            let main = runtime.dump().main().and_then(waits_at);
            main == Some(("recv", Some(line)))
        });
        tx.try_send(()).unwrap();
    });
    // This line:
    rx.recv().await.unwrap();
    blocking(|| looks.join().unwrap());
    let text = Handle::current().dump().to_string();
    assert!(text.contains("main [running]"), "{text}");
}

/// It would wake what is parked, and ring what has been counted.
#[gorun::test(worker_threads = 2)]
async fn a_dump_polls_nothing() {
    let _watchdog = watchdog();
    let polls = Arc::new(AtomicUsize::new(0));
    let _parked: Vec<AbortOnDrop<()>> = (0..100)
        .map(|_| {
            let polls = polls.clone();
            let counts = poll_fn(move |_| {
                polls.fetch_add(1, SeqCst);
                Poll::<()>::Pending
            });
            spawn(counts).abort_on_drop()
        })
        .collect();
    dump_that(|dump| dump.groups().iter().any(|group| group.count == 100)).await;
    (0..1000).for_each(|_| _ = Handle::current().dump());
    assert_eq!(polls.load(SeqCst), 100);
}

/// Goroutines that suspend, end, are woken and aborted meanwhile, also from outside.
#[test]
fn dumps_beside_goroutines_that_come_and_go_are_never_out_of_bounds() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let is_over = Arc::new(AtomicBool::new(false));
        let looker = run(workers, async {
            let (runtime, over) = (Handle::current(), is_over.clone());
            let looker = thread::spawn(move || {
                let mut most = 0;
                while !over.load(SeqCst) {
                    most = most.max(runtime.dump().num_goroutines());
                }
                // The runtime has ended.
                assert_eq!(runtime.dump().main(), None);
                most
            });
            for _ in 0..scaled(300, 50) {
                let (tx, rx) = channel::<u32>(0);
                let mut set = JoinSet::new();
                for n in 0..20 {
                    let (tx, rx) = (tx.clone(), rx.clone());
                    set.spawn(async move {
                        yield_now().await;
                        match n % 2 {
                            0 => _ = tx.send(n).await,
                            _ => _ = rx.recv().await,
                        }
                    });
                }
                let aborted = spawn(pending::<()>());
                aborted.abort();
                while set.join_next().await.is_some() {}
            }
            looker
        });
        is_over.store(true, SeqCst);
        let most = looker.join().unwrap();
        assert!((1..=100).contains(&most), "{most}");
    }
}

#[test]
fn a_million_goroutines_are_counted_soon_and_printed_in_few_lines() {
    let _watchdog = watchdog();
    const COUNT: usize = scaled(1_000_000, 50_000);
    run(2, async {
        let (tx, rx) = channel::<()>(1);
        let mut set = JoinSet::new();
        for _ in 0..COUNT {
            let rx = rx.clone();
            set.spawn(async move { _ = rx.recv().await });
        }
        dump_that(|dump| dump.groups().iter().any(|group| group.count == COUNT)).await;
        let start = Instant::now();
        for _ in 0..2 {
            let dump = Handle::current().dump();
            assert_eq!(dump.num_goroutines(), COUNT + 1);
            assert!(dump.to_string().lines().count() < 20, "{dump}");
        }
        // Each in under a second, on a machine that does nothing else.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        drop(tx);
        while set.join_next().await.is_some() {}
    });
}
