//! What happened last, for the report of a failure: a few rings of events, so that noting one costs
//! little, and threads hardly meet while they do.

use std::cell::Cell;
use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// What a goroutine does, or what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Queued,
    Runs,
    Sends,
    Receives,
    Selects,
    Tries,
    Sleeps,
    Yields,
    Computes,
    Blocks,
    Nested,
    AwaitsBell,
    Joins,
    JoinsSet,
    AwaitsGroup,
    Connects,
    Reads,
    Writes,
    Forever,
    Spawns,
    Aborts,
    Panics,
    Closes,
    Dropped,
}

const STEPS: [(Step, &str); 24] = [
    (Step::Queued, "has not run yet"),
    (Step::Runs, "runs"),
    (Step::Sends, "waits to send on channel"),
    (Step::Receives, "waits to receive on channel"),
    (Step::Selects, "is in a select! of form"),
    (Step::Tries, "tries channel"),
    (Step::Sleeps, "sleeps, in microseconds:"),
    (Step::Yields, "yields"),
    (Step::Computes, "computes"),
    (Step::Blocks, "blocks its thread in way"),
    (Step::Nested, "is in a nested block_on of form"),
    (Step::AwaitsBell, "waits for the bell"),
    (Step::Joins, "joins goroutine"),
    (Step::JoinsSet, "is in a JoinSet operation of form"),
    (Step::AwaitsGroup, "waits for a WaitGroup of"),
    (Step::Connects, "connects, by kind"),
    (Step::Reads, "waits to read from a connection of kind"),
    (Step::Writes, "waits to write to a connection of kind"),
    (Step::Forever, "waits for ever"),
    (Step::Spawns, "spawns goroutine"),
    (Step::Aborts, "aborts goroutine"),
    (Step::Panics, "panics"),
    (Step::Closes, "closes channel"),
    (Step::Dropped, "was dropped"),
];

/// A step, the goroutine's number, and another number, whose meaning depends on the step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) step: Step,
    pub(crate) who: u32,
    pub(crate) number: u32,
}

/// The bits of each number that are kept.
const BITS: u32 = 28;

/// Instead of the number of a channel of the world.
pub(crate) const PRIVATE: u32 = (1 << BITS) - 1;

impl Event {
    pub(crate) fn pack(self) -> u64 {
        let mask = (1 << BITS) - 1;
        let numbers = (u64::from(self.who) & mask) << BITS | u64::from(self.number) & mask;
        (self.step as u64) << (2 * BITS) | numbers
    }

    pub(crate) fn unpack(word: u64) -> Self {
        let mask = (1 << BITS) - 1;
        let (step, _) = STEPS[(word >> (2 * BITS)) as usize];
        let [who, number] = [word >> BITS, word].map(|word| (word & mask) as u32);
        Event { step, who, number }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, text) = STEPS[self.step as usize];
        write!(f, "goroutine {} {text}", self.who)?;
        match self.step {
            Step::Queued | Step::Runs | Step::Yields | Step::Computes => Ok(()),
            Step::AwaitsBell | Step::Forever | Step::Panics | Step::Dropped => Ok(()),
            _ if self.number == PRIVATE => f.write_str(" of two goroutines"),
            _ => write!(f, " {}", self.number),
        }
    }
}

const RINGS: usize = 16;
const LENGTH: usize = 256;

#[repr(align(128))]
struct Ring {
    next: AtomicUsize,
    /// The time in nanoseconds, and the event.
    slots: [[AtomicU64; 2]; LENGTH],
}

static LOG: [Ring; RINGS] = [const {
    Ring { next: AtomicUsize::new(0), slots: [const { [const { AtomicU64::new(0) }; 2] }; LENGTH] }
}; RINGS];

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static RING: Cell<usize> = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Cell::new(NEXT.fetch_add(1, Relaxed) % RINGS)
    };
}

pub(crate) fn note(event: Event) {
    // A destructor of a thread-local may be among those that note something.
    let ring = &LOG[RING.try_with(Cell::get).unwrap_or(0)];
    // Ordering: Relaxed; two halves that do not belong together are rare, and do no harm.
    let [time, word] = &ring.slots[ring.next.fetch_add(1, Relaxed) % LENGTH];
    time.store(START.elapsed().as_nanos() as u64, Relaxed);
    word.store(event.pack(), Relaxed);
}

/// The last ones, oldest first, a line each.
pub(crate) fn last(count: usize) -> String {
    let slots = LOG.iter().flat_map(|ring| &ring.slots);
    let mut events: Vec<_> = slots
        .map(|[time, word]| (time.load(Relaxed), word.load(Relaxed)))
        .filter(|&(time, _)| time > 0)
        .collect();
    events.sort_unstable();
    let skipped = events.len().saturating_sub(count);
    let lines = events[skipped..]
        .iter()
        .map(|&(time, word)| format!("{:>12.6} {}\n", time as f64 / 1e9, Event::unpack(word)));
    lines.collect()
}
