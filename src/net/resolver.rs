//! Names of hosts: their addresses, as the system knows them.
//!
//! The system's resolver blocks the thread, for seconds if no server answers. So it runs in a
//! goroutine of its own, inside `blocking`, and at most [`AT_ONCE`] of these at a time: a thousand names
//! without an answer do not take a thousand threads. Those who ask for the same name at the same time
//! share one answer, across runtimes: if the one that looks it up ends, another one does so.
//!
//! Rejected: a resolver of our own, as Go's. It would not know what the system's does (`/etc/hosts`,
//! mDNS, the network's own rules) without a copy of each.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use crate::blocking::blocking;
use crate::handle::Handle;
use crate::sync::Semaphore;
use crate::sync::singleflight::Group;

/// How many lookups of the process run at the same time.
const AT_ONCE: usize = 32;

static PERMITS: Semaphore = Semaphore::new(AT_ONCE);

/// Errors cannot be cloned, so it is a kind with a text.
type Found = Result<Vec<SocketAddr>, (io::ErrorKind, String)>;

/// `None`: the runtime that looked it up has ended.
static LOOKUPS: LazyLock<Group<String, Option<Arc<Found>>>> = LazyLock::new(Group::new);

/// At least one, without port. An IPv6 address has its zone.
pub(super) async fn lookup(host: &str) -> io::Result<Vec<SocketAddr>> {
    let Some(runtime) = Handle::try_current() else {
        return Err(io::Error::other(
            "a name was looked up on a thread that belongs to no gorun runtime; do so inside \
             `gorun::block_on`",
        ));
    };
    loop {
        let find = async || find(host, &runtime).await.map(Arc::new);
        match LOOKUPS.run(host.to_owned(), find).await.as_deref() {
            Some(Ok(addresses)) => return Ok(addresses.clone()),
            Some(Err((kind, text))) => return Err(io::Error::new(*kind, text.clone())),
            None if runtime.is_closed() => {
                return Err(io::Error::other(format!(
                    "the gorun runtime in which \"{host}\" was looked up has ended; wait for the \
                     answer before main returns"
                )));
            }
            // It was another one's.
            None => {}
        }
    }
}

async fn find(host: &str, runtime: &Handle) -> Option<Found> {
    let permit = PERMITS.acquire().await.expect("it is never closed");
    let name = host.to_owned();
    let found = runtime.spawn(async move {
        // As long as the resolver runs, even if nobody waits for it any more.
        let _permit = permit;
        blocking(|| resolve(&name))
    });
    let found = match found.await {
        Ok(found) => found,
        Err(error) if error.is_cancelled() => return None,
        Err(error) => Err(error.into()),
    };
    let advice = "check the name, and the network";
    Some(match found {
        Ok(addresses) if addresses.is_empty() => {
            let text = format!("the host \"{host}\" has no address; {advice}");
            Err((io::ErrorKind::NotFound, text))
        }
        Ok(addresses) => Ok(addresses),
        Err(error) => {
            let text = format!("cannot find the address of \"{host}\": {error}; {advice}");
            Err((error.kind(), text))
        }
    })
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
