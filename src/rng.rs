//! The one source of random choices.

#![forbid(unsafe_code)]

/// A small seedable generator (Marsaglia's xorshift64*).
#[derive(Clone, Copy)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Equal seeds give equal choices.
    pub(crate) fn new(seed: u64) -> Self {
        // Spread neighbouring seeds, and avoid zero, which the generator would never leave.
        Rng(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        // The high 32 bits, scaled: the bias is below 2^-32 per unit of `bound`.
        ((high * bound as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

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
