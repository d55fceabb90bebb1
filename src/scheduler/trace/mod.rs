//! What a runtime records of its goroutines, if it is to: who ran where and when, who woke whom, and why a
//! worker slept.
//!
//! Each worker, main and the monitor has a ring of its own for its last events (`ring.rs`), in which it waits for nobody. All
//! other threads, which wake and spawn, share some rings, each behind a lock. So does a thread for whose ring the
//! system has no memory: a trace never ends a program that would go on without one. So memory is bounded, and what is
//! overwritten is counted. Whoever wants to see a trace reads the rings while they are written.
//!
//! An event has a time (`ticks.rs`). A poll that follows another one at once begins when that has ended.
//!
//! # What a reader sees
//!
//! It notes how many events each ring has, and then copies one ring after the other up to there (`Trace::read`). The
//! rings go back to different times. From the latest of these on all that has happened until the copy began is there,
//! and the rest is left out. If a ring has been written anew from end to end while others were copied, nothing is
//! left. Then it copies again, of each ring the newer half, then a quarter, and so on, which takes less time.
//!
//! # What it costs
//!
//! Without a trace: a branch for each poll, spawn and wake. With one, see `docs/benchmarks.md`.
//!
//! # Rejected
//!
//! - One ring for all: its end would be the busiest line of the program.
//! - An event for a whole poll, at its end: of a goroutine that does not give its thread back, which is what one
//!   looks for, there would be none.
//! - A ring for a thread as long as there is memory for it: then nothing is left for the small allocations of the
//!   program, which end it if they fail.
//! - The time of the first for goroutines that are spawned in a row: whoever computes between two spawns would be
//!   told that they wait.

#![deny(unsafe_code)]

pub(crate) mod event;
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) mod names;
pub(crate) mod recorder;
pub(crate) mod ring;
pub(crate) mod ticks;

use std::collections::{HashMap, TryReserveError};
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::primitives::lock;
use crate::scheduler::queues::injector::thread_shard_number;
use crate::scheduler::trace::event::{Event, EventKind, EventSlot};
use crate::scheduler::trace::recorder::{EventRing, OwnRing, Recorder};
use crate::scheduler::trace::ring::{Kept, Ring};
use crate::scheduler::trace::ticks::Ticks;
use crate::scheduler::wait::RawActivity;

/// How many rings there are for threads that have none of their own.
const OUTSIDE: usize = 4;

/// A thread has a ring only if so many times its size is free, or so many bytes: the program cannot do without. They
/// are not a multiple of 64 MiB, of which the C library takes one for each of some threads.
const SPARE_TIMES: usize = 80;
const SPARE_MOST: usize = 160 << 20;

/// What an event takes while it is written: in the copy of its ring, among all others, and in what is known of its
/// goroutine.
const WRITTEN: usize = 128;

/// Whose events a ring has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Main,
    Worker(usize),
    Monitor,
    /// All other threads; each event has the number of its thread.
    Outside,
}

/// The rings of a runtime.
pub(crate) struct Trace {
    time: Ticks,
    capacity: usize,
    known: Mutex<Vec<Known>>,
    outside: Vec<Outside>,
}

/// A ring of several threads.
struct Outside {
    ring: EventRing,
    /// Held by who writes.
    turn: Mutex<()>,
}

/// A thread of the runtime's.
#[derive(Clone)]
struct Known {
    owner: Owner,
    thread: u32,
    /// `None`: there was no memory for it.
    ring: Option<Arc<OwnRing>>,
}

impl Trace {
    /// Each ring has room for `capacity` events, a power of two.
    pub(crate) fn new(capacity: usize) -> io::Result<Self> {
        let mut outside = Vec::new();
        for _ in 0..OUTSIDE {
            let ring = Ring::new(capacity).map_err(|error| {
                let text =
                    format!("a trace of {capacity} events of each thread: {error}; ask for fewer");
                io::Error::new(io::ErrorKind::OutOfMemory, text)
            })?;
            outside.push(Outside { ring, turn: Mutex::new(()) });
        }
        Ok(Trace { time: Ticks::new(), capacity, known: Mutex::new(Vec::new()), outside })
    }

    /// For the calling thread, which is `owner` from now on. Until it ends, nobody else may be. `None`: there is
    /// no memory for its ring, so it records as other threads do.
    pub(crate) fn recorder(&self, owner: Owner) -> Option<Recorder> {
        // Perhaps there was a thread that was the same worker.
        let of_former = |known: &Known| known.ring.clone().filter(|_| known.owner == owner);
        let former = lock(&self.known).iter().find_map(of_former);
        // Not with the lock: this takes a while.
        let ring = former.or_else(|| new_ring(self.capacity).ok().map(Arc::new));
        let mut known = lock(&self.known);
        known.retain(|known| known.owner != owner);
        known.push(Known { owner, thread: thread_number(), ring: ring.clone() });
        ring.map(|ring| Recorder::new(ring, self.time))
    }

    /// For a thread that has no ring.
    #[cold]
    pub(crate) fn record_outside(
        &self,
        kind: EventKind,
        subject: usize,
        site: usize,
        activity: RawActivity,
    ) {
        let outside = &self.outside[thread_shard_number() % OUTSIDE];
        let _turn = lock(&outside.turn);
        // With the lock, so that a ring's times are in order.
        let at = self.time.ordered();
        outside.ring.push(Event { kind, at, subject, site, activity, thread: thread_number() });
    }

    /// Copies what is in the rings, or in the newest part of each. Others go on meanwhile, so it does nothing else.
    pub(crate) fn read(&self, part: usize) -> Result<Copied, TryReserveError> {
        let most = self.capacity / part;
        let known = lock(&self.known).clone();
        let own = || known.iter().filter_map(|known| Some((known.owner, &**known.ring.as_ref()?)));
        let outside = self.outside.iter().map(|outside| (Owner::Outside, &outside.ring));
        let rings: Vec<_> =
            own().map(|(owner, ring)| (owner, &ring.events)).chain(outside).collect();
        let notes = own().map(|(_, ring)| ring.notes.load(Ordering::Relaxed)).sum();
        let end = self.time.ordered();
        // First all counts, which is done at once: what is copied then may be overwritten meanwhile.
        let counts: Vec<_> = rings.iter().map(|(_, ring)| ring.count()).collect();
        let copied: usize = counts.iter().map(|count| most.min(*count as usize)).sum();
        look_for_memory(copied * WRITTEN)?;
        let rings = rings
            .into_iter()
            .zip(counts)
            .map(|((owner, ring), count)| Ok((owner, ring.read(count, most)?)))
            .collect::<Result<_, TryReserveError>>()?;
        let owners = known.iter().map(|known| (known.thread, known.owner)).collect();
        Ok(Copied { rings, notes, end, owners, time: self.time, read_at: self.time.both() })
    }
}

/// A copy of the rings.
pub(crate) struct Copied {
    /// Times are in ticks. There may be some events after the end.
    pub(crate) rings: Vec<(Owner, Kept<Event>)>,
    pub(crate) end: u64,
    /// How many notes there had been, with those that are overwritten.
    notes: u64,
    /// Those of the runtime's threads, by their numbers.
    pub(crate) owners: HashMap<u32, Owner>,
    time: Ticks,
    /// What both clocks said then.
    read_at: (u64, u64),
}

impl Copied {
    /// How many events have been overwritten.
    pub(crate) fn lost(&self) -> u64 {
        let lost: u64 = self.rings.iter().map(|(_, kept)| kept.lost).sum();
        let kept = self.rings.iter().flat_map(|(_, kept)| &kept.events);
        let notes = kept.filter(|event| event.kind.is_note()).count() as u64;
        lost.saturating_sub(self.notes.saturating_sub(notes))
    }

    /// Makes nanoseconds since the start of all times, and takes out what is no event, or comes after the end.
    pub(crate) fn convert(&mut self) -> impl Fn(u64) -> u64 + use<> {
        let pairs = self.rings.iter().flat_map(|(_, kept)| &kept.events);
        let pairs = pairs.filter(|event| event.kind == EventKind::Clock);
        let pairs = pairs.map(|event| (event.at, event.subject as u64)).chain([self.read_at]);
        let to_nanoseconds = self.time.to_nanoseconds(pairs.collect());
        for (_, kept) in &mut self.rings {
            kept.events.retain(|event| event.at <= self.end && event.kind != EventKind::Clock);
            kept.events.iter_mut().for_each(|event| event.at = to_nanoseconds(event.at));
        }
        to_nanoseconds
    }
}

fn new_ring(capacity: usize) -> Result<OwnRing, TryReserveError> {
    look_for_memory(capacity * size_of::<EventSlot>())?;
    Ok(OwnRing { events: Ring::new(capacity)?, notes: AtomicU64::new(0) })
}

/// Fails if there is no memory for so many bytes, and some more. Nothing is written there, so this takes microseconds.
fn look_for_memory(bytes: usize) -> Result<(), TryReserveError> {
    let mut room = Vec::<u8>::new();
    let spare = bytes.saturating_mul(SPARE_TIMES).min(SPARE_MOST);
    room.try_reserve_exact(bytes.saturating_add(spare))?;
    // Otherwise the compiler leaves the allocation out, since nobody uses it.
    black_box(&mut room);
    Ok(())
}

/// The calling thread's. No other one has it, or had it, or will, unlike the system's number.
fn thread_number() -> u32 {
    thread_shard_number() as u32
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// They may have lost their cores while they write. Then a note of both clocks would be late, and all times between it
    /// and the next one wrong.
    #[test]
    fn the_monitor_waits_for_no_thread_outside() {
        let trace = Trace::new(64).unwrap();
        let turns: Vec<_> = trace.outside.iter().map(|outside| lock(&outside.turn)).collect();
        thread::scope(|scope| {
            let monitor = || {
                let monitor = trace.recorder(Owner::Monitor).unwrap();
                monitor.note_clocks();
                monitor.record(EventKind::Goroutines, 1, 0);
            };
            scope.spawn(monitor).join().unwrap();
        });
        drop(turns);
        let mut copied = trace.read(1).unwrap();
        let _ = copied.convert();
        let rings = copied.rings.iter().filter(|(owner, _)| *owner == Owner::Monitor);
        let kinds = rings.flat_map(|(_, kept)| kept.events.iter().map(|event| event.kind));
        assert_eq!(kinds.collect::<Vec<_>>(), [EventKind::Goroutines]);
    }
}
