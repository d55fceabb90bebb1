//! A spawn site: the data shared by all goroutines that one place in the program spawns.
//!
//! A goroutine's metadata has one word for it. So a site is made once for each place and type of
//! future, and kept for ever. The program's text bounds the number of sites. Each thread caches the
//! sites that it used last, and looks up others in a global table.
//!
//! Rejected: keeping only the place in the metadata, and the waker, which only `abort` uses, in the
//! handle. That cost two read-modify-writes for each spawn. It also made handles 32 bytes instead
//! of 16. A program that keeps handles in a `Vec` notices that (`docs/benchmarks.md`).

#![forbid(unsafe_code)]

use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::Location;
use std::ptr;
use std::sync::{LazyLock, Mutex, OnceLock};
use std::task::{RawWakerVTable, Waker};

use crate::primitives::lock;

pub(crate) struct SpawnSite {
    pub(crate) spawned_at: &'static Location<'static>,
    future: TypeId,
    /// Set as soon as a goroutine has been allocated.
    pub(crate) waker: OnceLock<WakerKind>,
}

/// How to make a waker for a goroutine.
#[derive(Clone, Copy)]
pub(crate) struct WakerKind {
    pub(crate) vtable: &'static RawWakerVTable,
    /// The offset of the metadata from the data pointer of the waker.
    pub(crate) metadata_offset: usize,
}

type Table = HashMap<(usize, TypeId), &'static SpawnSite>;

static SITES: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// How many sites a thread caches, each in the place that the address of its location gives.
const CACHED: usize = 16;

thread_local! {
    static CACHE: [Cell<Option<&'static SpawnSite>>; CACHED] =
        const { [const { Cell::new(None) }; CACHED] };
}

impl SpawnSite {
    /// The site of a goroutine that runs an `F`.
    #[inline]
    pub(crate) fn of<F: 'static>(spawned_at: &'static Location<'static>) -> &'static SpawnSite {
        let future = TypeId::of::<F>();
        let place = ptr::from_ref(spawned_at).addr() / size_of::<Location<'_>>() % CACHED;
        CACHE.with(|cache| match cache[place].get() {
            Some(site) if ptr::eq(site.spawned_at, spawned_at) && site.future == future => site,
            _ => {
                let site = SpawnSite::look_up(spawned_at, future);
                cache[place].set(Some(site));
                site
            }
        })
    }

    /// Whether a waker with the data pointer of a goroutine spawned here is that goroutine's, and
    /// not one with a foreign vtable.
    #[inline]
    pub(crate) fn makes(&self, waker: &Waker) -> bool {
        self.waker.get().is_some_and(|kind| ptr::eq(kind.vtable, waker.vtable()))
    }

    /// Not of a place: a site whose goroutines would have wakers with the functions of `waker`.
    pub(crate) fn of_wakers_like(waker: &Waker) -> Self {
        let kind = WakerKind { vtable: waker.vtable(), metadata_offset: 0 };
        SpawnSite {
            spawned_at: Location::caller(),
            future: TypeId::of::<Waker>(),
            waker: OnceLock::from(kind),
        }
    }

    #[inline]
    pub(crate) fn address(&'static self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// The site with this address, if there is one.
    pub(crate) fn at(address: usize) -> Option<&'static SpawnSite> {
        lock(&SITES).values().copied().find(|site| site.address() == address)
    }

    #[cold]
    fn look_up(spawned_at: &'static Location<'static>, future: TypeId) -> &'static SpawnSite {
        let key = (ptr::from_ref(spawned_at).addr(), future);
        let new =
            || &*Box::leak(Box::new(SpawnSite { spawned_at, future, waker: OnceLock::new() }));
        lock(&SITES).entry(key).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// At one address, whatever `F` is.
    static PLACE: &Location<'static> = Location::caller();

    fn addresses() -> [usize; 3] {
        let sites =
            [SpawnSite::of::<u8>(PLACE), SpawnSite::of::<u64>(PLACE), SpawnSite::of::<u8>(PLACE)];
        sites.map(|site| ptr::from_ref(site).addr())
    }

    /// Otherwise a waker made for one would be used for the other.
    #[test]
    fn futures_of_two_types_spawned_at_one_place_have_a_site_each() {
        let [one, other, again] = addresses();
        assert_ne!(one, other);
        assert_eq!(one, again);
        // A thread with an empty cache finds the same.
        assert_eq!(thread::spawn(addresses).join().unwrap(), [one, other, again]);
    }
}
