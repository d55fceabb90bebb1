//! A handle that takes its goroutine along.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::join_error::JoinError;
use crate::join_handle::JoinHandle;

impl<T> JoinHandle<T> {
    /// A handle that aborts the goroutine when it is dropped, as a [`JoinSet`](crate::JoinSet) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{block_on, num_goroutines, spawn, yield_now};
    ///
    /// block_on(async {
    ///     let beside = spawn(std::future::pending::<()>()).abort_on_drop();
    ///     drop(beside);
    ///     while num_goroutines() > 1 {
    ///         yield_now().await;
    ///     }
    /// });
    /// ```
    pub fn abort_on_drop(self) -> AbortOnDrop<T> {
        AbortOnDrop(self)
    }
}

/// A [`JoinHandle`] whose goroutine is aborted when it is dropped:
/// [`JoinHandle::abort_on_drop`] makes it.
///
/// It is a future of the goroutine's result, as the handle is, and has the handle's methods. Dropping
/// it does not wait until the goroutine's future has been dropped. If the goroutine has panicked, or
/// panics before its next await, the panic is unhandled, as with a handle that is dropped.
///
/// **Cancellation**: a future that awaits this by value aborts the goroutine when it is dropped. To
/// keep it, await `&mut handle`.
///
/// tokio counterpart: `AbortOnDropHandle` of `tokio-util`. Go counterpart: `defer cancel()`.
///
/// # Panics
///
/// When it is polled again after it has given its result.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::{block_on, spawn, time};
///
/// block_on(async {
///     let quick = spawn(async { 42 }).abort_on_drop();
///     assert_eq!(quick.await.unwrap(), 42);
///
///     // The limit ends the goroutine, not only the wait for it.
///     let slow = spawn(std::future::pending::<()>()).abort_on_drop();
///     assert!(time::timeout(Duration::from_millis(1), slow).await.is_err());
/// });
/// ```
#[must_use = "dropping this aborts the goroutine"]
pub struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// The plain handle, whose drop detaches.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let handle = gorun::spawn(async { 42 }).abort_on_drop();
    ///     assert_eq!(handle.into_handle().await.unwrap(), 42);
    /// });
    /// ```
    pub fn into_handle(mut self) -> JoinHandle<T> {
        // The drop then aborts the handle of no goroutine, which does nothing.
        let none = JoinHandle::new(None, self.0.spawned_at());
        std::mem::replace(&mut self.0, none)
    }
}

impl<T> Deref for AbortOnDrop<T> {
    type Target = JoinHandle<T>;

    fn deref(&self) -> &JoinHandle<T> {
        &self.0
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> fmt::Debug for AbortOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AbortOnDrop").field(&self.0).finish()
    }
}
