//! Less than one core: a quota, as containers have it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;

use gorun::Builder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::*;
use crate::signals::threads_called;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS, skip};

/// What the child does that has little of the processor.
#[test]
fn entry() {
    if scenario().is_none() {
        return;
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, bit_of_everything());
    }
}

/// As the kernel does it for a quota of a fifth of a core: a time slice, then nothing for long.
#[test]
fn a_program_that_is_stopped_most_of_the_time_gets_everything_right() {
    let _watchdog = watchdog();
    let mut child = start_child("quotas::entry", "slow", None);
    let id = Pid::from_raw(child.id() as i32);
    let mut stops = 0;
    let status = loop {
        kill(id, Signal::SIGSTOP).unwrap();
        thread::sleep(80 * MILLI);
        kill(id, Signal::SIGCONT).unwrap();
        thread::sleep(20 * MILLI);
        stops += 1;
        // Until it is waited for its number is not another's.
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert!(status.success(), "{status}, stopped {stops} times");
    assert!(stops > 1, "it was too quick to be stopped");
}

/// A group of processes with a fifth of a core. Removed when dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> io::Result<Self> {
        let name = format!("gorun-faults-{}", std::process::id());
        let second = PathBuf::from("/sys/fs/cgroup");
        let first = second.join("cpu");
        let is_first = first.join("cpu.cfs_quota_us").exists() || first.join("tasks").exists();
        let group = Group(if is_first { first } else { second }.join(name));
        fs::create_dir(&group.0)?;
        match is_first {
            true => {
                fs::write(group.0.join("cpu.cfs_period_us"), "100000")?;
                fs::write(group.0.join("cpu.cfs_quota_us"), "20000")?;
            }
            false => fs::write(group.0.join("cpu.max"), "20000 100000")?,
        }
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_quota_of_a_fifth_of_a_core_means_one_worker_that_gets_everything_right() {
    let _watchdog = watchdog();
    let test = "quotas::a_quota_of_a_fifth_of_a_core_means_one_worker_that_gets_everything_right";
    if is_child() {
        let group = std::env::var_os("GORUN_TEST_GROUP").unwrap();
        fs::write(PathBuf::from(group).join("cgroup.procs"), std::process::id().to_string())
            .unwrap();
        let in_main = async {
            wait_until(|| threads_called("gorun-").len() > 1);
            assert_eq!(threads_called("gorun-").len(), 2, "the monitor is one of them");
            bit_of_everything().await;
        };
        return Builder::new().block_on(in_main).unwrap();
    }
    match Group::new() {
        Ok(group) => child_passes(test, &[("GORUN_TEST_GROUP", group.0.to_str().unwrap())], ""),
        Err(error) => skip(&format!("no quota is to be had here: {error}")),
    }
}
