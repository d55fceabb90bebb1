//! A program that is confined to one core, from the start or in mid-run.

use std::future::pending;
use std::hint;
use std::sync::atomic::Ordering::Release;
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use gorun::Builder;

use crate::common::*;
use crate::signals::threads_called;
use crate::workload::{Census, bit_of_everything};
use crate::{WORKERS, skip};

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

/// The first core this thread may use, alone.
pub(crate) fn one_core() -> CpuSet {
    let allowed = sched_getaffinity(SELF).unwrap();
    let mut one = CpuSet::new();
    let first = (0..CpuSet::count()).find(|&core| allowed.is_set(core).unwrap());
    one.set(first.unwrap()).unwrap();
    one
}

#[test]
fn a_program_that_starts_on_one_core_has_one_worker_and_works() {
    let _watchdog = watchdog();
    let test = "affinity::a_program_that_starts_on_one_core_has_one_worker_and_works";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    sched_setaffinity(SELF, &one_core()).unwrap();
    let in_main = async {
        wait_until(|| threads_called("gorun-").len() > 1);
        assert_eq!(threads_called("gorun-").len(), 2, "the monitor is one of them");
        bit_of_everything().await;
    };
    Builder::new().block_on(in_main).unwrap();
    for workers in WORKERS {
        run(workers, bit_of_everything());
    }
}

#[test]
fn a_program_that_is_confined_to_one_core_in_mid_run_goes_on() {
    let _watchdog = watchdog();
    let test = "affinity::a_program_that_is_confined_to_one_core_in_mid_run_goes_on";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let (all, one) = (sched_getaffinity(SELF).unwrap(), one_core());
    for workers in WORKERS {
        run(workers, async {
            for round in 0..6 {
                let busy = gorun::spawn(bit_of_everything());
                let cores = if round % 2 == 0 { one } else { all };
                confine_all_threads(&cores);
                bit_of_everything().await;
                busy.await.unwrap();
            }
        });
    }
}

fn confine_all_threads(cores: &CpuSet) {
    for thread in threads_called("") {
        // It may have ended.
        let _ = sched_setaffinity(Pid::from_raw(thread), cores);
    }
}

#[test]
fn workers_follow_the_affinity_of_the_process() {
    let _watchdog = watchdog();
    let test = "affinity::workers_follow_the_affinity_of_the_process";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let (all, one) = (sched_getaffinity(SELF).unwrap(), one_core());
    let cores = thread::available_parallelism().unwrap().get();
    let in_main = async {
        let census = Census::begin();
        for _ in 0..2 {
            confine_all_threads(&one);
            census.wait_for(1).await;
            bit_of_everything().await;
            confine_all_threads(&all);
            census.wait_for(cores).await;
            bit_of_everything().await;
        }
        census.end().await;
    };
    Builder::new().block_on(in_main).unwrap();
}

#[test]
fn a_number_of_workers_that_is_set_does_not_follow_the_affinity() {
    let _watchdog = watchdog();
    let test = "affinity::a_number_of_workers_that_is_set_does_not_follow_the_affinity";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    run(3, async {
        confine_all_threads(&one_core());
        let census = Census::begin();
        // Longer than the runtime takes to look at the limits.
        for _ in 0..10 {
            census.wait_for(3).await;
        }
        census.end().await;
    });
}

/// The calling thread lets all others of that core go first.
fn be_last_on(core: &CpuSet) {
    sched_setaffinity(SELF, core).unwrap();
    // SAFETY: takes numbers only.
    let refused = unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 19) };
    assert_eq!(refused, 0);
}

/// A worker gets its core for three milliseconds of each four hundred, while main has another one. Exit
/// does not take it for one whose goroutine makes no progress. (It may if others want that core too, but
/// not each time.)
#[test]
fn exit_waits_for_a_worker_that_has_no_core() {
    let _watchdog = watchdog();
    let test = "affinity::exit_waits_for_a_worker_that_has_no_core";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let core = one_core();
    if core == sched_getaffinity(SELF).unwrap() {
        return skip("there is only one core");
    }
    let stop = flag();
    let busy = [(); 2].map(|()| {
        let stop = stop.clone();
        thread::spawn(move || {
            sched_setaffinity(SELF, &core).unwrap();
            spin_until(&stop);
        })
    });
    let all_are_dropped = (0..5).any(|_| end_beside_busy_threads(core) == GOROUTINES);
    assert!(all_are_dropped, "each time some were left behind");
    stop.store(true, Release);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

const GOROUTINES: usize = 100;

/// How many of the goroutines main's end has dropped.
fn end_beside_busy_threads(core: CpuSet) -> usize {
    const ROUNDS: u32 = 10_000;
    let drops = Drops::new(GOROUTINES);
    let in_main = async {
        for index in 0..GOROUTINES {
            let probe = drops.probe(index);
            // By its own time on the core, unlike a clock's.
            let takes_a_while = OnDrop(|| (0..ROUNDS).for_each(|_| hint::spin_loop()));
            gorun::spawn(async move {
                let _held = (takes_a_while, probe);
                pending::<()>().await;
            })
            .detach();
        }
        gorun::spawn(async move { be_last_on(&core) }).await.unwrap();
    };
    Builder::new().worker_threads(1).max_threads(1).block_on(in_main).unwrap();
    drops.dropped()
}
