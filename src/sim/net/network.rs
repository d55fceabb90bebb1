//! How the network behaves.

#![forbid(unsafe_code)]

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::scheduler::simulation::network::settings::{Latency, NetworkSettings};

/// How the network of a simulation behaves between hosts, for [`Sim::network`](crate::sim::Sim::network).
///
/// A message takes 1 to 10 ms, and nothing goes wrong, unless it is told otherwise. Faults are drawn: one in `n` times, on
/// average, and never if `n` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::net::UdpSocket;
/// use gorun::sim::Sim;
/// use gorun::sim::net::{Host, Network};
///
/// let network = Network::new().latency(Duration::ZERO..=Duration::from_millis(50)).losses(2);
/// let lost = Sim::new().network(network).schedules(100).run(|| async {
///     let there = Host::new("there");
///     let receiver = there.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap();
///     let sender = UdpSocket::bind("0.0.0.0:0").await.unwrap();
///     sender.send_to(b"question", "there:53").await.unwrap();
///     // Nobody asks again.
///     receiver.recv(&mut [0; 64]).await.unwrap();
/// });
/// assert!(lost.unwrap_err().to_string().contains("deadlock"));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing until it is given to `Sim::network`"]
pub struct Network(pub(crate) NetworkSettings);

impl Network {
    /// One without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a message takes.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[track_caller]
    pub fn latency(mut self, range: RangeInclusive<Duration>) -> Self {
        self.0.latency = latency(range);
        self
    }

    /// One in so many datagrams is lost.
    pub fn losses(mut self, one_in: usize) -> Self {
        self.0.losses = one_in;
        self
    }

    /// One in so many datagrams arrives twice.
    pub fn duplicates(mut self, one_in: usize) -> Self {
        self.0.duplicates = one_in;
        self
    }

    /// One in so many writes to a connection resets it.
    pub fn resets(mut self, one_in: usize) -> Self {
        self.0.resets = one_in;
        self
    }

    /// With one in so many messages, of TCP or UDP, the link between the two hosts is cut, in both directions, for up to
    /// `longest`. (A search of all paths tries no length of it but zero.)
    pub fn outages(mut self, one_in: usize, longest: Duration) -> Self {
        (self.0.outages, self.0.longest_outage) = (one_in, longest.min(LONGEST));
        self
    }
}

/// Beyond that the clock does not go.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The latency that a range says.
#[track_caller]
pub(super) fn latency(range: RangeInclusive<Duration>) -> Latency {
    let (least, most) = range.into_inner();
    assert!(least <= most, "a latency of {least:?} to {most:?}: the range is empty");
    Latency { least: least.min(LONGEST), most: most.min(LONGEST) }
}
