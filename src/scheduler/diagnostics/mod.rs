//! What full diagnostics know of each suspended goroutine: since when it waits, and whether anybody can wake it.
//!
//! Without them none of this exists. With them a goroutine's future is polled with a waker of gorun's own
//! ([`Link`]) around the goroutine's, one for all its polls. Who is to wake the goroutine holds a clone of it. So the
//! count of clones says whether there is anybody: if only the goroutine itself has one, and it waits, nobody can wake
//! it. `record.rs` says when that is certain.

#![forbid(unsafe_code)]

pub(crate) mod record;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{Ordering, lock};
use crate::rng::mix;
use crate::scheduler::diagnostics::record::Record;

const SHARDS: usize = 32;

/// The suspended goroutines of a runtime, by the address of their allocation.
pub(crate) struct Diagnostics {
    started: Instant,
    suspended: [Mutex<HashMap<usize, Suspended>>; SHARDS],
    /// Since when main waits.
    main_since: AtomicU64,
}

#[derive(Clone)]
pub(crate) struct Suspended {
    /// The goroutine's own. So it is not freed as long as it is here.
    pub(crate) waker: Waker,
    pub(crate) record: Arc<Record>,
    pub(crate) link: Weak<Link>,
}

/// For how long a goroutine has been waiting, and whether it can never be woken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    pub(crate) waited: Duration,
    pub(crate) is_orphaned: bool,
}

/// The waker that a goroutine's future sees.
pub(crate) struct Link {
    /// The goroutine's own.
    waker: Waker,
}

impl Link {
    pub(crate) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Link { waker })
    }
}

impl Wake for Link {
    fn wake(self: Arc<Self>) {
        // By reference: the count falls when the goroutine is in its queue, and not before.
        self.waker.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.waker.wake_by_ref();
    }
}

impl Diagnostics {
    pub(crate) fn new() -> Self {
        Diagnostics {
            started: clock::now(),
            suspended: std::array::from_fn(|_| Mutex::default()),
            main_since: AtomicU64::new(0),
        }
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        clock::now().saturating_duration_since(self.started).as_nanos() as u64
    }

    fn shard(&self, address: usize) -> &Mutex<HashMap<usize, Suspended>> {
        // All bits of the address count: allocations of one size may be a power of two apart.
        &self.suspended[mix(address as u64) as usize % SHARDS]
    }

    pub(crate) fn add(&self, address: usize, goroutine: Suspended) {
        lock(self.shard(address)).insert(address, goroutine);
    }

    /// When its future has been, or is being, dropped.
    pub(crate) fn remove(&self, address: usize) {
        let mut suspended = lock(self.shard(address));
        let removed = suspended.remove(&address);
        if suspended.len() < suspended.capacity() / 8 {
            let enough = suspended.capacity() / 4;
            suspended.shrink_to(enough);
        }
        drop(suspended);
        // Not with the lock.
        drop(removed);
    }

    /// `None`: it does not wait. `waits` looks at the word of the goroutine with this waker.
    pub(crate) fn look(
        &self,
        address: usize,
        waits: impl FnOnce(&Waker) -> bool,
    ) -> Option<Waited> {
        let suspended = lock(self.shard(address));
        let Suspended { waker, record, link } = suspended.get(&address)?;
        let (since, is_orphaned) = record.look(|| link.strong_count(), || waits(waker))?;
        Some(Waited { waited: self.since(since), is_orphaned })
    }

    fn since(&self, since: u64) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(since))
    }

    /// Main waits from now on.
    pub(crate) fn note_main_wait(&self) {
        self.main_since.store(self.now(), Ordering::Relaxed);
    }

    pub(crate) fn main_waited(&self) -> Duration {
        self.since(self.main_since.load(Ordering::Relaxed))
    }
}
