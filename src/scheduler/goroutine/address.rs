//! The address of a goroutine's allocation in as few bytes as it takes: the registry has one for each that waits.

#![forbid(unsafe_code)]

use std::num::NonZero;
use std::process;

/// Six bytes: on this architecture systems give a program addresses of 47 bits, unless it asks for a higher one.
/// `Option` needs no more. The alignment of two keeps entries as close in a list as they are small.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[derive(Clone, Copy)]
#[repr(Rust, packed(2))]
pub(super) struct Address {
    low: u32,
    /// One more than the upper half.
    high: NonZero<u16>,
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
impl Address {
    /// `None`: it does not fit.
    #[inline]
    fn packed(address: usize) -> Option<Self> {
        let high = u16::try_from((address >> 32) + 1).ok()?;
        Some(Address { low: address as u32, high: NonZero::new(high)? })
    }

    #[inline]
    pub(super) fn get(self) -> usize {
        (usize::from(self.high.get() - 1) << 32) | self.low as usize
    }
}

/// A whole word: elsewhere words are small, or allocators may keep tags in the upper bits.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
#[derive(Clone, Copy)]
pub(super) struct Address(NonZero<usize>);

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
impl Address {
    /// `None`: it is null.
    #[inline]
    fn packed(address: usize) -> Option<Self> {
        NonZero::new(address).map(Address)
    }

    #[inline]
    pub(super) fn get(self) -> usize {
        self.0.get()
    }
}

impl Address {
    /// Of an allocation. Ends the process if an allocator of the program's own has left the range of addresses: a
    /// goroutine that nobody can find must not wait, and its poll must not unwind (`task.rs`).
    #[inline]
    pub(super) fn of(address: usize) -> Self {
        Self::packed(address).unwrap_or_else(|| out_of_range(address))
    }
}

#[cold]
fn out_of_range(address: usize) -> ! {
    eprintln!("gorun: a goroutine was allocated at {address:#x}, where no allocator should");
    process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_it_was() {
        for address in [8, 0xffff_fff8, 0x7fff_ffff_fff8_u64, 0xfffe_ffff_fff8] {
            let Ok(address) = usize::try_from(address) else { continue };
            assert_eq!(Address::of(address).get(), address);
        }
    }

    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    #[test]
    fn an_entry_takes_six_bytes() {
        assert_eq!(size_of::<Option<Address>>(), 6);
        assert!(Address::packed(0xffff_0000_0000).is_none());
        assert!(Address::packed(0x1_0000_0000_0000).is_none());
    }
}
