//! The registry: exit finds each goroutine, once, or the goroutine finds out about exit.
//!
//! Seen to fail with a `close` that leaves the shard open behind it, and with an `enter` that lets
//! goroutines into a closed shard.

use std::sync::{Arc, Mutex};

use loom::thread;

use crate::explore::{ALL, explore};
use crate::registry::{Closed, Registry};

/// Each thread is a worker whose goroutine suspends for the first time and later completes. The
/// wakers are the goroutines' numbers.
fn exit_against_workers(preemptions: Option<usize>, shards: usize, workers: usize) {
    explore(preemptions, move || {
        let registry = Arc::new(Registry::new(shards));
        let goroutines: Vec<_> = (0..workers)
            .map(|worker| {
                let registry = registry.clone();
                thread::spawn(move || match registry.register(worker, worker) {
                    Ok(key) => match registry.deregister(key) {
                        Some(waker) => {
                            assert_eq!(waker, worker, "another goroutine's entry was removed");
                            0
                        }
                        None => 1,
                    },
                    Err(Closed) => 0,
                })
            })
            .collect();
        let woken = Mutex::new(vec![0; workers]);
        registry.close(|waker| woken.lock().unwrap()[waker] += 1);
        assert!(registry.register(0, 0).is_err() && registry.register(1, 0).is_err());
        for (goroutine, woken) in goroutines.into_iter().zip(woken.into_inner().unwrap()) {
            // Left too late to be spared: it must have been woken, and nobody else.
            assert_eq!(woken, goroutine.join().unwrap());
        }
    });
}

#[test]
fn exit_wakes_or_refuses_or_is_too_late_one_shard() {
    exit_against_workers(ALL, 1, 2);
}

#[test]
fn exit_wakes_or_refuses_or_is_too_late_two_shards() {
    exit_against_workers(Some(3), 2, 3);
}
