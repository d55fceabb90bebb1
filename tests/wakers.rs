//! Wakers and handles that outlive their runtime, or are used while it ends: never a use after
//! free, and nothing runs afterwards. Worth running under a memory sanitizer, too.

mod common;

use std::future::{Future, pending};
use std::hint;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::*;
use futures::{FutureExt, StreamExt};
use gorun::time::{interval, sleep, timeout};
use gorun::{
    AbortHandle, Builder, Handle, JoinHandle, JoinSet, WaitGroup, channel, select, spawn, yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];

type Handles = (JoinHandle<()>, AbortHandle);

/// Where goroutines leave their wakers and handles, for others to use.
struct Board {
    wakers: Vec<Mutex<Option<Waker>>>,
    handles: Vec<Mutex<Option<Handles>>>,
    uses: AtomicUsize,
    stop: AtomicBool,
}

impl Board {
    fn new() -> Arc<Self> {
        Arc::new(Board {
            wakers: (0..32).map(|_| Mutex::new(None)).collect(),
            handles: (0..32).map(|_| Mutex::new(None)).collect(),
            uses: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        })
    }

    fn leave_waker(&self, number: usize, waker: &Waker) {
        let former = self.wakers[number % 32].lock().unwrap().replace(waker.clone());
        drop(former);
    }

    fn leave_handle(&self, number: usize, handle: JoinHandle<()>) {
        let abort = handle.abort_handle();
        let former = self.handles[number % 32].lock().unwrap().replace((handle, abort));
        drop(former);
    }

    /// Uses what it finds, in one of the ways there are. Which one comes from `random`.
    fn hammer(&self, random: usize) {
        self.uses.fetch_add(1, Ordering::AcqRel);
        let slot = &self.wakers[random % 32];
        let waker = slot.lock().unwrap().clone();
        if let Some(waker) = waker {
            match random / 32 % 6 {
                0 => waker.wake(),
                1 => {
                    waker.wake_by_ref();
                    waker.wake_by_ref();
                }
                2 => drop(waker.clone()),
                3 => waker.wake_by_ref(),
                // Perhaps the last reference goes here.
                4 => drop(slot.lock().unwrap().take()),
                _ => {
                    let taken = slot.lock().unwrap().take();
                    taken.into_iter().for_each(Waker::wake);
                }
            }
        }
        if !(random / 192).is_multiple_of(4) {
            return;
        }
        let handle = self.handles[random % 32].lock().unwrap().take();
        if let Some((mut handle, abort)) = handle {
            match random / 768 % 5 {
                0 => drop(handle),
                1 => drop((&mut handle).now_or_never()),
                2 => {
                    drop(handle);
                    abort.abort();
                }
                3 => handle.abort(),
                _ => assert!(!handle.is_finished() || handle.now_or_never().is_some()),
            }
        }
    }

    fn hammer_until_stopped(&self, seed: usize) {
        let mut random = Random(seed as u64 + 1);
        while !self.stop.load(Ordering::Acquire) {
            self.hammer(random.next());
        }
    }
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize
    }
}

/// Leaves its waker on the board in each poll. Its destructor takes its time, so that others use
/// the board while exit is in progress.
struct Exposed {
    board: Arc<Board>,
    number: usize,
    polls: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    _probe: Probe,
}

impl Future for Exposed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(!self.ended.load(Ordering::Acquire), "polled after main had ended");
        self.board.leave_waker(self.number, cx.waker());
        let polls = self.polls.fetch_add(1, Ordering::AcqRel);
        if polls % 64 == 63 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        if self.ended.load(Ordering::Acquire) {
            // A panic of a goroutine would be reported only.
            eprintln!("dropped after main had returned");
            std::process::abort();
        }
        let uses = self.board.uses.load(Ordering::Acquire);
        for _ in 0..2000 {
            if self.board.uses.load(Ordering::Acquire) > uses + 3 {
                break;
            }
            hint::spin_loop();
        }
    }
}

fn hammered_run(board: &Arc<Board>, workers: usize) {
    const GOROUTINES: usize = 24;
    let (polls, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let drops = Drops::new(GOROUTINES);
    patient(workers)
        .block_on(async {
            for number in 0..GOROUTINES {
                let goroutine = Exposed {
                    board: board.clone(),
                    number,
                    polls: polls.clone(),
                    ended: ended.clone(),
                    _probe: drops.probe(number),
                };
                board.leave_handle(number, gorun::spawn(goroutine));
            }
            // Some are aborted before they are polled.
            yield_until(|| polls.load(Ordering::Acquire) + drops.dropped() >= GOROUTINES / 2).await;
        })
        .unwrap();
    ended.store(true, Ordering::Release);
    // Off main's thread or on it: who drops the handle of a goroutine drops nothing but its result.
    drops.assert_each_once_off_main(workers);
}

#[test]
fn wakers_and_handles_are_used_by_other_threads_while_main_returns_and_afterwards() {
    let _watchdog = watchdog();
    let board = Board::new();
    let hammers: Vec<_> = (0..3)
        .map(|seed| {
            let board = board.clone();
            thread::spawn(move || board.hammer_until_stopped(seed))
        })
        .collect();
    for run in 0..500 {
        hammered_run(&board, if run % 50 == 0 { 16 } else { 1 + run % 2 });
    }
    board.stop.store(true, Ordering::Release);
    hammers.into_iter().for_each(|hammer| hammer.join().unwrap());
}

#[test]
fn wakers_and_handles_are_used_by_another_runtimes_workers_while_main_returns_and_afterwards() {
    let _watchdog = watchdog();
    let board = Board::new();
    let other = thread::spawn({
        let board = board.clone();
        move || {
            patient(2).block_on(async {
                for seed in 0..2 {
                    let board = board.clone();
                    gorun::spawn(async move {
                        let mut random = Random(seed + 1);
                        while !board.stop.load(Ordering::Acquire) {
                            (0..16).for_each(|_| board.hammer(random.next()));
                            gorun::yield_now().await;
                        }
                    });
                }
                // As long as it takes; the watchdog has the limit.
                while !board.stop.load(Ordering::Acquire) {
                    gorun::yield_now().await;
                }
            })
        }
    });
    for run in 0..500 {
        hammered_run(&board, if run % 50 == 0 { 16 } else { 1 + run % 2 });
    }
    board.stop.store(true, Ordering::Release);
    other.join().unwrap().unwrap();
}

#[test]
fn a_waker_kept_beyond_main_wakes_nobody() {
    let _watchdog = watchdog();
    for run in 0..200 {
        let board = Board::new();
        hammered_run(&board, WORKERS[run % 3]);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for slot in &board.wakers {
                        let waker = slot.lock().unwrap().clone();
                        if let Some(waker) = waker {
                            waker.wake_by_ref();
                            assert!(waker.will_wake(&waker.clone()));
                            waker.wake_by_ref();
                        }
                    }
                });
            }
        });
        for slot in &board.wakers {
            slot.lock().unwrap().take().into_iter().for_each(Waker::wake);
        }
        for slot in &board.handles {
            let Some((handle, abort)) = slot.lock().unwrap().take() else { continue };
            abort.abort();
            assert!(handle.is_finished());
            let result = handle.now_or_never().expect("main has ended");
            assert!(result.is_ok() || result.unwrap_err().is_cancelled());
        }
    }
}

/// The waker of a goroutine that exit leaves behind works on a scheduler without threads.
#[test]
fn wakers_of_goroutines_left_behind_are_harmless() {
    struct Stuck {
        board: Arc<Board>,
        number: usize,
        polls: Arc<AtomicUsize>,
        stop: Arc<AtomicBool>,
        _probe: Probe,
    }
    impl Future for Stuck {
        type Output = ();

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.board.leave_waker(self.number, cx.waker());
            self.polls.fetch_add(1, Ordering::AcqRel);
            while !self.stop.load(Ordering::Acquire) {
                thread::sleep(Duration::from_micros(100));
            }
            Poll::Pending
        }
    }
    let _watchdog = watchdog();
    let board = Board::new();
    let hammers: Vec<_> = (0..2)
        .map(|seed| {
            let board = board.clone();
            thread::spawn(move || board.hammer_until_stopped(seed))
        })
        .collect();
    for run in 0..60 {
        let workers = WORKERS[run % 3];
        let stop = Arc::new(AtomicBool::new(false));
        let (polls, drops) = (Arc::new(AtomicUsize::new(0)), Drops::new(workers));
        Builder::new()
            .worker_threads(workers)
            .exit_grace(Duration::ZERO)
            .block_on(async {
                let stuck = |number| {
                    gorun::spawn(Stuck {
                        board: board.clone(),
                        number,
                        polls: polls.clone(),
                        stop: stop.clone(),
                        _probe: drops.probe(number),
                    })
                };
                let handles: Vec<_> = (0..workers).map(stuck).collect();
                yield_until(|| polls.load(Ordering::Acquire) == workers).await;
                for (number, handle) in handles.into_iter().enumerate() {
                    board.leave_handle(number, handle);
                }
            })
            .unwrap();
        let uses = board.uses.load(Ordering::Acquire);
        wait_until(|| board.uses.load(Ordering::Acquire) > uses + 200);
        assert_eq!(drops.dropped(), 0);
        stop.store(true, Ordering::Release);
        wait_until(|| drops.all_dropped());
        drops.assert_each_once_off_main(workers);
        assert_eq!(polls.load(Ordering::Acquire), workers, "polled after main had ended");
        // The board keeps some of the wakers, and of the handles.
    }
    board.stop.store(true, Ordering::Release);
    hammers.into_iter().for_each(|hammer| hammer.join().unwrap());
}

/// The value of a goroutine and the last reference to it go where the handle and the waker go.
#[test]
fn the_last_reference_may_be_dropped_after_the_runtime_is_gone() {
    let _watchdog = watchdog();
    for run in 0..200 {
        let (wakers, drops) = (Arc::new(Mutex::new(Vec::new())), Drops::new(20));
        let kept = patient(WORKERS[run % 3])
            .block_on(async {
                let kept: Vec<_> = (0..20)
                    .map(|number| {
                        let (wakers, probe) = (wakers.clone(), drops.probe(number));
                        gorun::spawn(async move {
                            let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone()));
                            let waker = waker.await;
                            wakers.lock().unwrap().push(waker);
                            if number % 2 == 0 {
                                pending::<()>().await;
                            }
                            probe
                        })
                    })
                    .collect();
                yield_until(|| wakers.lock().unwrap().len() == 20).await;
                yield_until(|| gorun::num_goroutines() == 11).await;
                (kept, Handle::current())
            })
            .unwrap();
        assert_eq!(drops.dropped(), 10, "the other ten are results that nobody has taken");
        let wakers = std::mem::take(&mut *wakers.lock().unwrap());
        let (handles, runtime) = kept;
        let dropper = thread::spawn(move || drop(wakers));
        drop(runtime);
        thread::spawn(move || drop(handles)).join().unwrap();
        dropper.join().unwrap();
        drops.assert_each_once_off_main(run);
    }
}

// Who is dropped, or polled with another waker, lets go of the one that it has.

/// A waker of the user's.
#[derive(Default)]
struct Owned {
    calls: AtomicUsize,
}

impl Wake for Owned {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::AcqRel);
    }
}

impl Owned {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn poll<F: Future + ?Sized>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&self.clone().into()))
    }

    /// How many others have it.
    fn holders(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }

    #[track_caller]
    fn assert_let_go(self: &Arc<Self>, who: &str) {
        assert_eq!(self.holders(), 0, "{who} keeps the waker");
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }
}

/// Polls it with one waker and with another, and drops it. The wakers have to be free then, and are
/// returned, for who can make the future ready afterwards.
#[track_caller]
fn given_up<F: Future>(who: &str, future: F) -> [Arc<Owned>; 2] {
    let (first, second) = (Owned::new(), Owned::new());
    let mut future = Box::pin(future);
    assert!(first.poll(future.as_mut()).is_pending(), "{who}");
    assert!(first.holders() > 0, "{who} does not wait");
    assert!(second.poll(future.as_mut()).is_pending(), "{who}");
    first.assert_let_go(&format!("{who}, polled with another waker,"));
    assert!(second.holders() > 0, "{who} does not wait");
    drop(future);
    second.assert_let_go(&format!("{who}, dropped,"));
    [first, second]
}

#[track_caller]
fn assert_not_called(wakers: &[Arc<Owned>]) {
    for (number, waker) in wakers.iter().enumerate() {
        assert_eq!((waker.calls(), waker.holders()), (0, 0), "waker {number}: calls, holders");
    }
}

#[test]
fn a_handle_that_is_given_up_keeps_no_waker_and_its_goroutine_calls_none_when_it_completes() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for run_number in 0..50 {
            let (gate, open) = (flag(), Drops::new(4));
            let goroutine = |number| {
                let (gate, probe) = (gate.clone(), open.probe(number));
                async move {
                    yield_until(|| gate.load(Ordering::Acquire)).await;
                    if number == 3 {
                        panic!("boom");
                    }
                    probe
                }
            };
            let builder = patient(workers).unhandled_panic(gorun::UnhandledPanic::Ignore);
            let main = async {
                let mut wakers = Vec::new();
                wakers.extend(given_up("a handle", spawn(goroutine(0))));
                let mut detached = spawn(goroutine(1));
                let waker = Owned::new();
                assert!(waker.poll(Pin::new(&mut detached)).is_pending());
                detached.detach();
                wakers.push(waker);
                let runtime = Handle::current();
                let outside = thread::spawn({
                    let (one, other) = (goroutine(2), goroutine(3));
                    move || {
                        let wakers = given_up("one of a thread outside", runtime.spawn(one));
                        given_up("one that will panic", runtime.spawn(other))
                            .into_iter()
                            .chain(wakers)
                    }
                });
                wakers.extend(outside.join().unwrap());
                assert_not_called(&wakers);
                gate.store(true, Ordering::Release);
                yield_until(|| gorun::num_goroutines() == 1).await;
                wakers
            };
            let wakers = builder.block_on(main).unwrap();
            assert_not_called(&wakers);
            // Nobody took the results, so they went with the goroutines.
            open.assert_each_once((workers, run_number));
        }
    }
}

/// Those awaited outside their runtime have a second place where the waker is kept.
#[test]
fn a_handle_first_awaited_outside_and_then_by_a_goroutine_keeps_no_waker_of_the_first() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let gate = flag();
            let waits = gate.clone();
            let mut handle =
                spawn(async move { yield_until(|| waits.load(Ordering::Acquire)).await });
            let waker = Owned::new();
            assert!(waker.poll(Pin::new(&mut handle)).is_pending());
            let polled = flag();
            let has_polled = polled.clone();
            let awaiting = spawn(async move {
                let mut handle = pin!(handle);
                std::future::poll_fn(|cx| {
                    let poll = handle.as_mut().poll(cx);
                    has_polled.store(true, Ordering::Release);
                    poll
                })
                .await
            });
            yield_until(|| polled.load(Ordering::Acquire)).await;
            waker.assert_let_go("a handle, awaited by a goroutine,");
            gate.store(true, Ordering::Release);
            awaiting.await.unwrap().unwrap();
            assert_eq!(waker.calls(), 0);
        });
    }
}

/// The result was there, but nobody looked: it is that of a handle dropped without a look.
#[test]
fn a_panic_behind_a_handle_that_was_awaited_and_given_up_is_unhandled() {
    let _watchdog = watchdog();
    quiet();
    for workers in WORKERS {
        for completes_first in [true, false] {
            let waker = Owned::new();
            let panicked = payload_of(|| {
                run(workers, async {
                    let gate = flag();
                    let waits = gate.clone();
                    let mut handle = spawn(async move {
                        yield_until(|| waits.load(Ordering::Acquire)).await;
                        panic!("boom: nobody takes it");
                    });
                    assert!(waker.poll(Pin::new(&mut handle)).is_pending());
                    if completes_first {
                        gate.store(true, Ordering::Release);
                        yield_until(|| waker.calls() == 1).await;
                    }
                    drop(handle);
                    waker.assert_let_go("a handle");
                    gate.store(true, Ordering::Release);
                    pending::<()>().await
                })
            });
            assert_eq!(message(&*panicked), Some("boom: nobody takes it"));
            assert_eq!(waker.calls(), usize::from(completes_first));
        }
    }
}

#[test]
fn a_result_given_up_while_it_comes_is_dropped_once_and_its_waker_is_free() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        const COUNT: usize = 2000;
        let (drops, mut wakers) = (Drops::new(COUNT), Vec::new());
        run(workers, async {
            for number in 0..COUNT {
                let (probe, waker) = (drops.probe(number), Owned::new());
                let mut handle = spawn(async move {
                    (0..number % 50).for_each(|_| hint::spin_loop());
                    probe
                });
                drop(waker.poll(Pin::new(&mut handle)));
                (0..number % 70).for_each(|_| hint::spin_loop());
                drop(handle);
                let is_free = waker.holders() == 0;
                wakers.push((waker.calls(), is_free, waker));
            }
            yield_until(|| gorun::num_goroutines() == 1).await;
        });
        drops.assert_each_once(workers);
        for (calls_before, was_free, waker) in wakers {
            waker.assert_let_go("the handle of one that has completed");
            // A completion that had it already was free to call it.
            assert!(waker.calls() == calls_before || !was_free && waker.calls() == 1);
        }
    }
}

#[test]
fn the_handle_of_a_goroutine_left_behind_keeps_no_waker_when_it_has_said_so() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (stop, polls, waker) = (flag(), Arc::new(AtomicUsize::new(0)), Owned::new());
        let builder = Builder::new().worker_threads(workers).exit_grace(Duration::ZERO);
        let [mut handle] = builder
            .block_on(async {
                let mut handle = spawn(spinner(&polls, &stop, ()));
                yield_until(|| polls.load(Ordering::Acquire) == 1).await;
                assert!(waker.poll(Pin::new(&mut handle)).is_pending());
                [handle]
            })
            .unwrap();
        wait_until(|| waker.calls() == 1);
        let Poll::Ready(result) = waker.poll(Pin::new(&mut handle)) else { panic!("left behind") };
        assert!(result.unwrap_err().is_cancelled());
        // It goes on, and may complete at any time.
        wait_until(|| waker.holders() == 0);
        assert_eq!(waker.calls(), 1);
        stop.store(true, Ordering::Release);
    }
}

#[test]
fn a_set_that_is_given_up_keeps_no_waker_and_its_goroutines_call_none() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let gate = flag();
            let fill = |set: &mut JoinSet<()>| {
                for _ in 0..10 {
                    let gate = gate.clone();
                    set.spawn(async move { yield_until(|| gate.load(Ordering::Acquire)).await });
                }
            };
            let mut wakers = Vec::new();
            let mut sets: [JoinSet<()>; 4] = Default::default();
            sets.iter_mut().for_each(fill);
            for set in &mut sets {
                wakers.extend(given_up("join_next", set.join_next()));
            }
            let [dropped, mut detached, mut emptied, joined] = sets;
            drop(dropped);
            detached.detach_all();
            // All of them have completed when they are waited for.
            let waker = Owned::new();
            emptied.abort_all();
            loop {
                match waker.poll(pin!(emptied.join_next())) {
                    Poll::Ready(None) => break,
                    Poll::Ready(Some(_)) => {}
                    Poll::Pending => yield_now().await,
                }
            }
            waker.assert_let_go("a set that has become empty");
            wakers.extend(given_up("join_all", joined.join_all()));
            gate.store(true, Ordering::Release);
            yield_until(|| gorun::num_goroutines() == 1).await;
            assert_not_called(&wakers);

            let mut stubborn = JoinSet::new();
            let (stop, polls) = (flag(), Arc::new(AtomicUsize::new(0)));
            stubborn.spawn(spinner(&polls, &stop, ()));
            yield_until(|| polls.load(Ordering::Acquire) == 1).await;
            let wakers = given_up("shutdown", stubborn.shutdown());
            stop.store(true, Ordering::Release);
            assert!(stubborn.join_next().await.unwrap().unwrap_err().is_cancelled());
            assert_not_called(&wakers);
        });
    }
}

#[test]
fn an_operation_that_is_given_up_keeps_no_waker_and_nothing_calls_it_afterwards() {
    let _watchdog = watchdog();
    const SOON: Duration = Duration::from_millis(20);
    for workers in WORKERS {
        run(workers, async {
            let mut wakers = Vec::new();
            let group = WaitGroup::new();
            group.add(1);
            wakers.extend(given_up("a wait", group.wait()));
            wakers.extend(given_up("a sleep", sleep(SOON)));
            wakers.extend(given_up("a timeout", timeout(SOON, pending::<()>())));
            let mut ticks = interval(SOON);
            ticks.tick().await;
            wakers.extend(given_up("a tick of an interval", ticks.tick()));
            wakers.extend(given_up("an interval", async move { ticks.tick().await }));

            let (tx, rx) = channel::<u32>(1);
            wakers.extend(given_up("a receive", rx.recv()));
            let mut stream = rx.clone();
            wakers.extend(given_up("a stream's receiver", async move { stream.next().await }));
            let other = rx.clone();
            wakers.extend(given_up("a select! that receives", async {
                select! {
                    _ = rx.recv() => {}
                    _ = other.recv() => {}
                    _ = sleep(SOON) => {}
                }
            }));
            tx.send(1).await.unwrap();
            wakers.extend(given_up("a send", tx.send(2)));
            let mut value = Some(3);
            wakers.extend(given_up("a send_from", tx.send_from(&mut value)));
            wakers.extend(given_up("a select! that sends", async {
                select! {
                    r = tx.send(4) => r.unwrap(),
                    r = tx.send_from(&mut value) => r.unwrap(),
                }
            }));
            assert_not_called(&wakers);
            // Whatever they waited for comes.
            group.done();
            sleep(2 * SOON).await;
            assert_eq!(rx.recv().await, Some(1));
            tx.send(5).await.unwrap();
            assert_eq!(rx.recv().await, Some(5));
            drop(tx);
            assert_eq!(rx.recv().await, None);
            yield_now().await;
            assert_not_called(&wakers);
        });
    }
}
