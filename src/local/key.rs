//! A key, and the value that it has at present.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::thread;

/// Declares [keys](LocalKey) for values that belong to a future.
///
/// See [the module](crate::local).
///
/// # Examples
///
/// ```
/// gorun::task_local! {
///     /// The number of the request that is served.
///     pub static REQUEST: u64;
///     static USER: String;
/// }
///
/// fn log(text: &str) -> String {
///     format!("[{}] {text}", REQUEST.get())
/// }
///
/// gorun::block_on(async {
///     let served = REQUEST.scope(7, async { log("hello") }).await;
///     assert_eq!(served, "[7] hello");
///     assert!(USER.try_with(|_| ()).is_err());
/// });
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty);+ $(;)?) => {
        $(
            $(#[$attribute])*
            $visibility static $name: $crate::local::LocalKey<$type> = {
                ::std::thread_local! {
                    static VALUE: ::std::cell::RefCell<::std::option::Option<$type>> =
                        const { ::std::cell::RefCell::new(::std::option::Option::None) };
                }
                $crate::local::LocalKey::__new(&VALUE)
            };
        )+
    };
}

/// A key for a value that a future has while it is polled. [`task_local!`](crate::task_local!) declares
/// one.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, spawn};
///
/// gorun::task_local!(static DEPTH: u32);
///
/// block_on(DEPTH.scope(1, async {
///     assert_eq!(DEPTH.get(), 1);
///     // Scopes nest.
///     DEPTH.scope(2, async { assert_eq!(DEPTH.get(), 2) }).await;
///     assert_eq!(DEPTH.get(), 1);
///     // A goroutine inherits nothing.
///     let inherits = spawn(async { DEPTH.try_with(|_| ()).is_ok() });
///     assert!(!inherits.await.unwrap());
///     let given = spawn(DEPTH.scope(DEPTH.get(), async { DEPTH.get() }));
///     assert_eq!(given.await.unwrap(), 1);
/// }));
/// ```
pub struct LocalKey<T: 'static> {
    value: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    /// For [`task_local!`](crate::task_local!).
    #[doc(hidden)]
    pub const fn __new(value: &'static thread::LocalKey<RefCell<Option<T>>>) -> Self {
        LocalKey { value }
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    ///
    /// Outside every scope of this key; see [`try_with`](Self::try_with).
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::task_local!(static NAME: String);
    ///
    /// let length = NAME.sync_scope("gopher".to_owned(), || NAME.with(|name| name.len()));
    /// assert_eq!(length, 6);
    /// ```
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("`LocalKey::with`: {error}"),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    ///
    /// [`AccessError`] outside every scope of this key.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::task_local!(static NAME: String);
    ///
    /// assert!(NAME.try_with(|name| name.len()).is_err());
    /// ```
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let result = self.value.try_with(|value| value.borrow().as_ref().map(f));
        result.ok().flatten().ok_or(AccessError(()))
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Outside every scope of this key.
    ///
    /// # Examples
    ///
    /// See [`LocalKey`].
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// Calls `f`. The key has this value while `f` runs.
    ///
    /// # Panics
    ///
    /// Inside a [`with`](Self::with) of the same key, and when the thread's locals have been dropped.
    ///
    /// # Examples
    ///
    /// See [`with`](Self::with).
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        match self.swapped(&mut value, f) {
            Ok(result) => result,
            Err(refused) => refused.panic(),
        }
    }

    /// Calls `f` while the key's value and `value` have changed places.
    pub(super) fn swapped<R>(
        &'static self,
        value: &mut Option<T>,
        f: impl FnOnce() -> R,
    ) -> Result<R, Refused> {
        self.swap(value)?;
        let _swap_back = SwapBack { key: self, value };
        Ok(f())
    }

    fn swap(&'static self, value: &mut Option<T>) -> Result<(), Refused> {
        let swapped = self.value.try_with(|current| match current.try_borrow_mut() {
            Ok(mut current) => {
                std::mem::swap(&mut *current, value);
                Ok(())
            }
            Err(_) => Err(Refused::InUse),
        });
        swapped.unwrap_or(Err(Refused::ThreadEnds))
    }
}

/// Why a key cannot have another value now.
pub(super) enum Refused {
    InUse,
    ThreadEnds,
}

impl Refused {
    #[cold]
    #[track_caller]
    pub(super) fn panic(self) -> ! {
        match self {
            Refused::InUse => panic!(
                "a scope of a `LocalKey` was entered inside `with` of the same key; take a copy of the \
                 value there, with `get`"
            ),
            Refused::ThreadEnds => {
                panic!("a scope of a `LocalKey` was entered while the thread's locals are dropped")
            }
        }
    }
}

struct SwapBack<'a, T: 'static> {
    key: &'static LocalKey<T>,
    value: &'a mut Option<T>,
}

impl<T: 'static> Drop for SwapBack<'_, T> {
    fn drop(&mut self) {
        // This succeeds as the first swap did: each `with` that began meanwhile has ended.
        let _ = self.key.swap(self.value);
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// The key has no value here: the code is outside every scope of it.
///
/// # Examples
///
/// ```
/// gorun::task_local!(static NAME: String);
///
/// let error = NAME.try_with(|_| ()).unwrap_err();
/// assert!(error.to_string().contains("outside every scope"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key has no value outside every scope of it; a goroutine inherits none")
    }
}

impl Error for AccessError {}
