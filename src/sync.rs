//! Sharing values and signals between tasks that await: locks, permits, notifications.
//!
//! All of these wait without blocking a thread, serve tasks in the order in which they came (locks
//! and semaphores with an exception, below), and work on any thread and any executor, also outside a
//! runtime. Dropping a future that waits loses nothing: what it was given meanwhile, a lock or a
//! permit, goes to the next one.
//!
//! # Places in a queue
//!
//! A task takes its place when its future is first polled, not when the future is made. (But a
//! [`notify_all`](Notify::notify_all) counts from the call of `notified`.) If its poll had no
//! budget left and gave way to others, the task takes its place when it is polled again: tasks
//! that are polled in between are ahead of it.
//!
//! When it is a task's turn, the lock, the permits, or the notification are kept for it, although its
//! future has not been polled again. (Some newcomers may overtake it first: see below.) So a future that was polled once, and is then left alone,
//! keeps what others wait for. It may lie in a `Vec`, or be polled by `&mut` in a loop of
//! `select!`s. This is true of `lock`, `acquire` and `notified`, and of [`OnceCell::get_or_init`]
//! and [`singleflight`], which have the turn to make the value. Drop such a future, or go on
//! polling it; do not await one for the same lock meanwhile:
//!
//! ```
//! use std::time::Duration;
//!
//! use gorun::sync::Mutex;
//! use gorun::time::timeout;
//!
//! gorun::block_on(async {
//!     let mutex = Mutex::new(0);
//!     let guard = mutex.lock().await;
//!     let mut lock = mutex.lock();
//!     assert!(timeout(Duration::from_millis(1), &mut lock).await.is_err());
//!     drop(guard);
//!     // It is the turn of `lock`. In the end all others wait until it is polled or dropped.
//!     *lock.await += 1;
//! });
//! ```
//!
//! # Overtaking
//!
//! A lock, or permits, that come free wake the first task that waits. Until it is polled, newcomers
//! may take them, so that a lock that is held for nanoseconds does not change hands through the
//! scheduler each time: 127 times for each task that is woken. If there are not enough left when it is
//! polled, nobody overtakes it any more: the next ones that come free are handed over to it. So no
//! task waits for ever because of newcomers. The `try_` methods do not overtake.
//!
//! # When `std::sync` is better
//!
//! Nearly always, for a lock. A section without an await is short; `std::sync::Mutex` is faster for
//! it, and the compiler makes sure that no await comes in. Use [`Mutex`] and [`RwLock`] where a
//! guard has to be held *across* an await: a connection that is used for a request and its answer,
//! a file that is written in several steps. Often a goroutine that owns the value, and is sent
//! requests by a [channel](crate::channel()), reads better.
//!
//! A blocked goroutine does not hold up the others in any case: another thread stands in.
//!
//! | to | use |
//! |---|---|
//! | access a value alone, across awaits | [`Mutex`] |
//! | read it together with others | [`RwLock`] |
//! | limit how many do something at the same time | [`Semaphore`] |
//! | tell others that something has happened | [`Notify`]; [`Cond`], with a mutex |
//! | wait for each other | [`Barrier`]; [`WaitGroup`](crate::WaitGroup) for the end of goroutines |
//! | make a value once, when it is needed | [`OnceCell`] |
//! | run the same work once for all that want it | [`singleflight`] |
//! | answer a request | [`oneshot`] |
//! | tell many each of a series of values | [`broadcast`] |
//! | tell many the latest value | [`watch`] |
//!
//! Go counterpart: packages `sync` and `golang.org/x/sync`.

#![deny(unsafe_code)]

mod acquire;
mod barrier;
pub mod broadcast;
mod channel;
mod cond;
mod guarded;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
mod permits;
mod rw_lock;
mod semaphore;
pub mod singleflight;
pub(crate) mod wait_queue;
pub(crate) mod wait_until;
pub(crate) mod waitable;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use cond::Cond;
pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::{Notified, Notify};
pub use once_cell::OnceCell;
pub use rw_lock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
pub use semaphore::{AcquireError, OwnedPermit, Permit, Semaphore, TryAcquireError};
