//! The network of a simulation: in memory, with the simulation's clock, and with faults that a seed chooses.
//!
//! # Protocol
//!
//! There are *hosts*. A goroutine is on the host of whoever spawned it (`places.rs`), and there its sockets are.
//! Messages take time from host to host, and may be cut off; from a host to itself neither.
//!
//! A connection has two *ends*. What one end sends is a list of segments on their way to the other: data, the end
//! of data, a reset, and the three of a connection that begins. Each has the moment at which it arrives, and
//! none arrives before an earlier one. What has been sent over a link that is cut stays on the list, as TCP sends it
//! again, until the link works. If that takes too long, both ends fail.
//!
//! A datagram has a moment of its own, so that it may overtake others. What cannot arrive then is lost.
//!
//! All that is to happen later is on the *agenda*, and one timer of the runtime waits for the earliest. When it
//! fires, what is due happens in an order that is chosen. Something is on the agenda only while messages are on
//! their way, or cut off, and for a while after a crash or an outage; so a network without traffic does not keep the clock
//! moving, and a deadlock is found.
//!
//! An operation that cannot be done fails with `WouldBlock`, as the system's, and the network notifies the
//! socket's `Source` when it can. So the sockets of `net` wait for it as for the system.
//!
//! # Locks
//!
//! One lock guards it all; who wakes others does so without it. The simulation's own is taken inside it, for choices.
//!
//! # Rejected
//!
//! - Real sockets on loopback, with the reactor polled when nobody can run: the system decides when data come.
//! - Other types for sockets: then it is not the program that runs.
//! - Packets, windows and acknowledgements: programs see streams, delays and failures.

#![forbid(unsafe_code)]

mod agenda;
pub(crate) mod core;
pub(crate) mod datagrams;
mod delivery;
mod end_id;
mod ends;
mod links;
pub(crate) mod listener;
pub(crate) mod scripts;
pub(crate) mod settings;
mod state;
pub(crate) mod stream;
