//! Clocks that jump. The monotonic clock does not; the other one may be set at any time.
//!
//! The machine's clock is left alone: the C library's function that reads clocks is replaced in this
//! test program, by one that can be told to have set the wall clock.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use gorun::time::{interval, now, sleep, tick, timeout};
use gorun::{select, spawn};
use nix::libc;

use crate::common::*;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS};

/// By so many seconds the wall clock has been set forward.
static SET_FORWARD: AtomicI64 = AtomicI64::new(0);

/// How often the wall clock was read.
static READS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it does what the function of that name in the C library does, with the system call behind
// it; the linker prefers the program's own definition, also for the standard library's calls.
#[unsafe(no_mangle)]
#[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the caller's pointer is passed on as it came; the system checks it.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if result == 0 && clock == libc::CLOCK_REALTIME {
        READS.fetch_add(1, SeqCst);
        // SAFETY: the system has just written to it.
        let time = unsafe { &mut *time };
        time.tv_sec += SET_FORWARD.load(SeqCst);
    }
    result as libc::c_int
}

fn set_wall_clock(forward: i64) {
    let before = SystemTime::now();
    let former = SET_FORWARD.swap(forward, SeqCst);
    let after = SystemTime::now();
    let moved = match after.duration_since(before) {
        Ok(moved) => moved.as_secs() as i64,
        Err(error) => -(error.duration().as_secs() as i64) - 1,
    };
    assert!((moved - (forward - former)).abs() < 100, "the clock has not been set: {moved}");
}

#[test]
#[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
fn a_wall_clock_that_is_set_disturbs_no_timer() {
    const DAY: i64 = 24 * 3600;
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("clock::a_wall_clock_that_is_set_disturbs_no_timer", &[], "");
    }
    for workers in WORKERS {
        for forward in [DAY, -DAY] {
            run(workers, async {
                let start = now();
                let sleeper = spawn(async move {
                    sleep(30 * MILLI).await;
                    now() - start
                });
                let far = spawn(timeout(HOUR, std::future::pending::<()>()));
                let (mut interval, ticks) = (interval(5 * MILLI), tick(5 * MILLI));
                interval.tick().await;
                set_wall_clock(forward);
                for _ in 0..4 {
                    select! {
                        due = interval.tick() => assert!(due <= now()),
                        due = ticks.recv() => assert!(due.unwrap() <= now()),
                    }
                }
                let slept = sleeper.await.unwrap();
                assert!(slept >= 30 * MILLI && slept < DEADLINE, "{slept:?}");
                assert!(!far.is_finished(), "an hour has passed, by the wrong clock");
                set_wall_clock(0);
                let reads = READS.load(SeqCst);
                bit_of_everything().await;
                assert_eq!(READS.load(SeqCst), reads, "somebody reads the wall clock");
            });
        }
    }
}

#[test]
fn no_source_names_the_wall_clock() {
    fn look(folder: &Path, seen: &mut usize) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                look(&path, seen);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("SystemTime"), "{} names it", path.display());
                *seen += 1;
            }
        }
    }
    let mut seen = 0;
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut seen);
    assert!(seen > 50, "{seen} files");
}

/// What this rests on: `now` is an `Instant`.
#[test]
fn the_clock_does_not_go_back() {
    let mut last: std::time::Instant = now();
    for _ in 0..10_000 {
        let next = now();
        assert!(next >= last && next - last < Duration::from_secs(60));
        last = next;
    }
}
