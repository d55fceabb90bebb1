//! The order in which the cases of a `select!` are tried.

#![forbid(unsafe_code)]

use crate::scheduler::context::random_below;

/// More cases than any `select!` has: the compiler's recursion limit comes first.
const MOST: usize = 128;

/// A random permutation of the enabled cases, drawn step by step. Whichever cases are ready, each
/// is equally likely to come first.
pub(crate) struct Order {
    numbers: [u8; MOST],
    count: usize,
    drawn: usize,
}

impl Order {
    #[inline]
    pub(crate) fn new(cases: usize, is_enabled: impl Fn(usize) -> bool) -> Self {
        assert!(cases <= MOST, "a `select!` has {MOST} cases at most");
        let mut order = Order { numbers: [0; MOST], count: 0, drawn: 0 };
        for number in 0..cases {
            if is_enabled(number) {
                order.numbers[order.count] = number as u8;
                order.count += 1;
            }
        }
        order
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        let left = self.count - self.drawn;
        if left == 0 {
            return None;
        }
        let chosen = self.drawn + if left == 1 { 0 } else { random_below(left) };
        self.numbers.swap(self.drawn, chosen);
        self.drawn += 1;
        Some(self.numbers[self.drawn - 1].into())
    }

    /// The cases drawn so far: all of them, once `next` has returned `None`.
    #[inline]
    pub(crate) fn drawn(&self) -> impl Iterator<Item = usize> + Clone {
        self.numbers[..self.drawn].iter().map(|&number| number.into())
    }
}
