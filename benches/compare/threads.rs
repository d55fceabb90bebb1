//! What goroutines are instead of: threads of the operating system.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::measured::Measured;

/// A thousandth as many as there are goroutines: they are that slow.
const FEWER: usize = 1_000;

/// Spawned and joined, ten at a time.
pub(crate) fn join(_: usize, n: usize) -> Measured {
    let n = (n / FEWER).max(10);
    let start = Instant::now();
    for _ in 0..n / 10 {
        let threads: Vec<_> = (0..10).map(|number| thread::spawn(move || number)).collect();
        let sum: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, 45);
    }
    let operations = n / 10 * 10;
    Measured { value: start.elapsed().as_secs_f64() * 1e9 / operations as f64, second: None }
}

/// Two threads over two rendezvous channels.
pub(crate) fn ping(_: usize, n: usize) -> Measured {
    let n = (n / 10).max(1);
    let (to, from_here) = mpsc::sync_channel::<usize>(0);
    let (back, from_there) = mpsc::sync_channel::<usize>(0);
    let echo = thread::spawn(move || {
        for value in from_here {
            back.send(value + 1).unwrap();
        }
    });
    let start = Instant::now();
    for round in 0..n {
        to.send(round).unwrap();
        assert_eq!(from_there.recv().unwrap(), round + 1);
    }
    let took = start.elapsed();
    drop(to);
    echo.join().unwrap();
    Measured { value: took.as_secs_f64() * 1e9 / n as f64, second: None }
}
