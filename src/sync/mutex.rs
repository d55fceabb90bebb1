//! A mutex whose guard may be held across awaits.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::scheduler::worker::away;
use crate::sync::acquire::Owner;
use crate::sync::guarded::{self, Exclusive, Guarded, Lock, guard};
use crate::sync::permits::Permits;

/// A value that one task at a time may access, also across awaits.
///
/// For short sections without an await `std::sync::Mutex` is faster, and nearly always the right
/// one: see the [module](crate::sync). Use this one if the guard has to be held across an await.
///
/// Tasks that wait get the lock in the order in which they came. While the first of them is being
/// woken, newcomers may [overtake](crate::sync#overtaking) it, a limited number of times. Any thread
/// and any executor may use it, also outside a runtime.
///
/// **Panics**: there is no poisoning. A panic of a task that has the lock releases it, when the
/// guard is dropped; the value is then as the task left it. So does an abort.
///
/// Go counterpart: `sync.Mutex`. Go's can be unlocked by another goroutine; here the guard may move
/// there. tokio counterpart: `Mutex`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use gorun::sync::Mutex;
/// use gorun::{WaitGroup, block_on, yield_now};
///
/// block_on(async {
///     let (log, group) = (Arc::new(Mutex::new(Vec::new())), WaitGroup::new());
///     for n in 0..10 {
///         let log = log.clone();
///         group.go(async move {
///             let mut log = log.lock().await;
///             log.push(n);
///             // As a request to a server that must not be mixed with others.
///             yield_now().await;
///             log.push(n);
///         });
///     }
///     group.wait().await;
///     assert!(log.lock().await.chunks(2).all(|pair| pair[0] == pair[1]));
/// });
/// ```
pub struct Mutex<T: ?Sized>(Guarded<T, false>);

impl<T: ?Sized> Lock<false> for Mutex<T> {
    type Value = T;

    #[inline]
    fn guarded(&self) -> &Guarded<T, false> {
        &self.0
    }
}

impl<T: ?Sized> Owner for Mutex<T> {
    #[inline]
    fn permits(&self) -> &Permits {
        self.0.permits()
    }
}

impl<T> Mutex<T> {
    /// A mutex that is not locked.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::Mutex;
    ///
    /// static COUNT: Mutex<u32> = Mutex::new(0);
    ///
    /// gorun::block_on(async { *COUNT.lock().await += 1 });
    /// ```
    pub const fn new(value: T) -> Self {
        Mutex(Guarded::new(value))
    }

    /// The value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gorun::sync::Mutex::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    ///
    /// **Cancellation**: dropping the future gives up its place in the queue. If it has been given
    /// the lock meanwhile, the next one gets it.
    ///
    /// A task that locks what it has locked already waits for ever.
    ///
    /// Go counterpart: `Mutex.Lock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::Mutex;
    ///
    /// gorun::block_on(async {
    ///     let count = Mutex::new(0);
    ///     *count.lock().await += 1;
    ///     assert_eq!(*count.lock().await, 1);
    /// });
    /// ```
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> + Unpin {
        guarded::acquire(self)
    }

    /// Waits for the lock. The guard owns a share of the mutex, so that it may go to another
    /// goroutine, or outlive the caller.
    ///
    /// Otherwise like [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::Mutex;
    ///
    /// gorun::block_on(async {
    ///     let count = Arc::new(Mutex::new(0));
    ///     let mut guard = count.clone().lock_owned().await;
    ///     gorun::spawn(async move { *guard += 1 }).await.unwrap();
    ///     assert_eq!(*count.lock().await, 1);
    /// });
    /// ```
    pub fn lock_owned(self: Arc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> + Unpin {
        guarded::acquire(self)
    }

    /// Takes the lock if it is free and nobody waits.
    ///
    /// Go counterpart: `Mutex.TryLock`.
    ///
    /// # Examples
    ///
    /// ```
    /// let count = gorun::sync::Mutex::new(0);
    /// let guard = count.try_lock().unwrap();
    /// assert!(count.try_lock().is_none());
    /// ```
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        guarded::try_acquire(self)
    }

    /// Takes the lock if it is free and nobody waits. The guard owns a share of the mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let count = Arc::new(gorun::sync::Mutex::new(0));
    /// assert!(count.try_lock_owned().is_some());
    /// ```
    pub fn try_lock_owned(self: Arc<Self>) -> Option<OwnedMutexGuard<T>> {
        guarded::try_acquire(self)
    }

    /// Waits for the lock, and blocks the calling thread meanwhile. In a goroutine, other goroutines
    /// go on: another thread stands in.
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// let count = gorun::sync::Mutex::new(0);
    /// *count.lock_blocking() += 1;
    /// assert_eq!(count.into_inner(), 1);
    /// ```
    pub fn lock_blocking(&self) -> MutexGuard<'_, T> {
        self.try_lock().unwrap_or_else(|| away::wait_for(self.lock()))
    }

    /// The value, without locking: the caller has it alone.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut count = gorun::sync::Mutex::new(0);
    /// *count.get_mut() += 1;
    /// assert_eq!(count.into_inner(), 1);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_struct("Mutex").field("value", &&*guard).finish(),
            None => f.debug_struct("Mutex").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

/// Access to the value of a [`Mutex`], until this is dropped.
///
/// It may be sent to other threads if the value may.
///
/// # Examples
///
/// See [`Mutex::lock`].
#[must_use = "the mutex is unlocked when its guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized>(Exclusive<&'a Mutex<T>, T, false>);

/// Access to the value of a [`Mutex`], with a share of it, until this is dropped.
///
/// # Examples
///
/// See [`Mutex::lock_owned`].
#[must_use = "the mutex is unlocked when its guard is dropped"]
pub struct OwnedMutexGuard<T: ?Sized>(Exclusive<Arc<Mutex<T>>, T, false>);

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Whose guard this is.
    ///
    /// An associated function, so that it hides no method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(0);
    /// let guard = mutex.lock_blocking();
    /// assert!(std::ptr::eq(MutexGuard::mutex(&guard), &mutex));
    /// ```
    pub fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.0.owner()
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// Whose guard this is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::{Mutex, OwnedMutexGuard};
    ///
    /// let mutex = Arc::new(Mutex::new(0));
    /// let guard = mutex.clone().try_lock_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    /// ```
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T>> {
        guard.0.owner()
    }
}

guard!(write MutexGuard<'a, T>(Exclusive<&'a Mutex<T>, T, false>, &'a Mutex<T>));
guard!(write OwnedMutexGuard<T>(Exclusive<Arc<Mutex<T>>, T, false>, Arc<Mutex<T>>));
