//! Random tests: which seed comes first, and for how long they go on.

use std::ops::Range;
use std::time::{Duration, Instant};

pub(crate) struct Stress {
    /// `GORUN_SEED`, or 1.
    pub(crate) first_seed: u64,
    limit: Duration,
    start: Instant,
}

impl Stress {
    /// `GORUN_STRESS=60s` sets for how long the test goes on, which is `otherwise` without it.
    pub(crate) fn begin(otherwise: Duration) -> Self {
        let variable = |name| std::env::var(name).ok();
        let seconds = |text: String| text.trim_end_matches('s').parse().map(Duration::from_secs);
        let limit = variable("GORUN_STRESS")
            .map(|value| seconds(value).expect("GORUN_STRESS is a number of seconds, as 600s"));
        let seed =
            variable("GORUN_SEED").map(|value| value.parse().expect("GORUN_SEED is a number"));
        Stress {
            first_seed: seed.unwrap_or(1),
            limit: limit.unwrap_or(otherwise),
            start: Instant::now(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.elapsed() >= self.limit
    }
}

/// Calls `test`, and prints the seed if it panics.
pub(crate) fn with_seed<R>(seed: u64, test: impl FnOnce(u64) -> R) -> R {
    struct OnPanic(u64);
    impl Drop for OnPanic {
        fn drop(&mut self) {
            eprintln!("GORUN_SEED={}", self.0);
        }
    }
    let on_panic = OnPanic(seed);
    let result = test(seed);
    std::mem::forget(on_panic);
    result
}

/// As many as a number in `lengths` says.
pub(crate) fn random_bytes(seed: u64, lengths: Range<usize>) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize
    };
    let length = lengths.start + next() % lengths.len();
    (0..length).map(|_| next() as u8).collect()
}
