//! Names of hosts: their addresses, as the system knows them.
//!
//! The system's resolver blocks the thread, for seconds if no server answers. So it runs inside
//! `blocking`, and at most [`AT_ONCE`] of them at a time: a thousand names without an answer do not take
//! a thousand threads. Those who ask for the same name at the same time share one answer, across
//! runtimes.
//!
//! Who looks a name up holds others up until it is done. So goroutines do that, one for each caller: a
//! caller's own future may be kept without being polled, and a permit or an answer would stay in it. A
//! caller that goes takes its goroutine along, unless the resolver runs: then that goes on, for the others,
//! also when its runtime ends. If a goroutine ends before, another one does the work.
//!
//! Rejected: a resolver of our own, as Go's. It would not know what the system's does (`/etc/hosts`,
//! mDNS, the network's own rules) without a copy of each.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use super::any_socket::simulated_network;
use crate::blocking::blocking;
use crate::handle::Handle;
use crate::scheduler::deadlock::outsiders::Counted;
use crate::sync::Semaphore;
use crate::sync::singleflight::Group;

/// How many lookups of the process run at the same time.
const AT_ONCE: usize = 32;

static PERMITS: Semaphore = Semaphore::new(AT_ONCE);

/// Errors cannot be cloned, so it is a kind with a text.
type Found = Result<Vec<SocketAddr>, (io::ErrorKind, String)>;

static LOOKUPS: LazyLock<Group<String, Arc<Found>>> = LazyLock::new(Group::new);

/// At least one, without port. An IPv6 address has its zone.
pub(super) async fn lookup(host: &str) -> io::Result<Vec<SocketAddr>> {
    let Some(runtime) = Handle::try_current() else {
        return Err(io::Error::other(
            "a name was looked up on a thread that belongs to no gorun runtime; do so inside \
             `gorun::block_on`",
        ));
    };
    if let Some(network) = simulated_network()? {
        return Ok(vec![SocketAddr::new(network.lookup(host)?, 0)]);
    }
    let name = host.to_owned();
    let find = async move { LOOKUPS.run(name.clone(), async || Arc::new(find(&name).await)).await };
    match runtime.spawn(find).abort_on_drop().await {
        Ok(found) => match &*found {
            Ok(addresses) => Ok(addresses.clone()),
            Err((kind, text)) => Err(io::Error::new(*kind, text.clone())),
        },
        Err(error) if error.is_cancelled() => Err(io::Error::other(format!(
            "the gorun runtime in which \"{host}\" was looked up has ended; wait for the answer before \
             main returns"
        ))),
        Err(error) => Err(error.into()),
    }
}

async fn find(host: &str) -> Found {
    // As long as the resolver runs, even if nobody waits for it any more.
    let _permit = PERMITS.acquire().await.expect("it is never closed");
    let advice = "check the name, and the network";
    // Of another runtime, too: lookups of the same name share it, and all share the permits.
    let _may_wake = Counted::may_wake();
    match blocking(|| resolve(host)) {
        Ok(addresses) if addresses.is_empty() => {
            let text = format!("the host \"{host}\" has no address; {advice}");
            Err((io::ErrorKind::NotFound, text))
        }
        Ok(addresses) => Ok(addresses),
        Err(error) => {
            let text = format!("cannot find the address of \"{host}\": {error}; {advice}");
            Err((error.kind(), text))
        }
    }
}

fn resolve(name: &str) -> io::Result<Vec<SocketAddr>> {
    #[cfg(test)]
    if let Some(found) = tests::resolve(name) {
        return found;
    }
    Ok((name, 0).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests;
