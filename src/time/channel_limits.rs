//! Sends and receives with a time limit.

#![forbid(unsafe_code)]

use std::future::Future;
use std::time::Duration;

use super::sleep::sleep;
use super::timeout::Timeout;
use crate::chan::error::{RecvTimeoutError, SendTimeoutError};
use crate::chan::receiver::Receiver;
use crate::chan::sender::Sender;

impl<T> Sender<T> {
    /// Sends a value, and waits no longer than `limit` until that is possible.
    ///
    /// It is exact: if the error is `Timeout`, the value is in it, and no receiver has seen it. The
    /// limit counts from this call.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the value in it, if the time has passed, or the channel is closed.
    ///
    /// # Cancellation
    ///
    /// As of [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// In this call, on a thread that belongs to no runtime, which would have to keep the time.
    ///
    /// Go counterpart: a `select` with `case ch <- value` and `case <-time.After(limit)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::{SendTimeoutError, block_on, channel};
    ///
    /// block_on(async {
    ///     let (tx, rx) = channel(1);
    ///     let limit = Duration::from_millis(1);
    ///     assert_eq!(tx.send_timeout(1, limit).await, Ok(()));
    ///     assert_eq!(tx.send_timeout(2, limit).await, Err(SendTimeoutError::Timeout(2)));
    ///     drop(rx);
    ///     assert_eq!(tx.send_timeout(3, limit).await, Err(SendTimeoutError::Closed(3)));
    /// });
    /// ```
    #[track_caller]
    pub fn send_timeout(
        &self,
        value: T,
        limit: Duration,
    ) -> impl Future<Output = Result<(), SendTimeoutError<T>>> {
        let sleep = sleep(limit);
        async move {
            let mut value = Some(value);
            let sent = Timeout::new(self.send_from(&mut value), sleep, limit).await;
            // What has been sent is not in the option any more.
            match (value, sent) {
                (None, _) => Ok(()),
                (Some(value), Ok(_)) => Err(SendTimeoutError::Closed(value)),
                (Some(value), Err(_)) => Err(SendTimeoutError::Timeout(value)),
            }
        }
    }
}

impl<T> Receiver<T> {
    /// Receives a value, and waits no longer than `limit` for one.
    ///
    /// It is exact: if the error is `Timeout`, no value was taken. The limit counts from this call.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`] if the time has passed, or the channel is closed and empty.
    ///
    /// # Cancellation
    ///
    /// As of [`recv`](Self::recv): no value is lost.
    ///
    /// # Panics
    ///
    /// In this call, on a thread that belongs to no runtime, which would have to keep the time.
    ///
    /// Go counterpart: a `select` with `case value := <-ch` and `case <-time.After(limit)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::{RecvTimeoutError, block_on, channel};
    ///
    /// block_on(async {
    ///     let (tx, rx) = channel(1);
    ///     let limit = Duration::from_millis(1);
    ///     assert_eq!(rx.recv_timeout(limit).await, Err(RecvTimeoutError::Timeout));
    ///     tx.send(1).await.unwrap();
    ///     drop(tx);
    ///     assert_eq!(rx.recv_timeout(limit).await, Ok(1));
    ///     assert_eq!(rx.recv_timeout(limit).await, Err(RecvTimeoutError::Closed));
    /// });
    /// ```
    #[track_caller]
    pub fn recv_timeout(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<T, RecvTimeoutError>> {
        let sleep = sleep(limit);
        async move {
            match Timeout::new(self.recv(), sleep, limit).await {
                Ok(Some(value)) => Ok(value),
                Ok(None) => Err(RecvTimeoutError::Closed),
                Err(_) => Err(RecvTimeoutError::Timeout),
            }
        }
    }
}
