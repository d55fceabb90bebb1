//! What is known of a workload: its name, its sizes, and who runs it.

use crate::measured::Measured;
use crate::peer::Peer;

/// `fn(workers, size)`.
pub(crate) type Run = fn(usize, usize) -> Measured;

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What `Measured::second` is, if there is one.
    pub(crate) second: Option<&'static str>,
    pub(crate) more_is_better: bool,
    pub(crate) full: usize,
    pub(crate) quick: usize,
    /// Just enough to see that it works.
    pub(crate) tiny: usize,
    pub(crate) about: &'static str,
    pub(crate) group: Option<&'static Group>,
    /// Who runs it, and how.
    pub(crate) by: &'static [(Peer, Run)],
}

/// Workloads that run only if they are named, or their group is.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// `None`: as many as there are cores.
    workers: Option<usize>,
    rounds: usize,
}

pub(crate) const CHANNELS: &Group = &Group {
    name: "channels",
    about: "channels and `select!`",
    workers: None,
    rounds: DEFAULT_ROUNDS,
};

pub(crate) const SYNC: &Group = &Group {
    name: "sync",
    about: "locks, permits, notifications",
    workers: None,
    rounds: DEFAULT_ROUNDS,
};

pub(crate) const TIME: &Group =
    &Group { name: "time", about: "timers", workers: None, rounds: DEFAULT_ROUNDS };

pub(crate) const TAIL: &Group = &Group {
    name: "tail",
    about: "wake-ups while every worker is busy",
    workers: None,
    rounds: DEFAULT_ROUNDS,
};

pub(crate) const BLOCKING: &Group = &Group {
    name: "blocking",
    about: "which takes minutes",
    // There must be fewer than hogs.
    workers: Some(2),
    rounds: 3,
};

const DEFAULT_ROUNDS: usize = 7;

/// Go's way to run a workload is a program of its own.
pub(crate) const IN_GO: (Peer, Run) = (Peer::Go, |_, _| unreachable!("Go has its own process"));

impl Workload {
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.group.is_some_and(|own| own.name == group)
    }

    /// `None`: as many as there are cores.
    pub(crate) fn default_workers(&self) -> Option<usize> {
        self.group.and_then(|group| group.workers)
    }

    pub(crate) fn default_rounds(&self) -> usize {
        self.group.map_or(DEFAULT_ROUNDS, |group| group.rounds)
    }

    pub(crate) fn runs_on(&self, peer: Peer) -> bool {
        self.by.iter().any(|&(by, _)| by == peer)
    }

    /// Runs it in this process.
    pub(crate) fn run(&self, peer: Peer, workers: usize, size: usize) -> Measured {
        let (_, run) = self.by.iter().find(|&&(by, _)| by == peer).expect("a peer that runs it");
        run(workers, size)
    }
}
