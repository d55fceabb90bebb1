//! A spawn site: what all goroutines that one place in the program spawns have in common.
//!
//! A goroutine's metadata has one word for it, so a site is made once, for each place and type of future,
//! and kept for ever. The program's text bounds their number. Each thread remembers the sites it used
//! last, and asks the common table for others.
//!
//! Rejected: the place alone in the metadata, and the waker, which only `abort` uses, in the handle.
//! That cost two read-modify-writes for each spawn, and made a handle of 16 bytes one of 32, which a
//! program that keeps handles in a `Vec` notices (`docs/benchmarks.md`).

#![forbid(unsafe_code)]

use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::Location;
use std::ptr;
use std::sync::{LazyLock, Mutex, OnceLock};
use std::task::{RawWakerVTable, Waker};

use crate::sync::lock;

pub(crate) struct SpawnSite {
    pub(crate) spawned_at: &'static Location<'static>,
    future: TypeId,
    /// Known as soon as a goroutine has been allocated.
    pub(crate) waker: OnceLock<WakerKind>,
}

/// What tells how to make a waker of a goroutine.
#[derive(Clone, Copy)]
pub(crate) struct WakerKind {
    pub(crate) vtable: &'static RawWakerVTable,
    /// How far the metadata lies behind the address that the waker has.
    pub(crate) metadata_offset: usize,
}

type Table = HashMap<(usize, TypeId), &'static SpawnSite>;

static ALL: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// How many sites a thread remembers, each in the place that its address says.
const REMEMBERED: usize = 16;

thread_local! {
    static RECENT: [Cell<Option<&'static SpawnSite>>; REMEMBERED] =
        const { [const { Cell::new(None) }; REMEMBERED] };
}

impl SpawnSite {
    /// The site of a goroutine that runs an `F`.
    #[inline]
    pub(crate) fn of<F: 'static>(spawned_at: &'static Location<'static>) -> &'static SpawnSite {
        let future = TypeId::of::<F>();
        let place = ptr::from_ref(spawned_at).addr() / size_of::<Location<'_>>() % REMEMBERED;
        RECENT.with(|recent| match recent[place].get() {
            Some(site) if ptr::eq(site.spawned_at, spawned_at) && site.future == future => site,
            _ => {
                let site = SpawnSite::look_up(spawned_at, future);
                recent[place].set(Some(site));
                site
            }
        })
    }

    /// Whether a waker with the data of a goroutine that was spawned here is that goroutine's, and not one
    /// with functions of somebody else's.
    #[inline]
    pub(crate) fn makes(&self, waker: &Waker) -> bool {
        self.waker.get().is_some_and(|kind| ptr::eq(kind.vtable, waker.vtable()))
    }

    /// The site with this address, if there is one.
    pub(crate) fn at(address: usize) -> Option<&'static SpawnSite> {
        lock(&ALL).values().copied().find(|site| ptr::from_ref(*site).addr() == address)
    }

    #[cold]
    fn look_up(spawned_at: &'static Location<'static>, future: TypeId) -> &'static SpawnSite {
        let key = (ptr::from_ref(spawned_at).addr(), future);
        let new =
            || &*Box::leak(Box::new(SpawnSite { spawned_at, future, waker: OnceLock::new() }));
        lock(&ALL).entry(key).or_insert_with(new)
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

    /// A waker made for one would be used for the other.
    #[test]
    fn futures_of_two_types_spawned_at_one_place_have_a_site_each() {
        let [one, other, again] = addresses();
        assert_ne!(one, other);
        assert_eq!(one, again);
        // A thread that remembers none finds the same.
        assert_eq!(thread::spawn(addresses).join().unwrap(), [one, other, again]);
    }
}
