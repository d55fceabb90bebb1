//! Whether the process grows once it is warm.

use std::fmt;

use super::failure::{demand, fail};
use super::process;

/// The rounds after which all sizes of runtimes have been there, and the allocator has what it needs.
const WARM_UP: u64 = 40;

pub(crate) struct Memory {
    growth: usize,
    /// The most there was when it had just become warm.
    warm: usize,
    now: usize,
}

impl Memory {
    pub(crate) fn new(growth: usize) -> Self {
        Memory { growth, warm: 0, now: 0 }
    }

    /// After each round.
    pub(crate) fn look(&mut self, rounds: u64) {
        let Some(now) = process::resident() else { return };
        self.now = now;
        if rounds < WARM_UP {
            self.warm = self.warm.max(now);
        }
        let limit = self.warm + self.growth;
        demand!(now <= limit, "the process has grown: {self}");
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB, {} when warm", self.now >> 20, self.warm >> 20)
    }
}
