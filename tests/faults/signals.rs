//! Signals that hit threads while they sleep.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gorun::time::{now, sleep, timeout};
use gorun::{blocking, channel, spawn};
use nix::libc::c_int;
use nix::sys::signal::{
    SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction,
};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use nix::unistd::gettid;

use crate::common::*;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS};

/// How often each signal has come.
static HITS: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];

extern "C" fn note(signal: c_int) {
    HITS[signal as usize].fetch_add(1, SeqCst);
}

fn hits(signal: Signal) -> usize {
    HITS[signal as usize].load(SeqCst)
}

fn handle(signal: Signal, flags: SaFlags) {
    let action = SigAction::new(SigHandler::Handler(note), flags, SigSet::empty());
    // SAFETY: the handler only adds to an atomic number, which is safe in the middle of anything.
    let former = unsafe { sigaction(signal, &action) };
    former.unwrap();
}

/// The system's numbers of this process's threads whose names begin with `name`.
pub(crate) fn threads_called(name: &str) -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let called = tasks.filter(|task| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    });
    called.map(|task| task.file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// Sends `signal` to one thread again and again, until dropped.
fn pester(thread_id: i32, signal: Signal, every: Duration) -> Timer {
    let notify = SigevNotify::SigevThreadId { signal, thread_id, si_value: 0 };
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify)).unwrap();
    timer.set(Expiration::Interval(every.into()), TimerSetTimeFlags::empty()).unwrap();
    timer
}

#[test]
fn signals_that_interrupt_every_wait_cost_nothing_but_time() {
    const OFTEN: usize = 1000;
    let _watchdog = watchdog();
    let test = "signals::signals_that_interrupt_every_wait_cost_nothing_but_time";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    // To main, to the workers, to the monitor.
    let signals = [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM];
    for flags in [SaFlags::empty(), SaFlags::SA_RESTART] {
        signals.iter().for_each(|&signal| handle(signal, flags));
        for workers in WORKERS {
            run(workers, async {
                let name = |what: &str| threads_called(what);
                // Threads name themselves when they begin.
                wait_until(|| name("gorun-").len() > workers);
                let monitor = name("gorun-monitor")[0];
                let every = Duration::from_micros(300);
                let mut timers = vec![
                    pester(gettid().as_raw(), signals[0], every),
                    pester(monitor, signals[2], every),
                ];
                for worker in name("gorun-").into_iter().filter(|&id| id != monitor).take(4) {
                    timers.push(pester(worker, signals[1], every));
                }
                let before = signals.map(hits);
                let enough = || signals.iter().zip(before).all(|(&s, b)| hits(s) >= b + OFTEN);
                while !enough() {
                    wait_in_every_way().await;
                    bit_of_everything().await;
                }
                drop(timers);
            });
        }
    }
}

/// Main and goroutines sleep for moments, each woken by another or by the time.
async fn wait_in_every_way() {
    let (there, to_them) = channel(0);
    let (back, from_them) = channel(0);
    spawn(async move {
        while let Some(number) = to_them.recv().await {
            sleep(200 * MILLI / 1000).await;
            back.send(number).await.unwrap();
        }
    });
    for number in 0..20 {
        there.send(number).await.unwrap();
        assert_eq!(from_them.recv().await, Some(number));
        let start = now();
        sleep(MILLI / 2).await;
        assert!(now() - start >= MILLI / 2, "main woke up early");
    }
    let start = now();
    let late = timeout(2 * MILLI, from_them.recv()).await.is_err();
    assert!(late && now() - start >= 2 * MILLI);
    let blocks = spawn(async {
        let start = now();
        blocking(|| thread::sleep(2 * MILLI));
        assert!(now() - start >= 2 * MILLI);
        let (_tx, rx) = mpsc::channel::<()>();
        assert!(rx.recv_timeout(2 * MILLI).is_err());
        now() - start
    });
    assert!(blocks.await.unwrap() >= 4 * MILLI);
}
