//! Bytes from one place to another: copying, pipes in memory, and the standard streams of the process.
//! (Feature `io`, which `net` turns on.)
//!
//! All that reads and writes in gorun implements the traits of the `futures` crate,
//! [`AsyncRead`](futures_io::AsyncRead), [`AsyncWrite`](futures_io::AsyncWrite) and
//! [`AsyncBufRead`](futures_io::AsyncBufRead). So its extension traits work: `read_exact`,
//! `write_all`, `BufReader`, `BufWriter`, `lines`. (Flush or close a `BufWriter`: one that is dropped
//! discards what is in its buffer.) Sockets, pipes in memory and [`stdin`] suspend
//! the goroutine that waits. [`stdout`] and [`stderr`] block its thread, as in Go, for as long as the
//! system takes: for ever if nobody reads them. Another thread stands in meanwhile
//! ([`blocking`](crate::blocking())).
//!
//! | to | use |
//! |---|---|
//! | pass on all that comes, one way or both | [`copy`], [`copy_bidirectional`] |
//! | connect a goroutine that writes with one that reads | [`pipe`] |
//! | test the two sides of a protocol without a network | [`duplex`] |
//! | read what the user types, and answer | [`stdin`], [`stdout`], [`stderr`] |
//! | use pipes of the system, terminals, or anything else with a descriptor, on Unix | `Async`, with the feature `net` |
//!
//! By the feature `tokio-io`, all of it has tokio's `AsyncRead` and `AsyncWrite` as well, for crates that
//! want those. Then `use` the extension traits of one side only, as both have the same methods.
//!
//! Go counterpart: `io.Copy`, `io.Pipe`, `net.Pipe`, `os.Stdin`, `os.NewFile`.
//!
//! # Examples
//!
//! Go's `bufio.Scanner`:
//!
//! ```
//! use futures::io::BufReader;
//! use futures::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
//! use gorun::{block_on, go, io};
//!
//! # fn main() -> std::io::Result<()> {
//! block_on(async {
//!     let (reader, mut writer) = io::pipe();
//!     go!(async move { writer.write_all(b"one\ntwo\n").await.unwrap() });
//!     let mut lines = BufReader::new(reader).lines();
//!     let mut text = Vec::new();
//!     while let Some(line) = lines.next().await {
//!         text.push(line?);
//!     }
//!     assert_eq!(text, ["one", "two"]);
//!     Ok(())
//! })
//! # }
//! ```

// Left out: `splice` on Linux, which moves bytes between descriptors inside the system, for a third of the
// CPU time (`docs/benchmarks.md`). `copy` does not know that its ends are sockets: they are any types with
// the traits, also references, which `Any` cannot tell. Who needs it calls `splice`, of the crate `nix` or
// `rustix`, in `Async::read_with` and `write_with`.

#![forbid(unsafe_code)]

mod copy;
mod copy_bidirectional;
#[cfg(all(unix, feature = "net"))]
mod descriptor;
#[cfg(all(unix, feature = "net"))]
mod descriptor_bytes;
mod duplex;
pub(crate) mod in_place;
mod output;
mod pipe;
mod stdin;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
pub(crate) mod thread_buffer;
mod transfer;

pub use copy::copy;
pub use copy_bidirectional::copy_bidirectional;
#[cfg(all(unix, feature = "net"))]
pub use descriptor::Async;
pub use duplex::{DuplexStream, duplex};
pub use output::{Stderr, Stdout, stderr, stdout};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use stdin::{Stdin, stdin};
