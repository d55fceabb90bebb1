//! What gorun's errors are where a function returns `io::Result`, so that `?` takes them there.
//!
//! | error | kind | in the `io::Error` |
//! |---|---|---|
//! | `JoinError` | `Other` | itself: `downcast` gives it back |
//! | `Elapsed` | `TimedOut` | itself |
//! | `SendError`, `TrySendError::Closed`, `SendTimeoutError::Closed` | `BrokenPipe` | itself, without the value |
//! | `TrySendError::Full`, `TryRecvError::Empty` | `WouldBlock` | itself, without a value |
//! | `SendTimeoutError::Timeout`, `RecvTimeoutError::Timeout` | `TimedOut` | itself, without a value |
//! | `TryRecvError::Closed`, `RecvTimeoutError::Closed` | `UnexpectedEof` | itself |
//! | `RecvError` of `oneshot`, `watch` and `broadcast` | `UnexpectedEof`; `Other` if values were missed | itself |
//!
//! A cancelled goroutine is not `Interrupted`, because `std`'s readers and writers try such an
//! operation again. The value of a send is dropped: an `io::Error` holds only what is `Send`, `Sync`
//! and `'static`.

#![forbid(unsafe_code)]

use std::io::{Error, ErrorKind};

use crate::chan::error::{
    RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::join_error::JoinError;
use crate::sync::{broadcast, oneshot, watch};
use crate::time::Elapsed;

/// Of kind [`Other`](ErrorKind::Other), with the `JoinError` in it.
///
/// # Examples
///
/// ```
/// use std::io;
/// use gorun::{JoinError, block_on, spawn};
///
/// async fn parsed() -> io::Result<u32> {
///     Ok(spawn(async { panic!("no number") }).await?)
/// }
///
/// let error = block_on(parsed()).unwrap_err();
/// assert!(error.to_string().ends_with("panicked: no number"));
/// assert!(error.downcast::<JoinError>().unwrap().is_panic());
/// ```
impl From<JoinError> for Error {
    fn from(error: JoinError) -> Error {
        Error::other(error)
    }
}

/// Of kind [`TimedOut`](ErrorKind::TimedOut).
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use gorun::{block_on, time};
///
/// async fn in_time() -> io::Result<()> {
///     Ok(time::timeout(Duration::ZERO, std::future::pending()).await?)
/// }
/// assert_eq!(block_on(in_time()).unwrap_err().kind(), io::ErrorKind::TimedOut);
/// ```
impl From<Elapsed> for Error {
    fn from(error: Elapsed) -> Error {
        Error::new(ErrorKind::TimedOut, error)
    }
}

/// Of kind [`BrokenPipe`](ErrorKind::BrokenPipe). The value is dropped.
///
/// # Examples
///
/// ```
/// use std::io;
/// use gorun::{Sender, block_on, channel};
///
/// async fn tell(tx: Sender<&str>) -> io::Result<()> {
///     Ok(tx.send("news").await?)
/// }
/// let (tx, rx) = channel(1);
/// drop(rx);
/// assert_eq!(block_on(tell(tx)).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
/// ```
impl<T> From<SendError<T>> for Error {
    fn from(_: SendError<T>) -> Error {
        Error::new(ErrorKind::BrokenPipe, SendError(()))
    }
}

/// Of kind [`WouldBlock`](ErrorKind::WouldBlock) or, if the channel is closed,
/// [`BrokenPipe`](ErrorKind::BrokenPipe). The value is dropped.
///
/// # Examples
///
/// ```
/// let (tx, _rx) = gorun::channel(0);
/// let error: std::io::Error = tx.try_send(7).unwrap_err().into();
/// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
/// ```
impl<T> From<TrySendError<T>> for Error {
    fn from(error: TrySendError<T>) -> Error {
        match error {
            TrySendError::Full(_) => Error::new(ErrorKind::WouldBlock, TrySendError::Full(())),
            TrySendError::Closed(_) => Error::new(ErrorKind::BrokenPipe, TrySendError::Closed(())),
        }
    }
}

/// Of kind [`TimedOut`](ErrorKind::TimedOut) or, if the channel is closed,
/// [`BrokenPipe`](ErrorKind::BrokenPipe). The value is dropped.
///
/// # Examples
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
///
/// gorun::block_on(async {
///     let (tx, _rx) = gorun::channel(0);
///     let error: Error = tx.send_timeout(7, Duration::ZERO).await.unwrap_err().into();
///     assert_eq!(error.kind(), ErrorKind::TimedOut);
/// });
/// ```
impl<T> From<SendTimeoutError<T>> for Error {
    fn from(error: SendTimeoutError<T>) -> Error {
        match error {
            SendTimeoutError::Timeout(_) => {
                Error::new(ErrorKind::TimedOut, SendTimeoutError::Timeout(()))
            }
            SendTimeoutError::Closed(_) => {
                Error::new(ErrorKind::BrokenPipe, SendTimeoutError::Closed(()))
            }
        }
    }
}

/// Of kind [`WouldBlock`](ErrorKind::WouldBlock) or, if the channel is closed,
/// [`UnexpectedEof`](ErrorKind::UnexpectedEof).
///
/// # Examples
///
/// ```
/// let (tx, rx) = gorun::channel::<u32>(0);
/// drop(tx);
/// let error: std::io::Error = rx.try_recv().unwrap_err().into();
/// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
/// ```
impl From<TryRecvError> for Error {
    fn from(error: TryRecvError) -> Error {
        let kind = match error {
            TryRecvError::Empty => ErrorKind::WouldBlock,
            TryRecvError::Closed => ErrorKind::UnexpectedEof,
        };
        Error::new(kind, error)
    }
}

/// Of kind [`TimedOut`](ErrorKind::TimedOut) or, if the channel is closed,
/// [`UnexpectedEof`](ErrorKind::UnexpectedEof).
///
/// # Examples
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
///
/// gorun::block_on(async {
///     let (_tx, rx) = gorun::channel::<u32>(0);
///     let error: Error = rx.recv_timeout(Duration::ZERO).await.unwrap_err().into();
///     assert_eq!(error.kind(), ErrorKind::TimedOut);
/// });
/// ```
impl From<RecvTimeoutError> for Error {
    fn from(error: RecvTimeoutError) -> Error {
        let kind = match error {
            RecvTimeoutError::Timeout => ErrorKind::TimedOut,
            RecvTimeoutError::Closed => ErrorKind::UnexpectedEof,
        };
        Error::new(kind, error)
    }
}

/// Of kind [`UnexpectedEof`](ErrorKind::UnexpectedEof).
///
/// # Examples
///
/// ```
/// let (tx, rx) = gorun::sync::oneshot::channel::<u32>();
/// drop(tx);
/// let error: std::io::Error = gorun::block_on(rx).unwrap_err().into();
/// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
/// ```
impl From<oneshot::RecvError> for Error {
    fn from(error: oneshot::RecvError) -> Error {
        Error::new(ErrorKind::UnexpectedEof, error)
    }
}

/// Of kind [`UnexpectedEof`](ErrorKind::UnexpectedEof).
///
/// # Examples
///
/// ```
/// let (tx, mut rx) = gorun::sync::watch::channel(1);
/// drop(tx);
/// let error: std::io::Error = gorun::block_on(rx.changed()).unwrap_err().into();
/// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
/// ```
impl From<watch::RecvError> for Error {
    fn from(error: watch::RecvError) -> Error {
        Error::new(ErrorKind::UnexpectedEof, error)
    }
}

/// Of kind [`UnexpectedEof`](ErrorKind::UnexpectedEof), or [`Other`](ErrorKind::Other) if the
/// receiver has missed values.
///
/// # Examples
///
/// ```
/// let (tx, mut rx) = gorun::sync::broadcast::channel::<u32>(1);
/// drop(tx);
/// let error: std::io::Error = gorun::block_on(rx.recv()).unwrap_err().into();
/// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
/// ```
impl From<broadcast::RecvError> for Error {
    fn from(error: broadcast::RecvError) -> Error {
        match error {
            broadcast::RecvError::Closed => Error::new(ErrorKind::UnexpectedEof, error),
            broadcast::RecvError::Lagged(_) => Error::other(error),
        }
    }
}
