//! A goroutine's own waker as its address alone: for the registry.

#![allow(unsafe_code)]

use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::ptr;
use std::sync::OnceLock;
use std::task::Waker;

use crate::scheduler::goroutine::address::Address;
use crate::scheduler::goroutine::meta::Meta;
use crate::scheduler::wait::RawActivity;

/// The offset of the metadata from the data pointer of a goroutine's wakers, once there is one. It does not
/// depend on the future, and `waker_kind` (`task.rs`) checks that.
pub(super) static METADATA_OFFSET: OnceLock<usize> = OnceLock::new();

pub(crate) struct Entry {
    /// The waker's data, whose address `into_raw_task` has exposed.
    address: Address,
}

impl Entry {
    /// `waker` is a goroutine's own, made by `async-task`.
    pub(super) fn of(waker: Waker) -> Self {
        let address = Address::of(waker.data().addr());
        // The entry owns its reference from now on.
        mem::forget(waker);
        Entry { address }
    }

    pub(crate) fn address(&self) -> usize {
        self.address.get()
    }

    pub(crate) fn wake(self) {
        ManuallyDrop::into_inner(ManuallyDrop::new(self).waker()).wake();
    }

    #[cfg(feature = "net")]
    pub(crate) fn to_waker(&self) -> Waker {
        Waker::clone(&self.waker())
    }

    /// Where the goroutine was spawned, and what it does.
    pub(crate) fn inspect(&self) -> (&'static Location<'static>, RawActivity) {
        inspect(&self.waker())
    }

    /// The waker whose reference the entry owns.
    fn waker(&self) -> ManuallyDrop<Waker> {
        let data = ptr::with_exposed_provenance(self.address.get());
        let offset = METADATA_OFFSET.get().expect("a goroutine has been allocated");
        let meta = ptr::with_exposed_provenance::<Meta>(self.address.get() + offset);
        // SAFETY: the entry owns a reference to the goroutine's allocation, which has its metadata at this offset
        // from the address, for all types of futures. `into_raw_task` has exposed the address.
        // Exercised by `soundness::dumps_beside_everything`.
        let kind = unsafe { &*meta }.site().waker.get().expect("`allocate` has set it");
        // SAFETY: the entry was made of a waker with these parts: a goroutine's own has the functions of its type,
        // which its site notes, as a site has one type. It is dropped once, by who consumes the entry.
        // Exercised by `soundness::dumps_beside_everything`.
        ManuallyDrop::new(unsafe { Waker::new(data, kind.vtable) })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(ManuallyDrop::into_inner(self.waker()));
    }
}

/// Where a goroutine was spawned, and what it does. `waker` is its own.
pub(crate) fn inspect(waker: &Waker) -> (&'static Location<'static>, RawActivity) {
    let offset = METADATA_OFFSET.get().expect("a goroutine has been allocated");
    let meta = ptr::with_exposed_provenance::<Meta>(waker.data().addr() + offset);
    // SAFETY: a goroutine's own waker, made by `async-task`, owns a reference to its allocation. Each
    // goroutine has its metadata at this offset from the waker's data, whose address `into_raw_task` has exposed.
    // Exercised by `soundness::dumps_beside_everything`.
    let meta = unsafe { &*meta };
    (meta.spawned_at(), meta.activity.get())
}
