//! What a goroutine takes that waits for a channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::channel::{Channel, Receiver};
use crate::measured::Measured;
use crate::runtime::Runtime;

/// Bytes of a goroutine that waits for a channel, with `n` of them.
pub(crate) fn memory<R: Runtime, C: Channel<()>>(workers: usize, n: usize) -> Measured
where
    C::Receiver: Clone,
{
    let bytes = R::block_on(workers, async move {
        let (sender, receiver) = C::open(1);
        let parked = Arc::new(AtomicUsize::new(0));
        let before = resident_bytes();
        for _ in 0..n {
            let (mut receiver, parked) = (receiver.clone(), parked.clone());
            R::detach(async move {
                parked.fetch_add(1, Ordering::AcqRel);
                let _ = receiver.recv().await;
                parked.fetch_sub(1, Ordering::AcqRel);
            });
        }
        let settle = async |expected: usize| {
            while parked.load(Ordering::Acquire) != expected {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        settle(n).await;
        // The last ones may still be on their way into the channel.
        std::thread::sleep(Duration::from_millis(20));
        let bytes = resident_bytes() - before;
        drop(sender);
        settle(0).await;
        bytes
    });
    Measured { value: bytes as f64 / n as f64, second: None }
}

#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes() -> usize {
    0
}
