//! Cores, limits and clocks of processes. Linux alone has what the benchmark needs.

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use nix::time::ClockId;
    use nix::unistd::Pid;

    /// Those that this process may use.
    pub(crate) fn usable_cores() -> Vec<usize> {
        let usable = sched_getaffinity(Pid::this()).unwrap();
        (0..CpuSet::count()).filter(|&core| usable.is_set(core).unwrap()).collect()
    }

    /// Moves this thread, and the children that it starts from now on.
    pub(crate) fn pin(core: usize) {
        let mut one = CpuSet::new();
        one.set(core).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    }

    /// As many descriptors as the system allows, also in children.
    pub(crate) fn raise_limit_of_descriptors() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }

    /// How long the threads of a process have run, those that have ended included.
    pub(crate) fn cpu_time(process: u32) -> Duration {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process as i32)).unwrap();
        clock.now().unwrap().into()
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use std::time::Duration;

    pub(crate) fn usable_cores() -> Vec<usize> {
        unreachable!()
    }

    pub(crate) fn pin(_: usize) {
        unreachable!()
    }

    pub(crate) fn raise_limit_of_descriptors() {
        unreachable!()
    }

    pub(crate) fn cpu_time(_: u32) -> Duration {
        unreachable!()
    }
}

pub(crate) use linux::{cpu_time, pin, raise_limit_of_descriptors, usable_cores};
