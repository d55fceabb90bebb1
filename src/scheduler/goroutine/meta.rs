//! What a goroutine's allocation holds beside the future.

#![allow(unsafe_code)]

use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use crate::scheduler::goroutine::registry::RegistryKey;
use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::wait::ActivityCell;

/// What the allocation holds beside the future: 20 bytes, aligned to four. With the header of
/// `async-task`, which has 33, they fill 56 bytes rather than 64.
pub(crate) struct Meta {
    /// The number of its runtime (`runtime_id.rs`).
    runtime: u32,
    site: Packed<&'static SpawnSite>,
    /// [`ABORTED`], [`MARKED`], and the registry's key plus one, or zero without a key. Only the
    /// goroutine's own polls use the key, and they follow one another.
    state: AtomicU32,
    pub(crate) activity: ActivityCell,
}

const ABORTED: u32 = 1 << 31;

/// It is in a queue, and `latency.rs` knows since when.
const MARKED: u32 = 1 << 30;

#[derive(Clone, Copy)]
#[repr(Rust, packed(4))]
struct Packed<T>(T);

/// A pointer to what other threads share. Each dereference says why the target is alive.
pub(super) struct Shared<T>(pub(super) NonNull<T>);

// SAFETY: it gives a thread no more than a reference would.
// Exercised by `soundness::abort_handles_anywhere`.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above. Exercised by `soundness::abort_handles_anywhere`.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

impl Meta {
    #[inline]
    pub(super) fn new(runtime: u32, site: &'static SpawnSite) -> Self {
        Meta {
            runtime,
            site: Packed(site),
            state: AtomicU32::new(0),
            activity: ActivityCell::new(),
        }
    }

    /// The number of its runtime.
    #[inline]
    pub(crate) fn runtime(&self) -> u32 {
        self.runtime
    }

    #[inline]
    pub(crate) fn site(&self) -> &'static SpawnSite {
        self.site.0
    }

    #[inline]
    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        self.site().spawned_at
    }

    #[inline]
    pub(super) fn state(&self) -> State {
        // Ordering: Acquire pairs with the Release in `abort`.
        State(self.state.load(Ordering::Acquire))
    }

    /// Makes the goroutine's next check of the flag cancel it; `waker` brings that check about.
    pub(crate) fn abort(&self, waker: &Waker) {
        self.set_aborted();
        waker.wake_by_ref();
    }

    /// The same, for who polls it next.
    pub(crate) fn set_aborted(&self) {
        // Ordering: Release pairs with the Acquire in `state`: what came before `abort` happens
        // before the destructors.
        self.state.fetch_or(ABORTED, Ordering::Release);
    }

    /// For who is about to queue it.
    pub(crate) fn mark(&self) {
        self.state.fetch_or(MARKED, Ordering::Relaxed);
    }

    /// For who polls it.
    pub(crate) fn unmark(&self) {
        self.state.fetch_and(!MARKED, Ordering::Relaxed);
    }

    pub(super) fn set_key(&self, key: RegistryKey) {
        self.state.fetch_or(key.0 + 1, Ordering::Relaxed);
    }
}

/// What [`Meta::state`] has read.
#[derive(Clone, Copy)]
pub(super) struct State(u32);

impl State {
    #[inline]
    pub(super) fn is_aborted(self) -> bool {
        self.0 & ABORTED != 0
    }

    #[inline]
    pub(super) fn is_marked(self) -> bool {
        self.0 & MARKED != 0
    }

    #[inline]
    pub(super) fn is_aborted_or_marked(self) -> bool {
        self.0 & (ABORTED | MARKED) != 0
    }

    #[inline]
    pub(super) fn key(self) -> Option<RegistryKey> {
        (self.0 & !(ABORTED | MARKED)).checked_sub(1).map(RegistryKey)
    }
}
