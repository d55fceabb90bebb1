//! Runtimes that exit ended while goroutines were alive, and the wakers that wait for that news.
//!
//! A goroutine left behind may never complete, so it would never wake the code that awaits its
//! handle. Any code that awaits a handle, except a goroutine of the same runtime, therefore leaves
//! a waker here too, under the runtime's number and the goroutine's address. A `JoinSet` leaves one
//! waker for all its goroutines, and is told of every runtime. The scheduler of a goroutine left
//! behind is never freed, so its number is not used again.
//!
//! A waiter that leaves frees the memory of its entry at once, however many others wait: the maps
//! are trees.
//!
//! Rejected: `event-listener`, which calls wakers under its lock. A waker is user code, and may
//! drop or poll other handles. A slab, which keeps room for the largest number that ever waited at
//! once. A list in the scheduler itself: a handle may outlive it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use crate::primitives::lock;
use crate::scheduler::foreign_wakers;
use crate::scheduler::shared::Scheduler;

/// One of several, so that goroutines that await many handles through a combinator do not contend
/// for one lock.
#[repr(align(128))]
struct NewsShard {
    /// The numbers of runtimes; each shard has them all.
    abandoned: HashSet<u32, BuildHasherDefault<DefaultHasher>>,
    /// Handles' wakers, by the runtime's number and the goroutine's address. `None` after the waker has
    /// been called.
    handles: BTreeMap<(u32, usize), Option<Waker>>,
    /// Sets' wakers, by the sets' addresses.
    sets: BTreeMap<usize, Waker>,
}

const SHARDS: usize = 16;

static NEWS: [Mutex<NewsShard>; SHARDS] = [const { Mutex::new(NewsShard::new()) }; SHARDS];

impl NewsShard {
    const fn new() -> Self {
        NewsShard {
            abandoned: HashSet::with_hasher(BuildHasherDefault::new()),
            handles: BTreeMap::new(),
            sets: BTreeMap::new(),
        }
    }

    fn is_abandoned(&self, runtime: u32) -> bool {
        self.abandoned.contains(&runtime)
    }
}

/// The shard for waiters at this address.
fn shard_of(address: usize) -> &'static Mutex<NewsShard> {
    &NEWS[address / 128 % SHARDS]
}

/// Records that goroutines of `scheduler` are left behind, leaks a reference to it, and wakes all
/// who wait for that news.
pub(crate) fn publish(scheduler: &Arc<Scheduler>) {
    std::mem::forget(scheduler.clone());
    let runtime = scheduler.id.get();
    let mut wakers = Vec::new();
    for shard in &NEWS {
        let mut shard = lock(shard);
        shard.abandoned.insert(runtime);
        let told = shard.handles.range_mut((runtime, 0)..=(runtime, usize::MAX));
        wakers.extend(told.filter_map(|(_, waker)| waker.take()));
        // These are not user code. Sets go on waiting, for other runtimes.
        wakers.extend(shard.sets.values().cloned());
    }
    if !wakers.is_empty() {
        scheduler.request_wakes(wakers);
    }
}

/// Whether goroutines of this runtime were left behind. If not, registers `waker` in
/// place of the former one, until [`forget`]. The news wakes it.
pub(crate) fn is_published_or_wait(runtime: u32, address: usize, waker: &Waker) -> bool {
    let waker = waker.clone();
    let mut shard = lock(shard_of(address));
    let is_published = shard.is_abandoned(runtime);
    let unused = match is_published {
        true => Some(waker),
        false => shard.handles.insert((runtime, address), Some(waker)).flatten(),
    };
    drop(shard);
    // Outside the lock.
    foreign_wakers::drop_waker(unused);
    is_published
}

/// Whether goroutines of this runtime were left behind. `near` chooses the shard.
pub(crate) fn is_published(runtime: u32, near: usize) -> bool {
    lock(shard_of(near)).is_abandoned(runtime)
}

/// Ends the wait for news of the goroutine at `address`. The goroutine must still have that
/// address: later another one may wait under it.
pub(crate) fn forget(runtime: u32, address: usize) {
    let waker = lock(shard_of(address)).handles.remove(&(runtime, address));
    // Outside the lock.
    foreign_wakers::drop_waker(waker);
}

/// Calls a waker whenever goroutines of any runtime are left behind, until it is dropped.
pub(crate) struct Subscription {
    address: usize,
}

impl Subscription {
    /// `address` must be the caller's alone as long as `waker` exists. Returns whether there was
    /// such news before. The waker is cloned under a lock, so it must not be user code.
    pub(crate) fn new(address: usize, waker: Waker) -> (Self, bool) {
        let mut shard = lock(shard_of(address));
        shard.sets.insert(address, waker);
        (Subscription { address }, !shard.abandoned.is_empty())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let waker = lock(shard_of(self.address)).sets.remove(&self.address);
        // Outside the lock.
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::hint::black_box;
    use std::pin::{Pin, pin};
    use std::task::Context;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::scheduler::context;
    use crate::{Builder, JoinSet, spawn};

    /// How many handles of the caller's runtime wait for the news.
    fn handles_waiting() -> usize {
        let runtime = context::with_inside(|inside| inside.expect("in main").runtime);
        let on = |shard: &Mutex<NewsShard>| {
            lock(shard).handles.keys().filter(|(number, _)| *number == runtime).count()
        };
        NEWS.iter().map(on).sum()
    }

    #[test]
    fn a_set_waits_for_news_once_and_each_handle_for_itself() {
        let main = async {
            let mut cx = Context::from_waker(Waker::noop());
            let mut set = JoinSet::new();
            (0..100).for_each(|_| drop(set.spawn(pending::<()>())));
            assert!(pin!(set.join_next()).poll(&mut cx).is_pending());
            assert_eq!(handles_waiting(), 0);
            let mut handles: Vec<_> = (0..100).map(|_| spawn(pending::<()>())).collect();
            for handle in &mut handles {
                assert!(Pin::new(handle).poll(&mut cx).is_pending());
            }
            assert_eq!(handles_waiting(), 100);
            drop(handles);
            assert_eq!(handles_waiting(), 0);
        };
        Builder::new().worker_threads(2).block_on(main).unwrap();
    }

    #[test]
    fn a_look_costs_the_same_however_many_runtimes_were_left_behind() {
        fn time(shard: &NewsShard) -> Duration {
            let pass = || {
                let start = Instant::now();
                for number in 0..1000 {
                    assert!(!shard.is_abandoned(black_box(number * 64 + 8)));
                }
                start.elapsed()
            };
            (0..20).map(|_| pass()).min().unwrap()
        }
        let mut shard = NewsShard::new();
        shard.abandoned.insert(64);
        let few = time(&shard);
        shard.abandoned.extend((1..100_000).map(|number| number * 64));
        // A list would take a hundred thousand times as long.
        assert!(time(&shard) < 50 * few, "{:?}, and {few:?} for one", time(&shard));
    }
}
