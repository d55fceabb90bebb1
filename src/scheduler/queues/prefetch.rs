//! Prefetching memory that a worker will need soon.
//!
//! When a goroutine's turn comes, it is not in the nearest cache if a thousand others take turns
//! with it, or if its batch comes from another core. A hint two polls ahead makes `yield` a fifth
//! faster and `fan` a tenth.

#![allow(unsafe_code)]

/// Hints that the caller will read the two cache lines from `address` on. Any address is valid.
#[inline]
pub(crate) fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in [address, address.wrapping_add(64)] {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: this is a hint. It has no effect that the program can observe, and it does not
        // fault, whatever the address.
        // Exercised by `soundness::queues_under_stealing`.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
