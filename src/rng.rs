//! The only source of random choices, and of their seeds.
//!
//! Every generator begins with its own seed: [`fresh_seed`]. The seeds derive from one number for
//! the whole process, which the environment variable `GORUN_SEED` sets. By default it differs in
//! each run.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that sets the seed of all random choices.
pub(crate) const SEED_VARIABLE: &str = "GORUN_SEED";

/// The value of `SEED_VARIABLE`, if it is set and not empty: `Err` if it is not a number. Read
/// once.
pub(crate) fn requested_seed() -> Option<Result<u64, &'static OsStr>> {
    static SET: LazyLock<Option<OsString>> = LazyLock::new(|| std::env::var_os(SEED_VARIABLE));
    let value = SET.as_deref().filter(|value| !value.is_empty())?;
    Some(value.to_str().and_then(|text| text.trim().parse().ok()).ok_or(value))
}

/// A seed that no other generator in this process gets.
pub(crate) fn fresh_seed() -> u64 {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| {
        let set = requested_seed().and_then(Result::ok);
        set.unwrap_or_else(|| RandomState::new().hash_one(0))
    });
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    mix(PROCESS.wrapping_add(mix(GIVEN.fetch_add(1, Ordering::Relaxed))))
}

/// Spreads neighbouring numbers over all 64 bits (the last step of Steele, Lea and Flood's
/// SplitMix).
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

/// A small seedable generator (Marsaglia's xorshift64*).
#[derive(Clone, Copy)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Draws nothing: others do so for whoever has this.
    pub(crate) const ABSENT: Self = Rng(0);

    #[inline]
    pub(crate) fn is_absent(self) -> bool {
        self.0 == 0
    }

    /// Equal seeds give equal choices.
    pub(crate) fn new(seed: u64) -> Self {
        // Avoid zero, which the generator would never leave.
        Rng(mix(seed) | 1)
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The high 32 bits, scaled: the bias is below 2^-32 per unit of `bound`.
        (((self.bits() >> 32) * bound as u64) >> 32) as usize
    }

    /// 64 bits, of which the high ones are the more random ones.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[cfg(test)]
mod tests {
    use super::{Rng, fresh_seed};

    #[test]
    fn no_two_generators_begin_alike() {
        let first = |_| Rng::new(fresh_seed()).below(1 << 30);
        let mut choices: Vec<_> = (0..1000).map(first).collect();
        choices.sort();
        choices.dedup();
        assert!(choices.len() > 990, "{} of 1000 differ", choices.len());
    }

    #[test]
    fn equal_seeds_repeat_and_every_choice_occurs() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            (0..1000).map(|_| rng.below(7)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        for choice in 0..7 {
            assert!(draw(3).contains(&choice));
        }
    }
}
