//! Processes of the system: started, waited for, and connected by pipes. (Feature `process`, which turns
//! on `net`.)
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! use std::time::Duration;
//! use gorun::process::Command;
//! use gorun::time::timeout;
//!
//! gorun::block_on(async {
//!     let output = Command::new("echo").arg("hello").output().await?;
//!     assert!(output.status.success());
//!     assert_eq!(output.stdout, b"hello\n");
//!
//!     // A limit: the future is dropped, and the process killed.
//!     let mut sleep = Command::new("sleep");
//!     sleep.arg("1000").kill_on_drop(true);
//!     assert!(timeout(Duration::from_millis(5), sleep.status()).await.is_err());
//!     Ok(())
//! })
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # What to know
//!
//! - **Waiting suspends the goroutine**, so `select!`, [`timeout`](crate::time::timeout), abort and the
//!   end of main work. A thread waits for each child that somebody waits for and that has not ended
//!   yet: `wait` starts it, and it ends with the child. It is no worker, and counts for no limit of
//!   gorun's.
//! - **Pipes** suspend the goroutine, too, on Unix: they are waited for as sockets are. On Windows they
//!   block the thread, and another worker takes over ([`blocking`](crate::blocking())). So a limit there
//!   does not cut short a read, a write, or `output`.
//! - **Write and read at the same time.** A child that cannot write, as the pipe is full, reads nothing
//!   either. If nobody reads its output before all of a large input is written, both wait for ever.
//! - **A child outlives its [`Child`]**, and main, as in Go and `std`, unless
//!   [`kill_on_drop`](Command::kill_on_drop) says otherwise.
//! - **Zombies**, on Unix: a child that has ended keeps an entry in the system's table until somebody
//!   asks how it ended. `wait` and `try_wait` ask. If somebody had begun to wait before the `Child` was
//!   dropped, the thread asks as soon as the child ends. Otherwise gorun asks about a few of them, in turn,
//!   whenever a process is started, or another such `Child` is dropped.
//! - Starting a process takes the system a while. `spawn` blocks the thread meanwhile, and another
//!   worker takes over.
//!
//! Go counterpart: package `os/exec`.

// Rejected: one thread for all children, which would have to wait for any child of the process, also
// for those of others; SIGCHLD, whose handler is the whole process's, and which the children of others
// raise, too; a descriptor of the process, which only Linux has, and no stable function of `std` opens;
// asking again and again, which costs time either before or after the end. Waiting in a goroutine,
// inside `blocking`, has the thread as well, but could not be given up at a timeout, and would hold up
// exit for its grace.

#![forbid(unsafe_code)]

mod child;
mod command;
mod orphans;
mod pipes;
mod running;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use std::process::{ExitStatus, Output, Stdio};

pub use child::Child;
pub use command::Command;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
