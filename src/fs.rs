//! Files and directories. (Feature `io`, which `net` turns on.)
//!
//! The system offers no way to wait for a file: a read of one blocks the thread. So these functions
//! call [`std::fs`] where they are polled, inside [`blocking`](crate::blocking()): another worker takes
//! over meanwhile, and no other goroutine waits. No thread is handed anything, so a small file costs
//! little more than with `std`, and a read may borrow its buffer. Go does the same.
//!
//! What follows from that:
//!
//! - **In main, in `Handle::block_on`, and outside a runtime** a call blocks the thread, and nobody takes
//!   over. Neighbours in the same `join!` wait.
//! - **Cancellation**: a future that was not polled has done nothing. Once begun, a call goes on to its
//!   end, so a [`timeout`](crate::time::timeout) does not cut it short. When main returns, exit waits
//!   for a goroutine in such a call until no goroutine has ended for
//!   [`exit_grace`](crate::Builder::exit_grace), and then leaves it behind.
//! - A loop of calls gives way to others, as all operations do.
//! - At most [`max_threads`](crate::Builder::max_threads) goroutines can be in such a call at the same
//!   time. When all threads are in calls, every goroutine waits until one returns. So limit a thousand
//!   goroutines that open files by a [`Semaphore`](crate::sync::Semaphore).
//!
//! Errors of functions that take a path say which one. They have `std`'s error as their
//! [`source`](std::error::Error::source), and its kind; only the source has a `raw_os_error()`. Errors of
//! an open [`File`], and of [`next_entry`](ReadDir::next_entry), are `std`'s own.
//!
//! For what is not here, links and permissions for example, use `blocking(|| std::fs::..)`. Named pipes
//! and terminals may block for ever when they are opened or read: a thread is then in use for as long.
//!
//! Go counterpart: the files of package `os`.
//!
//! # Examples
//!
//! ```
//! use gorun::{fs, spawn};
//!
//! # fn main() -> std::io::Result<()> {
//! gorun::block_on(async {
//!     let text = spawn(fs::read_to_string("Cargo.toml")).await??;
//!     assert!(text.contains("[package]"));
//!     let missing = fs::read("no such file").await.unwrap_err();
//!     assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
//!     assert!(missing.to_string().starts_with("cannot read \"no such file\": "));
//!     Ok(())
//! })
//! # }
//! ```

// Rejected: handing calls to a pool of threads, as tokio does. It costs two switches of threads and a
// copy of the bytes for each call, and gorun's workers may block. io_uring: `docs/design.md`.

#![forbid(unsafe_code)]

mod contents;
mod directories;
mod entries;
mod file;
mod open_options;
mod path_error;
mod read_dir;

pub use contents::{copy, read, read_to_string, write};
pub use directories::{create_dir, create_dir_all, remove_dir, remove_dir_all};
pub use entries::{metadata, remove_file, rename, symlink_metadata};
pub use file::File;
pub use open_options::OpenOptions;
pub use read_dir::{ReadDir, read_dir};
