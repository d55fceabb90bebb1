//! Contexts: cancellation, deadlines and values that a program passes down its calls.
//!
//! A context is passed explicitly, as the first argument:
//! `async fn fetch(ctx: &Context, url: &str)`, or as a clone, to a goroutine. It ends with the
//! context that it was made from. So whoever starts work can end all of it, at any depth.
//!
//! A context stops nothing by itself. Code that waits has two ways: it awaits [`Context::done`]
//! beside its event, in a [`select!`](crate::select!), or it lets [`Context::run`] drop what it
//! does. To stop one goroutine, [`abort`](crate::JoinHandle::abort) is enough; to limit one wait,
//! [`timeout`](crate::time::timeout).
//!
//! Go counterpart: package `context`. tokio counterpart: `CancellationToken` in `tokio-util`.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use gorun::context::{Context, ContextError};
//! use gorun::{Receiver, block_on, channel, select, spawn};
//!
//! async fn serve(ctx: Context, jobs: Receiver<u32>) -> Result<(), ContextError> {
//!     loop {
//!         select! {
//!             why = ctx.done() => return Err(why),
//!             job = jobs.recv() => match job {
//!                 Some(job) => println!("{job}"),
//!                 None => return Ok(()),
//!             },
//!         }
//!     }
//! }
//!
//! block_on(async {
//!     let (ctx, cancel) = Context::background().with_timeout(Duration::from_secs(60));
//!     let (_jobs, from) = channel(0);
//!     let servers: Vec<_> = (0..3).map(|_| spawn(serve(ctx.clone(), from.clone()))).collect();
//!     cancel.cancel();
//!     for server in servers {
//!         assert_eq!(server.await.unwrap(), Err(ContextError::Cancelled));
//!     }
//! });
//! ```

#![forbid(unsafe_code)]

mod after_func;
mod alarm;
mod cancel_guard;
mod done;
mod error;
mod handle;
mod run;
mod scope;
mod values;
mod wakes;

pub use after_func::AfterFunc;
pub use cancel_guard::CancelGuard;
pub use done::Done;
pub use error::{Cause, ContextError};
pub use handle::Context;
pub use run::Run;
