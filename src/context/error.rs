//! Why a context is done.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// What was given as the reason for a cancellation. In a function that returns a
/// `Box<dyn Error + Send + Sync>`, `?` accepts it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a [`Context`](super::Context) is done.
///
/// [`Context::cause`](super::Context::cause) may say more.
///
/// As an [`io::Error`], a deadline is of the kind `TimedOut`, and a cancellation of the kind
/// `Other`. That is not `Interrupted`, because code that meets this kind tries again.
///
/// Go counterpart: `context.Canceled` and `context.DeadlineExceeded`.
///
/// # Examples
///
/// ```
/// use gorun::context::{Context, ContextError};
///
/// let (ctx, cancel) = Context::background().with_cancel();
/// cancel.cancel();
/// assert_eq!(ctx.err(), Some(ContextError::Cancelled));
/// assert_eq!(ctx.err().unwrap().to_string(), "the context was cancelled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextError {
    /// It was cancelled, or a context above it was.
    Cancelled,
    /// Its deadline has passed, or that of a context above it.
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ContextError::Cancelled => "the context was cancelled",
            ContextError::DeadlineExceeded => "the deadline of the context has passed",
        })
    }
}

impl Error for ContextError {}

impl From<ContextError> for io::Error {
    fn from(error: ContextError) -> Self {
        let kind = match error {
            ContextError::Cancelled => io::ErrorKind::Other,
            ContextError::DeadlineExceeded => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, error)
    }
}
