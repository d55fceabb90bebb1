//! A readers-writer lock whose guards may be held across awaits.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::scheduler::worker::away;
use crate::sync::acquire::Owner;
use crate::sync::guarded::{self, Exclusive, Guarded, Lock, Shared, guard};
use crate::sync::permits::Permits;

/// A value that several tasks may read at the same time, or one task may change, also across
/// awaits.
///
/// For short sections without an await `std::sync::RwLock` is faster: see the
/// [module](crate::sync).
///
/// Tasks that wait are served in the order in which they came. So a writer does not starve:
/// readers that come after it wait until it has had its turn. (While it is being woken, they may
/// [overtake](crate::sync#overtaking) it, a limited number of times.) For the same reason, a task that has
/// a read guard must not wait for another one of the same lock: a writer may be queued between the
/// two. Any thread and any executor may use it, also outside a runtime.
///
/// **Panics**: there is no poisoning. A panic of a task that has the lock releases it; the value is
/// then as the task left it.
///
/// Go counterpart: `sync.RWMutex`. tokio counterpart: `RwLock`.
///
/// # Examples
///
/// ```
/// use gorun::sync::RwLock;
///
/// gorun::block_on(async {
///     let names = RwLock::new(vec!["a"]);
///     {
///         let (one, other) = (names.read().await, names.read().await);
///         assert_eq!(one[0], other[0]);
///     }
///     names.write().await.push("b");
///     assert_eq!(names.read().await.len(), 2);
/// });
/// ```
pub struct RwLock<T: ?Sized>(Guarded<T, true>);

impl<T: ?Sized> Lock<true> for RwLock<T> {
    type Value = T;

    #[inline]
    fn guarded(&self) -> &Guarded<T, true> {
        &self.0
    }
}

impl<T: ?Sized> Owner for RwLock<T> {
    #[inline]
    fn permits(&self) -> &Permits {
        self.0.permits()
    }
}

impl<T> RwLock<T> {
    /// A lock that nobody has.
    ///
    /// # Examples
    ///
    /// ```
    /// static SETTING: gorun::sync::RwLock<u32> = gorun::sync::RwLock::new(7);
    /// assert_eq!(*SETTING.read_blocking(), 7);
    /// ```
    pub const fn new(value: T) -> Self {
        RwLock(Guarded::new(value))
    }

    /// The value.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gorun::sync::RwLock::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until it may read, together with others.
    ///
    /// **Cancellation**: dropping the future gives up its place in the queue, and what it was given
    /// meanwhile.
    ///
    /// Go counterpart: `RWMutex.RLock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::RwLock;
    ///
    /// gorun::block_on(async {
    ///     assert_eq!(*RwLock::new(7).read().await, 7);
    /// });
    /// ```
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> + Unpin {
        guarded::acquire(self)
    }

    /// Waits until it may change the value, alone.
    ///
    /// **Cancellation**: dropping the future gives up its place in the queue, and what it was given
    /// meanwhile. Readers that waited behind it go on.
    ///
    /// Go counterpart: `RWMutex.Lock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::RwLock;
    ///
    /// gorun::block_on(async {
    ///     let count = RwLock::new(0);
    ///     *count.write().await += 1;
    ///     assert_eq!(*count.read().await, 1);
    /// });
    /// ```
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> + Unpin {
        guarded::acquire(self)
    }

    /// Like [`read`](Self::read). The guard owns a share of the lock, so that it may go to another
    /// goroutine, or outlive the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::RwLock;
    ///
    /// gorun::block_on(async {
    ///     let guard = Arc::new(RwLock::new(7)).read_owned().await;
    ///     gorun::spawn(async move { assert_eq!(*guard, 7) }).await.unwrap();
    /// });
    /// ```
    pub fn read_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockReadGuard<T>> + Unpin {
        guarded::acquire(self)
    }

    /// Like [`write`](Self::write). The guard owns a share of the lock, so that it may go to another
    /// goroutine, or outlive the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::RwLock;
    ///
    /// gorun::block_on(async {
    ///     let count = Arc::new(RwLock::new(0));
    ///     let mut guard = count.clone().write_owned().await;
    ///     gorun::spawn(async move { *guard += 1 }).await.unwrap();
    ///     assert_eq!(*count.read().await, 1);
    /// });
    /// ```
    pub fn write_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockWriteGuard<T>> + Unpin {
        guarded::acquire(self)
    }

    /// A guard to read, if no other task changes the value, and none waits.
    ///
    /// Go counterpart: `RWMutex.TryRLock`.
    ///
    /// # Examples
    ///
    /// ```
    /// let count = gorun::sync::RwLock::new(0);
    /// let one = count.try_read().unwrap();
    /// assert!(count.try_read().is_some() && count.try_write().is_none());
    /// ```
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        guarded::try_acquire(self)
    }

    /// A guard to change the value, if no other task has one, and none waits.
    ///
    /// Go counterpart: `RWMutex.TryLock`.
    ///
    /// # Examples
    ///
    /// ```
    /// let count = gorun::sync::RwLock::new(0);
    /// let one = count.try_write().unwrap();
    /// assert!(count.try_read().is_none() && count.try_write().is_none());
    /// ```
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        guarded::try_acquire(self)
    }

    /// A guard to read that owns a share of the lock, if no other task changes the value, and none
    /// waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let count = Arc::new(gorun::sync::RwLock::new(0));
    /// let one = count.clone().try_read_owned().unwrap();
    /// assert!(count.try_read_owned().is_some());
    /// ```
    pub fn try_read_owned(self: Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        guarded::try_acquire(self)
    }

    /// A guard to change the value that owns a share of the lock, if no other task has one, and none
    /// waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let count = Arc::new(gorun::sync::RwLock::new(0));
    /// let one = count.clone().try_write_owned().unwrap();
    /// assert!(count.try_read_owned().is_none());
    /// ```
    pub fn try_write_owned(self: Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        guarded::try_acquire(self)
    }

    /// Like [`read`](Self::read), and blocks the calling thread meanwhile. In a goroutine, other
    /// goroutines go on: another thread stands in.
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(*gorun::sync::RwLock::new(7).read_blocking(), 7);
    /// ```
    pub fn read_blocking(&self) -> RwLockReadGuard<'_, T> {
        self.try_read().unwrap_or_else(|| away::wait_for(self.read()))
    }

    /// Like [`write`](Self::write), and blocks the calling thread meanwhile. In a goroutine, other
    /// goroutines go on: another thread stands in.
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// let count = gorun::sync::RwLock::new(0);
    /// *count.write_blocking() += 1;
    /// assert_eq!(count.into_inner(), 1);
    /// ```
    pub fn write_blocking(&self) -> RwLockWriteGuard<'_, T> {
        self.try_write().unwrap_or_else(|| away::wait_for(self.write()))
    }

    /// The value, without locking: the caller has it alone.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut count = gorun::sync::RwLock::new(0);
    /// *count.get_mut() += 1;
    /// assert_eq!(count.into_inner(), 1);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_struct("RwLock").field("value", &&*guard).finish(),
            None => f.debug_struct("RwLock").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

/// Read access to the value of an [`RwLock`], until this is dropped.
///
/// # Examples
///
/// See [`RwLock::read`].
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized>(Shared<&'a RwLock<T>, T>);

/// Access to the value of an [`RwLock`], until this is dropped.
///
/// # Examples
///
/// See [`RwLock::write`].
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized>(Exclusive<&'a RwLock<T>, T, true>);

/// Read access to the value of an [`RwLock`], with a share of it, until this is dropped.
///
/// # Examples
///
/// See [`RwLock::read_owned`].
#[must_use = "the lock is released when its guard is dropped"]
pub struct OwnedRwLockReadGuard<T: ?Sized>(Shared<Arc<RwLock<T>>, T>);

/// Access to the value of an [`RwLock`], with a share of it, until this is dropped.
///
/// # Examples
///
/// See [`RwLock::write_owned`].
#[must_use = "the lock is released when its guard is dropped"]
pub struct OwnedRwLockWriteGuard<T: ?Sized>(Exclusive<Arc<RwLock<T>>, T, true>);

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Lets others read, and keeps read access itself. No writer comes in between.
    ///
    /// An associated function, so that it hides no method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let count = RwLock::new(0);
    /// let mut write = count.write_blocking();
    /// *write += 1;
    /// let read = RwLockWriteGuard::downgrade(write);
    /// assert_eq!((*read, *count.read_blocking()), (1, 1));
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard(guard.0.downgrade())
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// Lets others read, and keeps read access itself. No writer comes in between.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let write = gorun::block_on(Arc::new(RwLock::new(7)).write_owned());
    /// assert_eq!(*OwnedRwLockWriteGuard::downgrade(write), 7);
    /// ```
    pub fn downgrade(guard: Self) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard(guard.0.downgrade())
    }
}

guard!(read RwLockReadGuard<'a, T>(Shared<&'a RwLock<T>, T>, &'a RwLock<T>));
guard!(write RwLockWriteGuard<'a, T>(Exclusive<&'a RwLock<T>, T, true>, &'a RwLock<T>));
guard!(read OwnedRwLockReadGuard<T>(Shared<Arc<RwLock<T>>, T>, Arc<RwLock<T>>));
guard!(write OwnedRwLockWriteGuard<T>(Exclusive<Arc<RwLock<T>>, T, true>, Arc<RwLock<T>>));
