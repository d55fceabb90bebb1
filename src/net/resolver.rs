//! Names of hosts: their addresses, as the system knows them.
//!
//! The system's resolver blocks the thread, for seconds if no server answers. So it runs in a
//! goroutine of its own, inside `blocking`, and at most [`AT_ONCE`] of these at a time: a thousand names
//! without an answer do not take a thousand threads. Those who ask for the same name at the same time
//! share one answer.
//!
//! Rejected: a resolver of our own, as Go's. It would not know what the system's does (`/etc/hosts`,
//! mDNS, the network's own rules) without a copy of each.

#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use crate::blocking::blocking;
use crate::handle::Handle;
use crate::sync::Semaphore;
use crate::sync::singleflight::Group;

/// How many lookups of the process run at the same time.
const AT_ONCE: usize = 32;

static PERMITS: Semaphore = Semaphore::new(AT_ONCE);

/// Errors cannot be cloned, so it is a kind with a text.
type Found = Result<Vec<IpAddr>, (io::ErrorKind, String)>;

static LOOKUPS: LazyLock<Group<String, Arc<Found>>> = LazyLock::new(Group::new);

/// At least one.
pub(super) async fn lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    let Some(runtime) = Handle::try_current() else {
        return Err(io::Error::other(
            "a name was looked up on a thread that belongs to no gorun runtime; do so inside \
             `gorun::block_on`",
        ));
    };
    let found = LOOKUPS.run(host.to_owned(), async || Arc::new(find(host, &runtime).await)).await;
    match &*found {
        Ok(addresses) => Ok(addresses.clone()),
        Err((kind, text)) => Err(io::Error::new(*kind, text.clone())),
    }
}

async fn find(host: &str, runtime: &Handle) -> Found {
    let permit = PERMITS.acquire().await.expect("it is never closed");
    let name = host.to_owned();
    let found = runtime.spawn(async move {
        // As long as the resolver runs, even if nobody waits for it any more.
        let _permit = permit;
        blocking(|| {
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect::<Vec<_>>())
        })
    });
    let found: io::Result<Vec<IpAddr>> = found.await.unwrap_or_else(|error| Err(error.into()));
    let advice = "check the name, and the network";
    match found {
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
