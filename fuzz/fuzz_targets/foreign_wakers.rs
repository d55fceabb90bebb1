//! The cases of `tests/foreign_wakers.rs`, with a fuzzer's bytes instead of random ones: at each call of a
//! waker's function it panics, or comes back in.
//!
//! `cargo +nightly fuzz run foreign_wakers -- -max_total_time=600`

#![no_main]

#[path = "../../tests/sequences/bytes.rs"]
mod bytes;
#[path = "../../tests/foreign_wakers/cases.rs"]
mod cases;
#[path = "../../tests/foreign_wakers/hooks.rs"]
mod hooks;
#[path = "../../tests/foreign_wakers/operations.rs"]
mod operations;
#[path = "../../tests/foreign_wakers/values.rs"]
mod values;
#[path = "../../tests/foreign_wakers/world.rs"]
mod world;

use cases::Where;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&place, bytes)) = bytes.split_first() else { return };
    // A runtime takes as long as many cases outside.
    let place = match place % 16 {
        0 => Where::Main,
        1 => Where::Goroutine,
        _ => Where::Outside,
    };
    // Each call is a case of its own, so that long sequences take very long.
    cases::follow(&bytes[..bytes.len().min(200)], place);
});
