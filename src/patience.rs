//! Waiting a moment before going to sleep.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use crate::clock;

/// About five microseconds where the core is wanted by nobody else. Waking a thread costs as much
/// on both sides. Yielding, rather than spinning, gives the core to whoever is waited for, if that
/// thread has none. (With 100 spins of the processor in front, main's round trip took half as long
/// again on two busy cores.)
const YIELDS: usize = 16;

/// Lets some time pass, too little to sleep.
pub(crate) fn pause(time: Duration) {
    let start = clock::now();
    while start.elapsed() < time {
        thread::yield_now();
    }
}

/// Waits until `condition` holds, but not for long. Says whether it does.
pub(crate) fn wait_a_moment(condition: impl Fn() -> bool) -> bool {
    for _ in 0..YIELDS {
        if condition() {
            return true;
        }
        thread::yield_now();
    }
    condition()
}
