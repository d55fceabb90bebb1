//! A program that is confined to one core, from the start or in mid-run.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use gorun::Builder;

use crate::WORKERS;
use crate::common::*;
use crate::signals::threads_called;
use crate::workload::bit_of_everything;

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

/// The first core this thread may use, alone.
fn one_core() -> CpuSet {
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
                for thread in threads_called("") {
                    // It may have ended.
                    let _ = sched_setaffinity(Pid::from_raw(thread), &cores);
                }
                bit_of_everything().await;
                busy.await.unwrap();
            }
        });
    }
}
