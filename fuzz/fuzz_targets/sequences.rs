//! The operations of `tests/sequences.rs`, with a fuzzer's bytes instead of random ones. It looks
//! for bytes that lead to code where none has been before.
//!
//! `cargo +nightly fuzz run sequences -- -max_total_time=600`

#![no_main]

#[path = "../../tests/sequences/bytes.rs"]
mod bytes;
#[path = "../../tests/sequences/futures.rs"]
mod futures;
#[path = "../../tests/sequences/log.rs"]
mod log;
#[path = "../../tests/sequences/model.rs"]
mod model;
#[path = "../../tests/sequences/operations.rs"]
mod operations;
#[path = "../../tests/sequences/wait_group.rs"]
mod wait_group;
#[path = "../../tests/sequences/wakes.rs"]
mod wakes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    operations::follow(bytes);
    wait_group::follow(bytes);
});
