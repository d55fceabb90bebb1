//! Wakers and handles that outlive their runtime, or are used while it ends: never a use after
//! free, and nothing runs afterwards. Worth running under a memory sanitizer, too.

mod common;

use std::future::{Future, pending};
use std::hint;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::*;
use futures::FutureExt;
use gorun::{AbortHandle, Builder, Handle, JoinHandle};

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
