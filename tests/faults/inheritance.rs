//! What a thread inherits from the one that starts it: cores, priority, signal mask, timer slack. What a
//! goroutine or main sets of these for itself nobody else gets.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use gorun::{Builder, Handle, Receiver, block_on, blocking, channel, spawn};
use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use crate::affinity::one_core;
use crate::common::*;
use crate::skip;

const WORKERS: [usize; 4] = [1, 2, 8, 16];

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

/// What a thread has of all that it may inherit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inheritance {
    cores: CpuSet,
    masks_a_signal: bool,
    niceness: i32,
    timer_slack: i32,
}

const SIGNAL: Signal = Signal::SIGUSR2;

fn own_inheritance() -> Inheritance {
    Inheritance {
        cores: sched_getaffinity(SELF).unwrap(),
        masks_a_signal: SigSet::thread_get_mask().unwrap().contains(SIGNAL),
        // SAFETY: takes numbers only.
        niceness: unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) },
        // SAFETY: takes a number only, and returns one.
        timer_slack: unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) },
    }
}

fn use_one_core() {
    sched_setaffinity(SELF, &one_core()).unwrap();
}

fn mask_a_signal() {
    let mut signals = SigSet::empty();
    signals.add(SIGNAL);
    signals.thread_block().unwrap();
}

/// A thread's own on Linux. Anybody may have less of it.
fn be_nice() {
    let own = own_inheritance().niceness;
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, own.min(18) + 1) }, 0);
}

fn be_slack() {
    const SLACK: libc::c_ulong = 123_456;
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK) }, 0);
}

fn set_all() {
    use_one_core();
    mask_a_signal();
    be_nice();
    be_slack();
}

/// What somebody does with the thread for itself.
type Set = fn();

/// How a goroutine blocks until the channel is closed.
type Block = fn(Receiver<()>, Handle);

/// As many goroutines as there are workers `set` something for their threads and `block`. Others then run
/// on threads that stand in, one on each, and must find what main had.
fn nobody_inherits(set: Set, block: Block) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let expected = own_inheritance();
        let found = run(workers, async {
            let (go, gone) = channel(0);
            let is_set = Arc::new(AtomicUsize::new(0));
            let blocks = (0..workers).map(|_| {
                let (gone, is_set, runtime) = (gone.clone(), is_set.clone(), Handle::current());
                spawn(async move {
                    set();
                    is_set.fetch_add(1, SeqCst);
                    block(gone, runtime);
                })
            });
            let blocks: Vec<_> = blocks.collect();
            wait_until(|| is_set.load(SeqCst) == workers);
            let barrier = Arc::new(Barrier::new(workers));
            let looks = (0..workers).map(|_| {
                let barrier = barrier.clone();
                spawn(async move {
                    let found = own_inheritance();
                    blocking(|| barrier.wait());
                    found
                })
            });
            let mut found = Vec::new();
            for look in looks.collect::<Vec<_>>() {
                found.push(look.await.unwrap());
            }
            go.close();
            for block in blocks {
                block.await.unwrap();
            }
            found
        });
        assert_all_are(&expected, &found, workers);
    }
}

#[track_caller]
fn assert_all_are(expected: &Inheritance, found: &[Inheritance], case: impl Debug) {
    for found in found {
        assert!(found == expected, "{case:?}: {found:?} instead of {expected:?}");
    }
}

fn in_block_on(gone: Receiver<()>, _: Handle) {
    assert!(block_on(gone.recv()).is_none());
}

fn in_block_on_of_a_handle(gone: Receiver<()>, runtime: Handle) {
    assert!(runtime.block_on(gone.recv()).is_none());
}

fn in_blocking(gone: Receiver<()>, _: Handle) {
    assert!(blocking(|| gone.recv_blocking()).is_none());
}

fn in_recv_blocking(gone: Receiver<()>, _: Handle) {
    assert!(gone.recv_blocking().is_none());
}

fn in_a_runtime_inside(gone: Receiver<()>, _: Handle) {
    assert!(run(1, gone.recv()).is_none());
}

fn without_a_word(gone: Receiver<()>, runtime: Handle) {
    let (tell, told) = mpsc::channel();
    let waits = async move { tell.send(gone.recv().await.is_none()).unwrap() };
    runtime.spawn(waits).detach();
    assert!(told.recv().unwrap());
}

#[test]
fn who_stands_in_for_a_goroutine_that_is_confined_to_one_core_may_use_all() {
    if one_core() == sched_getaffinity(SELF).unwrap() {
        return skip("there is only one core");
    }
    nobody_inherits(use_one_core, in_blocking);
    nobody_inherits(use_one_core, in_block_on);
}

#[test]
fn who_stands_in_for_a_goroutine_that_masks_signals_gets_them() {
    nobody_inherits(mask_a_signal, in_blocking);
    nobody_inherits(mask_a_signal, in_block_on);
}

#[test]
fn who_stands_in_for_a_goroutine_that_is_nice_is_not() {
    nobody_inherits(be_nice, in_blocking);
    nobody_inherits(be_nice, in_block_on);
}

#[test]
fn who_stands_in_inherits_nothing_whatever_the_goroutine_blocks_in() {
    let ways: [Block; 6] = [
        in_block_on,
        in_block_on_of_a_handle,
        in_blocking,
        in_recv_blocking,
        in_a_runtime_inside,
        without_a_word,
    ];
    for block in ways {
        nobody_inherits(set_all, block);
    }
}

/// When it begins, what it runs on is main's; after that it is its own.
#[test]
fn workers_inherit_from_the_thread_that_calls_block_on_when_it_does() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        in_a_thread_of_its_own(move || {
            mask_a_signal();
            be_slack();
            let expected = own_inheritance();
            let found = run(workers, async {
                be_nice();
                let (found, again) = (spawn(async { own_inheritance() }), spawn(look_inside()));
                [found.await.unwrap(), again.await.unwrap()]
            });
            assert_all_are(&expected, &found, workers);
        });
    }
}

/// From a thread that stands in.
async fn look_inside() -> Inheritance {
    let look = spawn(async { own_inheritance() });
    blocking(|| block_on(look)).unwrap()
}

/// All workers are held, and nobody may stand in, when main sets what it likes and returns. Who drops the
/// rest inherits nothing.
#[test]
fn who_drops_what_is_left_at_exit_does_not_inherit_from_main() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        in_a_thread_of_its_own(move || {
            let expected = own_inheritance();
            let found = Arc::new(Mutex::new(Vec::new()));
            let in_main = async {
                let (held, is_over) = mpsc::channel::<()>();
                let is_over = Arc::new(Mutex::new(is_over));
                let blocked = Arc::new(AtomicUsize::new(0));
                for _ in 0..workers {
                    let (is_over, blocked) = (is_over.clone(), blocked.clone());
                    spawn(async move {
                        blocked.fetch_add(1, SeqCst);
                        let _ = is_over.lock().unwrap().recv();
                    });
                }
                wait_until(|| blocked.load(SeqCst) == workers);
                for _ in 0..10 {
                    let (held, found) = (held.clone(), found.clone());
                    let look = OnDrop(move || found.lock().unwrap().push(own_inheritance()));
                    spawn(async move {
                        let _held = (look, held);
                        unreachable!("main has returned");
                    });
                }
                set_all();
            };
            let patient = without_spares(workers).exit_grace(Duration::MAX);
            patient.block_on(in_main).unwrap();
            let found = std::mem::take(&mut *found.lock().unwrap());
            assert_eq!(found.len(), 10);
            assert_all_are(&expected, &found, workers);
        });
    }
}

/// Notes what the thread has on which it is called.
#[derive(Default)]
struct Look {
    found: Mutex<Option<Inheritance>>,
    is_called: AtomicBool,
}

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        *self.found.lock().unwrap() = Some(own_inheritance());
        self.is_called.store(true, SeqCst);
    }
}

#[test]
fn who_brings_news_of_what_is_left_behind_does_not_inherit_from_main() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let look = Arc::new(Look::default());
        let (go, gone) = mpsc::channel::<()>();
        let [handle] = in_a_thread_of_its_own({
            let look = look.clone();
            move || {
                let builder = Builder::new().worker_threads(workers);
                let in_main = async {
                    let is_blocked = flag();
                    let mut stays = spawn({
                        let is_blocked = is_blocked.clone();
                        async move {
                            is_blocked.store(true, SeqCst);
                            let _ = gone.recv();
                        }
                    });
                    wait_until(|| is_blocked.load(SeqCst));
                    let waker = Waker::from(look);
                    let polled = std::pin::Pin::new(&mut stays);
                    assert!(polled.poll(&mut Context::from_waker(&waker)).is_pending());
                    set_all();
                    [stays]
                };
                builder.exit_grace(Duration::from_millis(10)).block_on(in_main).unwrap()
            }
        });
        wait_until(|| look.is_called.load(SeqCst));
        let found = look.found.lock().unwrap().take();
        assert_all_are(&own_inheritance(), found.as_slice(), workers);
        assert!(block_on(handle).unwrap_err().is_cancelled());
        drop(go);
    }
}

/// Whatever it does to itself.
fn in_a_thread_of_its_own<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(f).join().unwrap()
}
