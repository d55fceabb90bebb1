//! How a simulated network behaves.

#![forbid(unsafe_code)]

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct NetworkSettings {
    /// How long a message takes from one host to another.
    pub(crate) latency: Latency,
    /// One of so many datagrams is lost; zero: none.
    pub(crate) losses: usize,
    /// One of so many arrives twice.
    pub(crate) duplicates: usize,
    /// One of so many writes resets its connection.
    pub(crate) resets: usize,
    /// With one of so many messages an outage of its link begins.
    pub(crate) outages: usize,
    /// How long one takes at most.
    pub(crate) longest_outage: Duration,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        NetworkSettings {
            latency: Latency { least: Duration::from_millis(1), most: Duration::from_millis(10) },
            losses: 0,
            duplicates: 0,
            resets: 0,
            outages: 0,
            longest_outage: Duration::ZERO,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}
