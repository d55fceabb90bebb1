//! Less than one core: a quota, as containers have it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use gorun::Builder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::*;
use crate::signals::threads_called;
use crate::workload::{Census, bit_of_everything};
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

/// A group of processes with a quota. Removed when dropped.
struct Group(PathBuf);

impl Group {
    /// `percent` of a core.
    fn new(percent: usize) -> io::Result<Self> {
        let name = format!("gorun-faults-{}", std::process::id());
        let second = PathBuf::from("/sys/fs/cgroup");
        let first = second.join("cpu");
        let is_first = first.join("cpu.cfs_quota_us").exists() || first.join("tasks").exists();
        let group = Group(if is_first { first } else { second }.join(name));
        fs::create_dir(&group.0)?;
        set_quota(&group.0, percent)?;
        Ok(group)
    }
}

/// `percent` of a core.
fn set_quota(group: &Path, percent: usize) -> io::Result<()> {
    let (period, quota) = (100_000, percent * 1000);
    let of_first_version = group.join("cpu.cfs_period_us");
    if of_first_version.exists() {
        fs::write(of_first_version, period.to_string())?;
        return fs::write(group.join("cpu.cfs_quota_us"), quota.to_string());
    }
    fs::write(group.join("cpu.max"), format!("{quota} {period}"))
}

/// Lets a test run again, in a process of that group.
fn in_group(test: &str, percent: usize) {
    match Group::new(percent) {
        Ok(group) => child_passes(test, &[("GORUN_TEST_GROUP", group.0.to_str().unwrap())], ""),
        Err(error) => skip(&format!("no quota is to be had here: {error}")),
    }
}

fn join_group() -> PathBuf {
    let group = PathBuf::from(std::env::var_os("GORUN_TEST_GROUP").unwrap());
    fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    group
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_quota_of_a_fifth_of_a_core_means_one_worker_that_gets_everything_right() {
    let _watchdog = watchdog();
    if !is_child() {
        let test =
            "quotas::a_quota_of_a_fifth_of_a_core_means_one_worker_that_gets_everything_right";
        return in_group(test, 20);
    }
    join_group();
    let in_main = async {
        wait_until(|| threads_called("gorun-").len() > 1);
        assert_eq!(threads_called("gorun-").len(), 2, "the monitor is one of them");
        bit_of_everything().await;
    };
    Builder::new().block_on(in_main).unwrap();
}

#[test]
fn workers_follow_a_quota_that_changes_both_ways() {
    let _watchdog = watchdog();
    if !is_child() {
        return in_group("quotas::workers_follow_a_quota_that_changes_both_ways", 200);
    }
    let group = join_group();
    let cores = thread::available_parallelism().unwrap().get();
    let in_main = async {
        let census = Census::begin();
        for _ in 0..2 {
            set_quota(&group, 100).unwrap();
            census.wait_for(1).await;
            bit_of_everything().await;
            set_quota(&group, 200).unwrap();
            census.wait_for(cores).await;
            bit_of_everything().await;
        }
        census.end().await;
    };
    Builder::new().block_on(in_main).unwrap();
}
