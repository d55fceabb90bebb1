//! A semaphore: limits how many tasks do something at a time.

#![forbid(unsafe_code)]

mod error;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::primitives::{AtomicUsize, Ordering};
use crate::scheduler::worker::away;
use crate::sync::acquire::{Acquire, Owner, RawPermit};
use crate::sync::permits::{self, Closed, Permits};
pub use error::{AcquireError, TryAcquireError};

/// A number of permits, to limit how many tasks do something at the same time.
///
/// A task [acquires](Self::acquire) a permit, or several, and gives it back by dropping it. Tasks are
/// served in the order in which they came, even if a later one needs fewer permits. While one is being
/// woken, newcomers may [overtake](crate::sync#overtaking) it, a limited number of times. None starves.
///
/// Any thread and any executor may use it, also outside a runtime.
///
/// Go counterpart: `semaphore.Weighted` in `golang.org/x/sync`, or a buffered channel of permits.
/// tokio counterpart: `Semaphore`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use gorun::sync::Semaphore;
/// use gorun::{WaitGroup, block_on, yield_now};
///
/// block_on(async {
///     let (three, group) = (Arc::new(Semaphore::new(3)), WaitGroup::new());
///     let running = Arc::new(AtomicUsize::new(0));
///     for _ in 0..20 {
///         let (three, running) = (three.clone(), running.clone());
///         group.go(async move {
///             let _permit = three.acquire().await.unwrap();
///             assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
///             yield_now().await;
///             running.fetch_sub(1, Ordering::SeqCst);
///         });
///     }
///     group.wait().await;
///     assert_eq!(three.available_permits(), 3);
/// });
/// ```
pub struct Semaphore {
    permits: Permits,
    /// How many there are, those in use included. No more than can be counted.
    total: AtomicUsize,
}

impl Owner for Semaphore {
    #[inline]
    fn permits(&self) -> &Permits {
        &self.permits
    }
}

impl Semaphore {
    /// The largest number of permits.
    pub const MAX_PERMITS: usize = permits::MAX;

    /// A semaphore with this many permits.
    ///
    /// # Panics
    ///
    /// If `permits` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    ///
    /// ```
    /// static THREE: gorun::sync::Semaphore = gorun::sync::Semaphore::new(3);
    /// assert_eq!(THREE.available_permits(), 3);
    /// ```
    #[track_caller]
    pub const fn new(permits: usize) -> Self {
        assert!(permits <= permits::MAX, "{}", TOO_MANY);
        Semaphore { permits: Permits::new(permits), total: AtomicUsize::new(permits) }
    }

    /// Waits for a permit.
    ///
    /// **Cancellation**: dropping the future gives up its place in the queue. A permit that it was
    /// given meanwhile goes to the next one.
    ///
    /// # Errors
    ///
    /// [`AcquireError`], if the semaphore [was closed](Self::close).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::Semaphore;
    ///
    /// gorun::block_on(async {
    ///     let one = Semaphore::new(1);
    ///     let permit = one.acquire().await.unwrap();
    ///     assert!(one.try_acquire().is_err());
    ///     drop(permit);
    ///     assert!(one.try_acquire().is_ok());
    /// });
    /// ```
    pub fn acquire(&self) -> impl Future<Output = Result<Permit<'_>, AcquireError>> + Unpin {
        self.acquire_many(1)
    }

    /// Waits for `count` permits, and takes them all at once. When this is the
    /// first in the queue, and nobody may overtake it any more, it gets all permits that come back.
    ///
    /// If the semaphore never has that many, this waits for ever, and so does everyone behind it.
    ///
    /// Otherwise like [`acquire`](Self::acquire).
    ///
    /// Go counterpart: `Weighted.Acquire`. There, a task that asks for more than the semaphore was
    /// made with only waits for its context, and does not hold up others.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::Semaphore;
    ///
    /// gorun::block_on(async {
    ///     let five = Semaphore::new(5);
    ///     let three = five.acquire_many(3).await.unwrap();
    ///     assert_eq!((three.count(), five.available_permits()), (3, 2));
    /// });
    /// ```
    pub fn acquire_many(
        &self,
        count: usize,
    ) -> impl Future<Output = Result<Permit<'_>, AcquireError>> + Unpin {
        Acquire::new(self, move || count, |raw| raw.map(Permit).map_err(AcquireError::from))
    }

    /// Waits for a permit that owns a share of the semaphore, so that it may go to another
    /// goroutine, or outlive the caller.
    ///
    /// Otherwise like [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::Semaphore;
    ///
    /// gorun::block_on(async {
    ///     let two = Arc::new(Semaphore::new(2));
    ///     let mut last = None;
    ///     for n in 0..10 {
    ///         // No more than two goroutines at a time.
    ///         let permit = two.clone().acquire_owned().await.unwrap();
    ///         last = Some(gorun::spawn(async move {
    ///             let _permit = permit;
    ///             n
    ///         }));
    ///     }
    ///     assert_eq!(last.unwrap().await.unwrap(), 9);
    /// });
    /// ```
    pub fn acquire_owned(
        self: Arc<Self>,
    ) -> impl Future<Output = Result<OwnedPermit, AcquireError>> + Unpin {
        self.acquire_many_owned(1)
    }

    /// Waits for `count` permits that own a share of the semaphore: see
    /// [`acquire_many`](Self::acquire_many) and [`acquire_owned`](Self::acquire_owned).
    ///
    /// # Examples
    ///
    /// ```
    /// let two = std::sync::Arc::new(gorun::sync::Semaphore::new(2));
    /// assert_eq!(gorun::block_on(two.acquire_many_owned(2)).unwrap().count(), 2);
    /// ```
    pub fn acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> impl Future<Output = Result<OwnedPermit, AcquireError>> + Unpin {
        Acquire::new(self, move || count, |raw| raw.map(OwnedPermit).map_err(AcquireError::from))
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`]: there is none, or the semaphore was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::{Semaphore, TryAcquireError};
    ///
    /// let one = Semaphore::new(1);
    /// let _permit = one.try_acquire().unwrap();
    /// assert_eq!(one.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// ```
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are free and nobody waits.
    ///
    /// Go counterpart: `Weighted.TryAcquire`.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let two = gorun::sync::Semaphore::new(2);
    /// assert!(two.try_acquire_many(3).is_err());
    /// assert!(two.try_acquire_many(2).is_ok());
    /// ```
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        RawPermit::try_new(self, count).map(Permit).map_err(TryAcquireError::from)
    }

    /// Takes a permit that owns a share of the semaphore, if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let one = std::sync::Arc::new(gorun::sync::Semaphore::new(1));
    /// assert!(one.try_acquire_owned().is_ok());
    /// ```
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Takes `count` permits that own a share of the semaphore, if they are free and nobody waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let two = std::sync::Arc::new(gorun::sync::Semaphore::new(2));
    /// assert_eq!(two.try_acquire_many_owned(2).unwrap().count(), 2);
    /// ```
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        RawPermit::try_new(self, count).map(OwnedPermit).map_err(TryAcquireError::from)
    }

    /// Waits for a permit, and blocks the calling thread meanwhile. In a goroutine, other goroutines
    /// go on: another thread stands in.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// let one = gorun::sync::Semaphore::new(1);
    /// let permit = one.acquire_blocking().unwrap();
    /// assert_eq!(permit.count(), 1);
    /// ```
    pub fn acquire_blocking(&self) -> Result<Permit<'_>, AcquireError> {
        match self.try_acquire() {
            Ok(permit) => Ok(permit),
            Err(TryAcquireError::Closed) => Err(AcquireError::from(Closed)),
            Err(TryAcquireError::NoPermits) => away::wait_for(self.acquire()),
        }
    }

    /// Adds permits to those with which the semaphore was made.
    ///
    /// # Panics
    ///
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS), those in use included. Then
    /// their number does not change.
    ///
    /// # Examples
    ///
    /// ```
    /// let signals = gorun::sync::Semaphore::new(0);
    /// signals.add_permits(1);
    /// gorun::block_on(signals.acquire()).unwrap().forget();
    /// assert_eq!(signals.available_permits(), 0);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        let sum = |total: usize| total.checked_add(count).filter(|&sum| sum <= permits::MAX);
        // Ordering: Relaxed, as it counts only.
        let added = self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        assert!(added.is_ok(), "{}", TOO_MANY);
        self.permits.release(count);
    }

    /// How many permits are free. While tasks wait, those are for the first ones, and
    /// [`try_acquire`](Self::try_acquire) gets none of them.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    pub fn available_permits(&self) -> usize {
        self.permits.available()
    }

    /// From now on gives out no permits. All tasks that wait get an error; one whose turn it was may
    /// still get its permits. Permits in use remain valid.
    ///
    /// # Examples
    ///
    /// ```
    /// let none = gorun::sync::Semaphore::new(0);
    /// gorun::block_on(async {
    ///     let mut acquire = none.acquire();
    ///     assert!(futures::poll!(&mut acquire).is_pending());
    ///     none.close();
    ///     assert!(acquire.await.is_err() && none.is_closed());
    /// });
    /// ```
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether it was closed.
    ///
    /// # Examples
    ///
    /// See [`close`](Self::close).
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }
}

const TOO_MANY: &str = "a Semaphore would have more permits than `Semaphore::MAX_PERMITS`; for one \
                        without a limit, use none";

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available_permits", &self.available_permits()).finish()
    }
}

/// Permits of a [`Semaphore`], until this is dropped.
///
/// # Examples
///
/// See [`Semaphore`].
#[must_use = "a permit is given back when it is dropped"]
pub struct Permit<'a>(RawPermit<&'a Semaphore>);

/// Permits that own a share of their [`Semaphore`], until this is dropped.
///
/// # Examples
///
/// See [`Semaphore::acquire_owned`].
#[must_use = "a permit is given back when it is dropped"]
pub struct OwnedPermit(RawPermit<Arc<Semaphore>>);

macro_rules! permit {
    ($permit:ident $(<$lifetime:lifetime>)?, $acquire:literal) => {
        impl $permit$(<$lifetime>)? {
            /// How many permits these are.
            ///
            /// # Examples
            ///
            /// See [`Semaphore::acquire_many`].
            pub fn count(&self) -> usize {
                self.0.count()
            }

            /// Does not give them back: the semaphore has fewer from now on.
            ///
            /// # Examples
            ///
            /// See [`Semaphore::add_permits`].
            pub fn forget(self) {
                let semaphore = self.0.owner().clone();
                // Ordering: Relaxed, as it counts only.
                semaphore.total.fetch_sub(self.0.forget(), Ordering::Relaxed);
            }

            /// Takes over those of `other`.
            ///
            /// # Panics
            ///
            /// If they are of another semaphore.
            ///
            /// # Examples
            ///
            /// ```
            /// use gorun::sync::Semaphore;
            ///
            /// let semaphore = std::sync::Arc::new(Semaphore::new(3));
            #[doc = concat!("let mut permit = gorun::block_on(", $acquire, "(1)).unwrap();")]
            #[doc = concat!("permit.merge(gorun::block_on(", $acquire, "(2)).unwrap());")]
            /// assert_eq!(permit.count(), 3);
            /// ```
            #[track_caller]
            pub fn merge(&mut self, other: Self) {
                let [own, others] = [&self.0, &other.0].map(|permit| &**permit.owner());
                let is_same = std::ptr::eq::<Semaphore>(own, others);
                assert!(is_same, "permits of two Semaphores cannot be merged");
                self.0.merge(other.0);
            }

            /// Splits `count` of them off, if there are that many.
            ///
            /// # Examples
            ///
            /// ```
            /// use gorun::sync::Semaphore;
            ///
            /// let semaphore = std::sync::Arc::new(Semaphore::new(3));
            #[doc = concat!("let mut three = gorun::block_on(", $acquire, "(3)).unwrap();")]
            /// let two = three.split(2).unwrap();
            /// assert_eq!((two.count(), three.count()), (2, 1));
            /// drop(two);
            /// assert_eq!(semaphore.available_permits(), 2);
            /// ```
            pub fn split(&mut self, count: usize) -> Option<Self> {
                self.0.split(count).map($permit)
            }
        }

        impl fmt::Debug for $permit$(<$lifetime>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($permit)).field("count", &self.count()).finish()
            }
        }
    };
}

permit!(Permit<'_>, "semaphore.acquire_many");
permit!(OwnedPermit, "semaphore.clone().acquire_many_owned");
