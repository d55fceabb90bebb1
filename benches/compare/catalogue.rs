//! Which workloads there are, what they are called, how large they are, and who runs them.

use crate::blocking;
use crate::runtime::{AsyncExecutor, Gorun, Tokio};
use crate::workloads::{self, Measured};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Gorun,
    Go,
    Tokio,
    AsyncExecutor,
    Threads,
}

pub(crate) const PEERS: [Peer; 5] =
    [Peer::Gorun, Peer::Go, Peer::Tokio, Peer::AsyncExecutor, Peer::Threads];

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Gorun => "gorun",
            Peer::Go => "Go",
            Peer::Tokio => "tokio",
            Peer::AsyncExecutor => "async-executor",
            Peer::Threads => "OS threads",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Peer> {
        PEERS.into_iter().find(|peer| peer.name() == name)
    }
}

/// `fn(workers, size)`.
type Run = fn(usize, usize) -> Measured;

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
    /// Those of a group take minutes. They run when they are named, or their group is.
    pub(crate) group: Option<&'static str>,
    rust: [Run; 3],
    threads: Option<Run>,
}

impl Workload {
    /// `None`: as many as there are cores.
    pub(crate) fn default_workers(&self) -> Option<usize> {
        // There must be fewer than hogs.
        self.group.map(|_| 2)
    }

    pub(crate) fn default_rounds(&self) -> usize {
        if self.group.is_some() { 3 } else { 7 }
    }

    /// Go has all of them, in a program of its own.
    pub(crate) fn runs_on(&self, peer: Peer) -> bool {
        peer != Peer::Threads || self.threads.is_some()
    }

    /// Runs it in this process.
    pub(crate) fn run(&self, peer: Peer, workers: usize, size: usize) -> Measured {
        let run = match peer {
            Peer::Gorun => self.rust[0],
            Peer::Tokio => self.rust[1],
            Peer::AsyncExecutor => self.rust[2],
            Peer::Threads => self.threads.expect("somebody asked whether it runs on threads"),
            Peer::Go => unreachable!("Go has a process of its own"),
        };
        run(workers, size)
    }
}

macro_rules! on_all {
    ($($workload:ident)::+) => {
        [$($workload)::+::<Gorun>, $($workload)::+::<Tokio>, $($workload)::+::<AsyncExecutor>]
    };
}

/// In nanoseconds an operation, run by goroutines.
const fn plain(
    name: &'static str,
    rust: [Run; 3],
    [full, quick, tiny]: [usize; 3],
    about: &'static str,
) -> Workload {
    Workload {
        name,
        unit: "ns",
        second: None,
        more_is_better: false,
        full,
        quick,
        tiny,
        about,
        group: None,
        rust,
        threads: None,
    }
}

const BLOCKING: &str = "blocking";

/// How late a goroutine runs while others hold the workers for so many milliseconds.
const fn lateness(name: &'static str, rust: [Run; 3], about: &'static str) -> Workload {
    Workload {
        unit: "µs",
        second: Some("worst of the first 100 ms"),
        group: Some(BLOCKING),
        ..plain(name, rust, [5_000, 1_000, 150], about)
    }
}

/// The workloads that measure schedulers rather than channels, memory, or one thread's latency. The
/// geometric mean is taken over these.
pub(crate) const SCHEDULER_ALONE: [&str; 12] = [
    "fan",
    "join",
    "one",
    "chain",
    "yield",
    "skynet",
    "remote-1",
    "remote-8",
    "spawn_many",
    "yield_many",
    "ping_pong",
    "chained_spawn",
];

const MILLION: usize = 1_000_000;

pub(crate) const WORKLOADS: &[Workload] = &[
    plain(
        "fan",
        on_all!(workloads::fan),
        [MILLION, 200_000, 1_000],
        "one goroutine spawns empty ones and waits for all",
    ),
    Workload {
        threads: Some(crate::threads::join),
        ..plain(
            "join",
            on_all!(workloads::join),
            [MILLION, 200_000, 1_000],
            "goroutines are spawned and joined, 10,000 at a time",
        )
    },
    plain(
        "one",
        on_all!(workloads::one),
        [MILLION, 100_000, 1_000],
        "one goroutine is spawned and awaited, again and again",
    ),
    plain(
        "chain",
        on_all!(workloads::chain),
        [MILLION, 200_000, 1_000],
        "each goroutine spawns the next one",
    ),
    plain(
        "yield",
        on_all!(workloads::yielding),
        [2 * MILLION, 400_000, 10_000],
        "1,000 goroutines yield in turn",
    ),
    Workload {
        threads: Some(crate::threads::ping),
        ..plain(
            "ping",
            on_all!(workloads::ping),
            [500_000, 50_000, 1_000],
            "a round trip of two goroutines over two rendezvous channels (kanal; Go's own)",
        )
    },
    plain(
        "skynet",
        on_all!(workloads::skynet),
        [MILLION, 100_000, 1_000],
        "a tree of goroutines, ten children each, adds up the numbers of its leaves; per leaf",
    ),
    Workload {
        unit: "µs",
        ..plain(
            "sieve",
            on_all!(workloads::sieve),
            [1_000, 300, 30],
            "primes through a chain of rendezvous channels (kanal; Go's own); per prime",
        )
    },
    Workload {
        unit: "bytes",
        ..plain(
            "memory",
            on_all!(workloads::memory),
            [MILLION, 100_000, 10_000],
            "a goroutine that waits for a channel (async-channel; Go's own)",
        )
    },
    plain(
        "remote-1",
        on_all!(workloads::remote_1),
        [MILLION, 200_000, 1_000],
        "a thread of its own spawns empty goroutines",
    ),
    plain(
        "remote-8",
        on_all!(workloads::remote_8),
        [MILLION, 200_000, 1_000],
        "eight threads of their own spawn empty goroutines",
    ),
    plain(
        "main",
        on_all!(workloads::main_round_trip),
        [200_000, 20_000, 500],
        "a round trip between main and a goroutine (async-channel; Go's own)",
    ),
    Workload {
        unit: "µs",
        second: Some("99th percentile"),
        ..plain(
            "wake",
            on_all!(workloads::wake),
            [10_000, 1_000, 50],
            "until a goroutine runs that a thread of its own has woken, on an idle runtime; median",
        )
    },
    Workload {
        unit: "times one thread",
        more_is_better: true,
        ..plain(
            "forkjoin",
            on_all!(workloads::forkjoin),
            [30, 27, 16],
            "fib(30), a goroutine for each microsecond of work",
        )
    },
    plain(
        "spawn_many",
        on_all!(workloads::spawn_many),
        [MILLION, 100_000, 1_000],
        "main spawns 10,000 empty goroutines",
    ),
    plain(
        "yield_many",
        on_all!(workloads::yield_many),
        [2 * MILLION, 400_000, 10_000],
        "200 goroutines yield 1,000 times each",
    ),
    plain(
        "ping_pong",
        on_all!(workloads::ping_pong),
        [200_000, 50_000, 1_000],
        "1,000 pairs of goroutines pass a value back and forth once",
    ),
    plain(
        "chained_spawn",
        on_all!(workloads::chained_spawn),
        [MILLION, 100_000, 1_000],
        "chains of 1,000 goroutines, each of which spawns the next one",
    ),
    lateness(
        "blocking-computing",
        on_all!(blocking::computing),
        "how late a goroutine runs, woken every 10 ms, while 8 others compute; 99th percentile",
    ),
    lateness(
        "blocking-asleep",
        on_all!(blocking::asleep),
        "likewise while they sleep in the kernel, 100 ms at a time",
    ),
    lateness(
        "blocking-told",
        on_all!(blocking::told),
        "likewise, and say so before: blocking(), block_in_place(); nothing in Go, async-executor",
    ),
    Workload {
        unit: "ms",
        group: Some(BLOCKING),
        ..plain(
            "blocking-computations",
            on_all!(blocking::computations),
            [64, 16, 2],
            "until so many goroutines have computed for 100 ms each",
        )
    },
];

pub(crate) fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
