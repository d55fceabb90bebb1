//! A value that is made once, by a future.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::OnceLock;

use crate::sync::acquire::{Acquire, Owner, RawPermit};
use crate::sync::permits::Permits;

/// A value that is made once, by a future, when somebody first needs it.
///
/// Meanwhile, others that need it wait. If the future that makes it is dropped, fails or panics,
/// the next task tries, with a future of its own.
///
/// If the value is made without an await, `std::sync::OnceLock` does the same.
///
/// Go counterpart: `sync.OnceValue`, or `sync.Once`. There a function that panics is not called
/// again. tokio counterpart: `OnceCell`.
///
/// # Examples
///
/// ```
/// use gorun::sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// async fn config() -> &'static str {
///     CONFIG.get_or_init(async || "read from a file".to_owned()).await
/// }
///
/// gorun::block_on(async {
///     assert_eq!(config().await, config().await);
/// });
/// ```
pub struct OnceCell<T> {
    value: OnceLock<T>,
    /// One permit: to make the value. Closed when there is a value.
    init_permit: Permits,
}

impl<T> Owner for OnceCell<T> {
    fn permits(&self) -> &Permits {
        &self.init_permit
    }
}

impl<T> OnceCell<T> {
    /// Without a value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gorun::sync::OnceCell::<u32>::new().get(), None);
    /// ```
    pub const fn new() -> Self {
        OnceCell { value: OnceLock::new(), init_permit: Permits::new(1) }
    }

    /// Whether there is a value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(gorun::sync::OnceCell::from(7).initialized());
    /// ```
    pub fn initialized(&self) -> bool {
        self.get().is_some()
    }

    /// The value, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = gorun::sync::OnceCell::from(7);
    /// assert_eq!(cell.get(), Some(&7));
    /// ```
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if there is one, to change it: the caller has it alone.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = gorun::sync::OnceCell::from(7);
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.into_inner(), Some(8));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// The value, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gorun::sync::OnceCell::from(7).into_inner(), Some(7));
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Sets the value, if there is none, and nobody is making one.
    ///
    /// # Errors
    ///
    /// The value that was to be set, if there is one already, or somebody is making one.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = gorun::sync::OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    pub fn set(&self, value: T) -> Result<(), T> {
        match RawPermit::try_new(self, 1) {
            Ok(permit) => {
                self.init(value, permit);
                Ok(())
            }
            Err(_) => Err(value),
        }
    }

    fn init(&self, value: T, permit: RawPermit<&Self>) -> &T {
        let is_first = self.value.set(value).is_ok();
        debug_assert!(is_first, "only who has the permit makes it");
        self.init_permit.close();
        drop(permit);
        self.value.get().expect("just set")
    }

    /// The value. If there is none, `init` makes it. If somebody else is making one, this waits
    /// for that.
    ///
    /// **Cancellation**: dropping the future drops what `init` has begun. The next waiter begins
    /// anew, with its own `init`. The same happens if `init` panics.
    ///
    /// An `init` that needs the value of the same cell waits for ever.
    ///
    /// Go counterpart: `Once.Do`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::OnceCell;
    ///
    /// gorun::block_on(async {
    ///     let cell = OnceCell::new();
    ///     assert_eq!(cell.get_or_init(async || 1).await, &1);
    ///     assert_eq!(cell.get_or_init(async || 2).await, &1);
    /// });
    /// ```
    pub async fn get_or_init<F, Fut>(&self, init: F) -> &T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        enum Never {}
        let init = || async { Ok::<T, Never>(init().await) };
        match self.get_or_try_init(init).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Like [`get_or_init`](Self::get_or_init), with an `init` that may fail. Then the next waiter
    /// tries.
    ///
    /// # Errors
    ///
    /// That of `init`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::OnceCell;
    ///
    /// gorun::block_on(async {
    ///     let cell = OnceCell::new();
    ///     assert_eq!(cell.get_or_try_init(async || Err("no network")).await, Err("no network"));
    ///     assert_eq!(cell.get_or_try_init(async || Ok::<_, ()>(1)).await, Ok(&1));
    /// });
    /// ```
    pub async fn get_or_try_init<E, F, Fut>(&self, init: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        // Closed at once if there is a value.
        match Acquire::new(self, || 1, |permit| permit.ok()).await {
            // One that was called before it was closed still gets the permit.
            Some(permit) if self.get().is_none() => Ok(self.init(init().await?, permit)),
            _ => Ok(self.value.get().expect("closed when it was set")),
        }
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        let cell = OnceCell::new();
        let _ = cell.set(value);
        cell
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.value.get()).finish()
    }
}
