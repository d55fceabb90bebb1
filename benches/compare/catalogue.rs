//! Which workloads there are, what they are called, how large they are, and who runs them.

use crate::channel::{
    self, AsyncChannel, CrossfireMpmc, CrossfireMpsc, CrossfireSpsc, Flume, Kanal,
};
use crate::channels::{buffered_1_1, buffered_4_1, buffered_4_4, ping, sieve};
use crate::floor::Floor;
use crate::memory::memory;
use crate::peer::Peer;
use crate::runtime::{AsyncExecutor, Gorun, Tokio, TokioWithTime};
use crate::workload::{BLOCKING, CHANNELS, IN_GO, Run, SYNC, TAIL, TIME, Workload};
use crate::{blocking, locks, select, signals, sleeps, threads, workloads};

macro_rules! on_all {
    ($($workload:ident)::+) => {
        &[
            (Peer::Gorun, $($workload)::+::<Gorun>),
            IN_GO,
            (Peer::Tokio, $($workload)::+::<Tokio>),
            (Peer::AsyncExecutor, $($workload)::+::<AsyncExecutor>),
        ]
    };
}

/// With the floor.
macro_rules! and_floor {
    ($($workload:ident)::+) => {
        &[
            (Peer::Gorun, $($workload)::+::<Gorun>),
            IN_GO,
            (Peer::Tokio, $($workload)::+::<Tokio>),
            (Peer::AsyncExecutor, $($workload)::+::<AsyncExecutor>),
            (Peer::Floor, $($workload)::+::<Floor>),
        ]
    };
}

/// A Go program has no threads of its own.
macro_rules! without_go {
    ($($workload:ident)::+) => {
        &[
            (Peer::Gorun, $($workload)::+::<Gorun>),
            (Peer::Tokio, $($workload)::+::<Tokio>),
            (Peer::AsyncExecutor, $($workload)::+::<AsyncExecutor>),
        ]
    };
}

macro_rules! with_time {
    ($($workload:ident)::+) => {
        &[
            (Peer::Gorun, $($workload)::+::<Gorun>),
            IN_GO,
            (Peer::Tokio, $($workload)::+::<TokioWithTime>),
        ]
    };
}

/// Those of `gorun::sync`, tokio's on tokio, and async-lock's on async-executor.
macro_rules! locks {
    ($workload:ident, $type:ident $($of:tt)*) => {
        &[
            (Peer::Gorun, locks::$workload::<Gorun, gorun::sync::$type $($of)*>),
            IN_GO,
            (Peer::Tokio, locks::$workload::<Tokio, tokio::sync::$type $($of)*>),
            (Peer::AsyncExecutor, locks::$workload::<AsyncExecutor, async_lock::$type $($of)*>),
        ]
    };
}

/// Those of `gorun::sync`, and tokio's on tokio.
macro_rules! signals {
    ($workload:ident) => {
        &[
            (Peer::Gorun, signals::$workload::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, signals::$workload::<Tokio, channel::Tokio>),
        ]
    };
}

/// In nanoseconds an operation.
const fn plain(
    name: &'static str,
    by: &'static [(Peer, Run)],
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
        by,
    }
}

/// What a value costs that is sent and received.
const fn channel(name: &'static str, by: &'static [(Peer, Run)], about: &'static str) -> Workload {
    Workload { group: Some(CHANNELS), ..plain(name, by, [2 * MILLION, 200_000, 4_000], about) }
}

/// What an operation of `sync` costs.
const fn sync(name: &'static str, by: &'static [(Peer, Run)], about: &'static str) -> Workload {
    Workload { group: Some(SYNC), ..plain(name, by, [MILLION, 100_000, 1_600], about) }
}

/// How late a goroutine runs that a thread has woken while all workers are busy.
const fn tail(name: &'static str, by: &'static [(Peer, Run)], about: &'static str) -> Workload {
    Workload {
        unit: "µs",
        second: Some("99.9th"),
        group: Some(TAIL),
        ..plain(name, by, [10_000, 1_000, 50], about)
    }
}

/// How late a goroutine runs while others hold the workers for so many milliseconds.
const fn lateness(name: &'static str, by: &'static [(Peer, Run)], about: &'static str) -> Workload {
    Workload {
        unit: "µs",
        second: Some("worst of the first 100 ms"),
        group: Some(BLOCKING),
        ..plain(name, by, [5_000, 1_000, 150], about)
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
        and_floor!(workloads::fan),
        [MILLION, 200_000, 1_000],
        "one goroutine spawns empty ones and waits for all",
    ),
    plain(
        "join",
        &[
            (Peer::Gorun, workloads::join::<Gorun>),
            IN_GO,
            (Peer::Tokio, workloads::join::<Tokio>),
            (Peer::AsyncExecutor, workloads::join::<AsyncExecutor>),
            (Peer::Threads, threads::join),
            (Peer::Floor, workloads::join::<Floor>),
        ],
        [MILLION, 200_000, 1_000],
        "goroutines are spawned and joined, 10,000 at a time",
    ),
    plain(
        "one",
        and_floor!(workloads::one),
        [MILLION, 100_000, 1_000],
        "one goroutine is spawned and awaited, again and again",
    ),
    plain(
        "chain",
        and_floor!(workloads::chain),
        [MILLION, 200_000, 1_000],
        "each goroutine spawns the next one",
    ),
    plain(
        "yield",
        and_floor!(workloads::yielding),
        [2 * MILLION, 400_000, 10_000],
        "1,000 goroutines yield in turn",
    ),
    plain(
        "ping",
        &[
            (Peer::Gorun, ping::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, ping::<Tokio, Kanal>),
            (Peer::AsyncExecutor, ping::<AsyncExecutor, Kanal>),
            (Peer::Threads, threads::ping),
        ],
        [500_000, 50_000, 1_000],
        "a round trip of two goroutines over two rendezvous channels (gorun's, Go's; kanal)",
    ),
    plain(
        "skynet",
        and_floor!(workloads::skynet),
        [MILLION, 100_000, 1_000],
        "a tree of goroutines, ten children each, adds up the numbers of its leaves; per leaf",
    ),
    Workload {
        unit: "µs",
        ..plain(
            "sieve",
            &[
                (Peer::Gorun, sieve::<Gorun, channel::Gorun>),
                IN_GO,
                (Peer::Tokio, sieve::<Tokio, Kanal>),
                (Peer::AsyncExecutor, sieve::<AsyncExecutor, Kanal>),
            ],
            [1_000, 300, 30],
            "primes through a chain of rendezvous channels (gorun's, Go's; kanal); per prime",
        )
    },
    Workload {
        unit: "bytes",
        ..plain(
            "memory",
            &[
                (Peer::Gorun, memory::<Gorun, AsyncChannel>),
                IN_GO,
                (Peer::Tokio, memory::<Tokio, AsyncChannel>),
                (Peer::AsyncExecutor, memory::<AsyncExecutor, AsyncChannel>),
            ],
            [MILLION, 100_000, 10_000],
            "a goroutine that waits for a channel (async-channel; Go's own)",
        )
    },
    plain(
        "remote-1",
        and_floor!(workloads::remote_1),
        [MILLION, 200_000, 1_000],
        "a thread of its own spawns empty goroutines",
    ),
    plain(
        "remote-8",
        and_floor!(workloads::remote_8),
        [MILLION, 200_000, 1_000],
        "eight threads of their own spawn empty goroutines",
    ),
    plain(
        "main",
        and_floor!(workloads::main_round_trip),
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
        and_floor!(workloads::spawn_many),
        [MILLION, 100_000, 1_000],
        "main spawns 10,000 empty goroutines",
    ),
    plain(
        "yield_many",
        and_floor!(workloads::yield_many),
        [2 * MILLION, 400_000, 10_000],
        "200 goroutines yield 1,000 times each",
    ),
    plain(
        "ping_pong",
        and_floor!(workloads::ping_pong),
        [200_000, 50_000, 1_000],
        "1,000 pairs of goroutines pass a value back and forth once",
    ),
    plain(
        "chained_spawn",
        and_floor!(workloads::chained_spawn),
        [MILLION, 100_000, 1_000],
        "chains of 1,000 goroutines, each of which spawns the next one",
    ),
    channel(
        "buffered-1-1",
        &[
            (Peer::Gorun, buffered_1_1::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, buffered_1_1::<Tokio, channel::Tokio>),
            (Peer::Flume, buffered_1_1::<Tokio, Flume>),
            (Peer::Kanal, buffered_1_1::<Tokio, Kanal>),
            (Peer::AsyncChannel, buffered_1_1::<Tokio, AsyncChannel>),
            (Peer::Crossfire, buffered_1_1::<Tokio, CrossfireSpsc>),
        ],
        "values from one goroutine to another, through a channel of 128; crates on tokio's runtime",
    ),
    channel(
        "buffered-4-1",
        &[
            (Peer::Gorun, buffered_4_1::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, buffered_4_1::<Tokio, channel::Tokio>),
            (Peer::Flume, buffered_4_1::<Tokio, Flume>),
            (Peer::Kanal, buffered_4_1::<Tokio, Kanal>),
            (Peer::AsyncChannel, buffered_4_1::<Tokio, AsyncChannel>),
            (Peer::Crossfire, buffered_4_1::<Tokio, CrossfireMpsc>),
        ],
        "likewise from four to one",
    ),
    channel(
        "buffered-4-4",
        &[
            (Peer::Gorun, buffered_4_4::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Flume, buffered_4_4::<Tokio, Flume>),
            (Peer::Kanal, buffered_4_4::<Tokio, Kanal>),
            (Peer::AsyncChannel, buffered_4_4::<Tokio, AsyncChannel>),
            (Peer::Crossfire, buffered_4_4::<Tokio, CrossfireMpmc>),
        ],
        "likewise from four to four",
    ),
    channel(
        "alone-1-1",
        &[
            (Peer::Gorun, buffered_1_1::<Gorun, channel::Gorun>),
            (Peer::Tokio, buffered_1_1::<Gorun, channel::Tokio>),
            (Peer::Flume, buffered_1_1::<Gorun, Flume>),
            (Peer::Kanal, buffered_1_1::<Gorun, Kanal>),
            (Peer::AsyncChannel, buffered_1_1::<Gorun, AsyncChannel>),
            (Peer::Crossfire, buffered_1_1::<Gorun, CrossfireSpsc>),
        ],
        "buffered-1-1 with all channels on gorun's runtime",
    ),
    channel(
        "alone-4-1",
        &[
            (Peer::Gorun, buffered_4_1::<Gorun, channel::Gorun>),
            (Peer::Tokio, buffered_4_1::<Gorun, channel::Tokio>),
            (Peer::Flume, buffered_4_1::<Gorun, Flume>),
            (Peer::Kanal, buffered_4_1::<Gorun, Kanal>),
            (Peer::AsyncChannel, buffered_4_1::<Gorun, AsyncChannel>),
            (Peer::Crossfire, buffered_4_1::<Gorun, CrossfireMpsc>),
        ],
        "buffered-4-1 likewise",
    ),
    channel(
        "alone-4-4",
        &[
            (Peer::Gorun, buffered_4_4::<Gorun, channel::Gorun>),
            (Peer::Flume, buffered_4_4::<Gorun, Flume>),
            (Peer::Kanal, buffered_4_4::<Gorun, Kanal>),
            (Peer::AsyncChannel, buffered_4_4::<Gorun, AsyncChannel>),
            (Peer::Crossfire, buffered_4_4::<Gorun, CrossfireMpmc>),
        ],
        "buffered-4-4 likewise",
    ),
    channel(
        "select-one",
        &[
            (Peer::Gorun, select::one_ready::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, select::one_ready::<Tokio, channel::Tokio>),
        ],
        "one goroutine sends to one of four channels in turn, and selects among them",
    ),
    channel(
        "select-all",
        &[
            (Peer::Gorun, select::all_ready::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, select::all_ready::<Tokio, channel::Tokio>),
        ],
        "one goroutine selects among four channels that all have a value, and sends it again",
    ),
    Workload {
        unit: "bytes",
        group: Some(CHANNELS),
        ..plain(
            "parked",
            &[
                (Peer::Gorun, memory::<Gorun, channel::Gorun>),
                IN_GO,
                (Peer::Tokio, memory::<Tokio, AsyncChannel>),
                (Peer::AsyncExecutor, memory::<AsyncExecutor, AsyncChannel>),
            ],
            [MILLION, 100_000, 10_000],
            "a goroutine that waits for a channel (gorun's, Go's; async-channel)",
        )
    },
    sync(
        "mutex",
        locks!(mutex, Mutex<usize>),
        "16 goroutines add one under the lock (gorun's, Go's, tokio's; async-lock)",
    ),
    sync("mutex-held", locks!(mutex_held, Mutex<usize>), "likewise, and yield while they have it"),
    sync(
        "rw-lock",
        locks!(rw_lock, RwLock<usize>),
        "16 goroutines read, and add one in every 16th turn (gorun's, Go's, tokio's; async-lock)",
    ),
    sync(
        "semaphore",
        locks!(semaphore, Semaphore),
        "16 goroutines yield while they have one of 4 permits (gorun's, tokio's; async-lock; in Go a channel)",
    ),
    sync(
        "oneshot",
        signals!(oneshot),
        "100 channels are made, a value is sent into each and awaited (in Go a channel of 1)",
    ),
    sync(
        "broadcast",
        signals!(broadcast),
        "four goroutines get every value, 100 at a time (in Go a channel for each); per value",
    ),
    sync(
        "watch",
        signals!(watch),
        "four goroutines see each value before the next one is sent (in Go a Cond); per value",
    ),
    sync(
        "notify",
        &[
            (Peer::Gorun, signals::notify::<Gorun, gorun::sync::Notify>),
            IN_GO,
            (Peer::Tokio, signals::notify::<Tokio, tokio::sync::Notify>),
        ],
        "two goroutines notify each other in turn (in Go a channel of 1); a round trip",
    ),
    Workload {
        unit: "ms",
        group: Some(TIME),
        ..plain(
            "sleeps",
            with_time!(sleeps::many),
            [100_000, 20_000, 1_000],
            "100,000 goroutines sleep 1 to 10 ms each, and one waits for all",
        )
    },
    Workload {
        unit: "µs",
        second: Some("99th percentile"),
        group: Some(TIME),
        ..plain(
            "late",
            with_time!(sleeps::late),
            [2_000, 500, 20],
            "how late a goroutine is that sleeps 1 ms, the machine being idle; median",
        )
    },
    tail(
        "tail-short",
        without_go!(workloads::tail_short),
        "as wake, beside 8 for each worker that compute 10 µs and yield, in turn; 99th percentile",
    ),
    tail("tail-long", without_go!(workloads::tail_long), "likewise, 100 µs; 99th percentile"),
    Workload {
        group: Some(TIME),
        ..plain(
            "limits-1k",
            with_time!(sleeps::limits_few),
            [1_000_000, 100_000, 1_000],
            "a timer of an hour is set and removed, a thousand at a time; per timer",
        )
    },
    Workload {
        group: Some(TIME),
        ..plain(
            "limits-1m",
            with_time!(sleeps::limits_many),
            [1_000_000, 100_000, 1_000],
            "likewise a million at a time",
        )
    },
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
    Workload {
        unit: "µs",
        second: Some("99th percentile"),
        group: Some(BLOCKING),
        ..plain(
            "blocking-inside",
            on_all!(blocking::inside),
            [500, 100, 5],
            "how late one starts that is spawned in a poll which computes on, beside idle workers; median",
        )
    },
];

pub(crate) fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
