//! The address of a goroutine's allocation in as few bytes as it takes: the registry has one for each that waits.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::num::NonZero;
use std::process;

/// Six bytes: on this architecture an address has 48 bits, and the upper 16 repeat the highest of these, unless a
/// program asks for more. `Option` needs no more bytes. With an alignment of two a list has no gaps.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[derive(Clone, Copy)]
#[repr(Rust, packed(2))]
pub(super) struct Address {
    low: u32,
    /// Bits 32 to 47, and one more.
    high: NonZero<u16>,
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
impl Address {
    /// `None`: it does not fit.
    #[inline]
    fn packed(address: usize) -> Option<Self> {
        let high = ((address >> 32) as u16).wrapping_add(1);
        let packed = Address { low: address as u32, high: NonZero::new(high)? };
        (packed.get() == address).then_some(packed)
    }

    #[inline]
    pub(super) fn get(self) -> usize {
        let high = isize::from((self.high.get() - 1).cast_signed());
        (high << 32).cast_unsigned() | self.low as usize
    }
}

/// A whole word: elsewhere words are small, or allocators keep tags in the upper bits.
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
    // Unlike `eprintln`, it does not panic if that fails.
    let _ = writeln!(
        io::stderr(),
        "gorun: a goroutine was allocated at {address:#x}: allocators must keep to addresses of 48 bits"
    );
    process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_another() {
        for address in
            [8, 0xffff_fff8, 0x7fff_ffff_fff8, 0xffff_8000_0000_0000, 0xffff_fffe_ffff_fff8_u64]
        {
            let Ok(address) = usize::try_from(address) else { continue };
            assert_eq!(Address::of(address).get(), address);
        }
    }

    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    #[test]
    fn an_entry_takes_more_than_six_bytes() {
        assert_eq!(size_of::<Option<Address>>(), 6);
    }

    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    #[test]
    fn an_address_that_does_not_fit_is_cut_off() {
        for address in [0x8000_0000_0000, 0x1_0000_0000_0000, 0xffff_ffff_0000_0000] {
            assert!(Address::packed(address).is_none(), "{address:#x}");
        }
    }
}
