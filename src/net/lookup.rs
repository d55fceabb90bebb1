//! `lookup_host`.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;

use super::to_addrs::ToAddrs;
use crate::scheduler::at_caller::at_caller;

/// The addresses of a host, with the port that was given.
///
/// The system's resolver finds them, on another thread; at most 32 names are looked up at the same
/// time, and the same name once. Nothing is kept: a name is looked up anew each time.
///
/// **Cancellation**: dropping the future only stops waiting; the system's resolver cannot be
/// interrupted. If main returns meanwhile, exit leaves the resolver's thread behind after
/// [`exit_grace`](crate::Builder::exit_grace).
///
/// Go counterpart: `net.LookupHost`.
///
/// # Errors
///
/// If there is no such host, if the resolver fails, or if the text is no address.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let addresses = gorun::net::lookup_host("localhost:80").await?;
///     assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
///     Ok(())
/// })
/// # }
/// ```
pub fn lookup_host(address: impl ToAddrs) -> impl Future<Output = io::Result<Vec<SocketAddr>>> {
    at_caller(async move {
        let target = address.to_target()?;
        drop(address);
        target.resolve().await
    })
}
