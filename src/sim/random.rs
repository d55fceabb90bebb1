//! Random choices of a test, which a schedule repeats.

#![forbid(unsafe_code)]

use std::hash::{BuildHasher, DefaultHasher, Hasher};

use super::inside::with_simulation;
use crate::scheduler::context;

/// Random numbers that belong to the schedule: a replay draws the same ones.
///
/// # Panics
///
/// Outside of a simulation.
///
/// # Examples
///
/// ```
/// use gorun::sim::{self, Sim};
///
/// Sim::new().schedules(10).check(|| async {
///     let clients = 1 + sim::rng().below(5);
///     assert!((1..=5).contains(&clients));
/// });
/// ```
#[track_caller]
pub fn rng() -> Rng {
    with_simulation("sim::rng", |_| Rng(()))
}

/// Draws random numbers: [`rng`] makes one. A schedule that is shortened draws more zeros.
///
/// # Examples
///
/// See [`rng`].
#[derive(Debug)]
pub struct Rng(());

impl Rng {
    /// A number from zero to `bound - 1`.
    ///
    /// # Panics
    ///
    /// If `bound` is zero. Outside of a simulation.
    ///
    /// # Examples
    ///
    /// See [`rng`].
    #[track_caller]
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "`Rng::below(0)`: there is no number below zero");
        with_simulation("Rng::below", |simulation| match u32::try_from(bound) {
            Ok(_) => simulation.below(bound),
            Err(_) => {
                // The bias is less than one in four billion, per four billion.
                let (high, low) = (simulation.below(1 << 31) as u128, simulation.below(1 << 31));
                (((high << 31 | low as u128) * bound as u128) >> 62) as usize
            }
        })
    }

    /// True in one case of `n`, on average.
    ///
    /// # Panics
    ///
    /// As [`below`](Self::below).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sim::{self, Sim};
    ///
    /// Sim::new().schedules(10).check(|| async {
    ///     if sim::rng().one_in(10) {
    ///         // Here the connection breaks.
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn one_in(&mut self, n: usize) -> bool {
        // Zero is what a shortened schedule draws: then nothing happens.
        self.below(n) == n - 1
    }
}

/// Hashes for a `HashMap` whose order a schedule repeats. In a simulation its seed is drawn, and elsewhere it is always
/// the same; so it does not protect against an attacker who chooses keys.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use gorun::sim::RandomState;
///
/// let mut map = HashMap::with_hasher(RandomState::new());
/// map.insert("a", 1);
/// assert_eq!(map["a"], 1);
/// ```
#[derive(Clone, Debug)]
pub struct RandomState(u64);

impl RandomState {
    /// With a seed of its own.
    ///
    /// # Examples
    ///
    /// See [`RandomState`].
    pub fn new() -> Self {
        let drawn = context::with_inside(|context| {
            let simulation = context?.scheduler.simulation_here()?;
            Some(simulation.below(1 << 16) as u64)
        });
        RandomState(drawn.unwrap_or(0))
    }
}

impl Default for RandomState {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildHasher for RandomState {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}
