//! Why a goroutine has no result.

#![forbid(unsafe_code)]

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::panics::{Payload, text};
use crate::primitives::{Mutex, lock};

/// Why a [`JoinHandle`](crate::JoinHandle) gave no value: the goroutine panicked, or it was
/// cancelled.
///
/// [`abort`](crate::JoinHandle::abort) and the end of main cancel a goroutine. One that is spawned
/// after main has ended counts as cancelled, too.
///
/// Clones share the panic's payload: see [`into_panic`](Self::into_panic). `?` turns the error into an
/// [`io::Error`](std::io::Error) where a function returns one.
///
/// Go counterpart: none. In Go a goroutine cannot be joined, and its panic ends the program.
///
/// # Examples
///
/// ```
/// let error = gorun::block_on(async {
///     gorun::spawn(async { panic!("boom") }).await.unwrap_err()
/// });
/// assert!(error.is_panic());
/// assert!(error.to_string().ends_with("panicked: boom"), "{error}");
/// assert_eq!(error.spawned_at().file(), file!());
/// ```
#[derive(Clone)]
pub struct JoinError {
    reason: Reason,
    spawned_at: &'static Location<'static>,
}

#[derive(Clone)]
enum Reason {
    Cancelled,
    /// `None` when another clone has taken the payload. The mutex makes the error `Sync`, although a
    /// payload may not be.
    Panicked(Arc<Mutex<Option<Payload>>>),
}

impl JoinError {
    pub(crate) fn cancelled(spawned_at: &'static Location<'static>) -> Self {
        JoinError { reason: Reason::Cancelled, spawned_at }
    }

    pub(crate) fn panicked(payload: Payload, spawned_at: &'static Location<'static>) -> Self {
        JoinError { reason: Reason::Panicked(Arc::new(Mutex::new(Some(payload)))), spawned_at }
    }

    /// Whether the goroutine panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// let result = gorun::block_on(async { gorun::spawn(async { panic!("boom") }).await });
    /// let error: gorun::JoinError = result.unwrap_err();
    /// assert!(error.is_panic());
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.reason, Reason::Panicked(_))
    }

    /// Whether the goroutine was cancelled before it completed.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let handle = gorun::spawn(std::future::pending::<()>());
    ///     handle.abort();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.reason, Reason::Cancelled)
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// Each clone of the error gives the text of a panic, as a `&'static str` or a `String`, like the
    /// payload. Another payload cannot be copied: the first clone that is asked gives it, and later
    /// ones give a `String` that says so.
    ///
    /// # Panics
    ///
    /// If the goroutine was cancelled; [`try_into_panic`](Self::try_into_panic) does not panic
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// let result = gorun::block_on(async { gorun::spawn(async { panic!("boom") }).await });
    /// let error: gorun::JoinError = result.unwrap_err();
    /// assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "boom");
    /// ```
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!(
                "`into_panic` on a JoinError that is no panic: {error}; check `is_panic` first, \
                 or use `try_into_panic`"
            ),
        }
    }

    /// The panic's payload, or the error itself if the goroutine was cancelled.
    ///
    /// # Errors
    ///
    /// Returns the error itself if [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// let result = gorun::block_on(async { gorun::spawn(async { panic!("boom") }).await });
    /// let error: gorun::JoinError = result.unwrap_err();
    /// match error.try_into_panic() {
    ///     Ok(payload) => assert!(payload.is::<&str>()),
    ///     Err(cancelled) => unreachable!("{cancelled}"),
    /// }
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        let Reason::Panicked(payload) = &self.reason else { return Err(self) };
        let mut payload = lock(payload);
        let copy = payload.as_ref().and_then(copied);
        let taken = copy.or_else(|| payload.take());
        Ok(taken.unwrap_or_else(|| Box::new(TAKEN.to_owned())))
    }

    /// The line of the `spawn` that started the goroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// let result = gorun::block_on(async { gorun::spawn(async { panic!("boom") }).await });
    /// assert_eq!(result.unwrap_err().spawned_at().file(), file!());
    /// ```
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// The panic's message, if its payload is a string.
    fn message(&self) -> Option<String> {
        let Reason::Panicked(payload) = &self.reason else { return None };
        let payload = lock(payload);
        let payload = payload.as_ref()?;
        text(&**payload)
    }
}

/// What a clone of the error gives when another one has given the payload.
const TAKEN: &str =
    "a goroutine panicked, and a clone of its JoinError has already given the payload";

/// A copy of a payload that is a text.
fn copied(payload: &Payload) -> Option<Payload> {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return Some(Box::new(*text));
    }
    let text = payload.downcast_ref::<String>()?;
    Some(Box::new(text.clone()))
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the goroutine spawned at {} ", self.spawned_at)?;
        match (&self.reason, self.message()) {
            (Reason::Cancelled, _) => f.write_str("was cancelled"),
            (Reason::Panicked(_), Some(message)) => write!(f, "panicked: {message}"),
            (Reason::Panicked(_), None) => f.write_str("panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl Error for JoinError {}
