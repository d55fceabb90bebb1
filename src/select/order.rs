//! The order in which the cases of a `select!` are tried.

#![forbid(unsafe_code)]
#![allow(missing_docs)] // Public for the macro only, and hidden.

use crate::scheduler::context::{below_in_simulation, random_bits};

/// A set of numbers of cases: the bits that are set.
type Numbers = u128;

/// The same 64 random bits serve this many draws, which use up 28 of them at most.
const DRAWS: u32 = 4;

/// The cases, drawn at random one by one. Whichever of them are ready, each is equally likely to
/// come first.
pub struct Order {
    to_draw: Numbers,
    /// How many those are.
    left: u32,
    drawn: u32,
    /// Random bits for the next draws, read as a fraction below 1. `None` in a simulation, which
    /// decides about each draw.
    bits: Option<u64>,
}

impl Order {
    /// No cases.
    pub(crate) const EMPTY: Self = Order { to_draw: 0, left: 0, drawn: 0, bits: None };

    #[inline(always)]
    pub(crate) fn add(&mut self, number: usize, is_to_draw: bool) {
        assert!(number < Numbers::BITS as usize, "too many cases for a `select!`");
        self.to_draw |= Numbers::from(is_to_draw) << number;
        self.left += u32::from(is_to_draw);
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let mut from = self.to_draw;
        if self.left > 1 {
            // Without the first ones.
            (0..self.below(self.left as usize)).for_each(|_| from = without_first(from));
        }
        let number = from.trailing_zeros();
        self.to_draw &= !(1 << number);
        self.left -= 1;
        Some(number as usize)
    }

    /// A random number below `bound`: the integer part of `bound` times the fraction. The rest is the
    /// next fraction.
    #[inline]
    fn below(&mut self, bound: usize) -> usize {
        if self.drawn.is_multiple_of(DRAWS) {
            self.bits = random_bits();
        }
        self.drawn += 1;
        let Some(bits) = self.bits else { return below_in_simulation(bound) };
        let scaled = u128::from(bits) * bound as u128;
        self.bits = Some(scaled as u64);
        (scaled >> 64) as usize
    }
}

/// Any of `count` cases. `None` in a simulation, where [`Order`]'s draws suffice.
#[inline]
pub(crate) fn any_of(count: usize) -> Option<usize> {
    let scaled = u128::from(random_bits()?) * count as u128;
    Some((scaled >> 64) as usize)
}

/// Without the lowest one.
#[inline]
fn without_first(numbers: Numbers) -> Numbers {
    numbers & numbers.wrapping_sub(1)
}
