//! The network of a simulation. Code that uses [`gorun::net`](crate::net) runs on it as it is, and so does what is
//! built on that, HTTP included. (Feature `net`, on by default.)
//!
//! There are hosts. Main is on one of them, a [`Host`] is another, and a goroutine is where its spawner is. A host
//! reaches itself by `127.0.0.1`, and others by their names and addresses:
//!
//! ```
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use gorun::net::{TcpListener, TcpStream};
//! use gorun::sim::Sim;
//! use gorun::sim::net::Host;
//!
//! Sim::new().schedules(100).check(|| async {
//!     let server = Host::new("server");
//!     let listener = server.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap();
//!     server.spawn(async move {
//!         let (mut stream, _) = listener.accept().await.unwrap();
//!         stream.write_all(b"hello").await.unwrap();
//!     }).detach();
//!
//!     let mut stream = TcpStream::connect("server:80").await.unwrap();
//!     let mut text = String::new();
//!     stream.read_to_string(&mut text).await.unwrap();
//!     assert_eq!(text, "hello");
//! });
//! ```
//!
//! # What a seed decides
//!
//! How long a message takes from one host to another; whether a read gets all that has come, or only a part; and the
//! faults of a [`Network`], which has none unless it is told. A message from a host to itself takes no time.
//!
//! A test can do the same by itself: [`partition`], [`heal`], [`cut`], [`reset`], [`set_latency`], and
//! [`Host::crash`].
//!
//! The report of a failure shows on which host each goroutine is, and what the network did: faults, crashes, and what was
//! lost.
//!
//! # What is as in the real world
//!
//! - What is sent over TCP arrives in order, late or not at all. While a link is cut, it waits; when the link works
//!   again, it arrives. A connection on which nothing gets through for 150 seconds fails with
//!   [`TimedOut`](std::io::ErrorKind::TimedOut), also while nobody sends, as keepalive is on; one that is being made, after
//!   127 seconds.
//! - 64 KiB may be on their way or unread, in each direction. Then a write waits.
//! - A socket that is closed with data unread resets its connection, and so does one that data still come for.
//! - A host that crashes says nothing to its peers. What it has sent already arrives, unless a link was cut. Then they find
//!   out by keepalive, or, when it runs again, by a reset.
//! - Datagrams overtake each other if their times differ. One is lost if its link is cut when it is sent, or when it should
//!   arrive.
//!
//! # What is not
//!
//! There are neither routers nor congestion, and links have no limit. Options of sockets can be set and read, and change
//! nothing, but for `set_linger(Some(Duration::ZERO))`. Multicast, and sockets of `std`, are refused; so are Unix sockets
//! and [`io::Async`](crate::io), which have descriptors of the system.

#![forbid(unsafe_code)]

mod host;
mod network;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use host::Host;
use host::{expect, network as network_of};
pub use network::Network;
use network::latency;

/// Cuts all links between two groups of hosts, in both directions, until [`heal`].
///
/// # Panics
///
/// Outside of the simulation that the hosts belong to.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::net::{TcpListener, TcpStream};
/// use gorun::sim::Sim;
/// use gorun::sim::net::{self, Host};
///
/// Sim::new().schedules(10).check(|| async {
///     let (here, there) = (Host::current(), Host::new("there"));
///     let listener = there.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap();
///     let stream = TcpStream::connect("there:80").await.unwrap();
///     let (accepted, _) = listener.accept().await.unwrap();
///
///     net::partition(&[&here], &[&there]);
///     accepted.write(b"late").await.unwrap();
///     let limit = Duration::from_secs(60);
///     gorun::time::timeout(limit, stream.read(&mut [0; 4])).await.unwrap_err();
///
///     net::heal();
///     assert!(stream.read(&mut [0; 4]).await.unwrap() > 0);
/// });
/// ```
#[track_caller]
pub fn partition(one: &[&Host], other: &[&Host]) {
    for one in one {
        for other in other {
            cut(one, other);
            cut(other, one);
        }
    }
}

/// Cuts the link from one host to another, in this direction, until [`heal`].
///
/// # Panics
///
/// Outside of the simulation that the hosts belong to.
///
/// # Examples
///
/// As [`partition`].
#[track_caller]
pub fn cut(from: &Host, to: &Host) {
    from.check("sim::net::cut");
    to.check("sim::net::cut");
    expect(from.network.cut(from.id, to.id));
}

/// All links work. What TCP has to deliver arrives after the latency of its link.
///
/// # Panics
///
/// Outside of a simulation.
///
/// # Examples
///
/// See [`partition`].
#[track_caller]
pub fn heal() {
    let (_, network) = network_of("sim::net::heal");
    expect(network.heal());
}

/// Resets all connections between two hosts: both ends fail at once.
///
/// # Panics
///
/// Outside of the simulation that the hosts belong to.
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use gorun::net::{TcpListener, TcpStream};
/// use gorun::sim::Sim;
/// use gorun::sim::net::{self, Host};
///
/// Sim::new().schedules(10).check(|| async {
///     let (here, there) = (Host::current(), Host::new("there"));
///     let listener = there.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap();
///     let stream = TcpStream::connect("there:80").await.unwrap();
///     net::reset(&here, &there);
///     let error = stream.read(&mut [0]).await.unwrap_err();
///     assert_eq!(error.kind(), ErrorKind::ConnectionReset);
///     # drop(listener);
/// });
/// ```
#[track_caller]
pub fn reset(one: &Host, other: &Host) {
    one.check("sim::net::reset");
    other.check("sim::net::reset");
    expect(one.network.reset(one.id, other.id));
}

/// How long a message takes from one host to another from now on, in this direction.
///
/// # Panics
///
/// If the range is empty. Outside of the simulation that the hosts belong to.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::net::{TcpListener, TcpStream};
/// use gorun::sim::{self, Sim};
/// use gorun::sim::net::{self, Host};
///
/// Sim::new().schedules(10).check(|| async {
///     let (here, moon) = (Host::current(), Host::new("moon"));
///     let second = Duration::from_secs(1);
///     net::set_latency(&here, &moon, second..=second);
///     net::set_latency(&moon, &here, second..=second);
///     let _listener = moon.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap();
///     let _stream = TcpStream::connect("moon:80").await.unwrap();
///     assert_eq!(sim::elapsed(), 2 * second);
/// });
/// ```
#[track_caller]
pub fn set_latency(from: &Host, to: &Host, range: RangeInclusive<Duration>) {
    from.check("sim::net::set_latency");
    to.check("sim::net::set_latency");
    expect(from.network.set_latency(from.id, to.id, latency(range)));
}
