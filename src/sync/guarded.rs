//! A value and the permits that are needed to access it: all of them to be alone, one to read it.
//! And what the guards of both locks have in common.
//!
//! # Why it is sound
//!
//! - [`Guarded`] lends its value to nobody but [`Exclusive`], [`Shared`], and code that has the
//!   value alone (`get_mut`, `into_inner`).
//! - An `Exclusive` has all permits and a `Shared` one. Permits are acquired and released only by the
//!   `RawPermit` in them, none is added or forgotten, and there are as many as at the start. So an
//!   `Exclusive` is alone, and lends its value as it is borrowed itself.
//! - The permits are those of the value: both come from `owner().guarded()`. An owner is reached by a
//!   reference or an `Arc`, and both `Lock`s, a mutex and a readers-writer lock, return their only
//!   field.
//! - Earlier accesses happen before later ones, since whoever acquires permits also sees what came
//!   before their release (`permits.rs`).

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::marker::PhantomData;

use crate::sync::acquire::{Acquire, Owner, OwnerRef, RawPermit};
use crate::sync::permits::{self, Closed, Permits};

/// A value. If it is `SHARED`, several may read it at the same time.
pub(crate) struct Guarded<T: ?Sized, const SHARED: bool> {
    permits: Permits,
    value: UnsafeCell<T>,
}

// SAFETY: without sharing, a value is lent to one thread at a time (see above). That requires no more
// than `T: Send`, as for a mutex of `std`. Exercised by `soundness::values_behind_async_locks`.
unsafe impl<T: ?Sized + Send> Sync for Guarded<T, false> {}
// SAFETY: several threads may read it at the same time, so `T: Sync` as well, as for an `RwLock` of
// `std`. Exercised by `soundness::values_behind_async_locks`.
unsafe impl<T: ?Sized + Send + Sync> Sync for Guarded<T, true> {}

impl<T: ?Sized, const SHARED: bool> Guarded<T, SHARED> {
    pub(crate) const fn new(value: T) -> Self
    where
        T: Sized,
    {
        Guarded { permits: Permits::new(permits::MAX), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn permits(&self) -> &Permits {
        &self.permits
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    pub(crate) fn into_inner(self) -> T
    where
        T: Sized,
    {
        self.value.into_inner()
    }
}

/// A lock: it consists of this field.
pub(crate) trait Lock<const SHARED: bool> {
    type Value: ?Sized;

    fn guarded(&self) -> &Guarded<Self::Value, SHARED>;
}

/// The value `T` for one alone.
// The value has a parameter of its own: as a projection it would make guards invariant.
pub(crate) struct Exclusive<O: OwnerRef, T: ?Sized, const SHARED: bool> {
    permit: RawPermit<O>,
    /// It can be sent, or shared, if that is true of the value.
    value: PhantomData<T>,
}

impl<O, T: ?Sized, const SHARED: bool> Exclusive<O, T, SHARED>
where
    O: OwnerRef<Target: Lock<SHARED, Value = T> + Owner>,
{
    pub(crate) const COUNT: usize = permits::MAX;

    #[inline]
    pub(crate) fn new(permit: RawPermit<O>) -> Self {
        assert_eq!(permit.count(), Self::COUNT, "all permits");
        Exclusive { permit, value: PhantomData }
    }

    #[inline]
    pub(crate) fn owner(&self) -> &O {
        self.permit.owner()
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: this has all permits of the value (see above), and lends it while it is borrowed.
        // Exercised by `soundness::values_behind_async_locks`.
        unsafe { &*self.owner().guarded().value.get() }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: likewise, and it is borrowed mutably. Exercised by
        // `soundness::values_behind_async_locks`.
        unsafe { &mut *self.owner().guarded().value.get() }
    }
}

impl<O, T: ?Sized> Exclusive<O, T, true>
where
    O: OwnerRef<Target: Lock<true, Value = T> + Owner>,
{
    /// Others may read from now on.
    pub(crate) fn downgrade(mut self) -> Shared<O, T> {
        self.permit.release_all_but(1);
        Shared { permit: self.permit, value: PhantomData }
    }
}

/// The value `T` for one of several that read.
pub(crate) struct Shared<O: OwnerRef, T: ?Sized> {
    permit: RawPermit<O>,
    value: PhantomData<T>,
}

impl<O, T: ?Sized> Shared<O, T>
where
    O: OwnerRef<Target: Lock<true, Value = T> + Owner>,
{
    pub(crate) const COUNT: usize = 1;

    #[inline]
    pub(crate) fn new(permit: RawPermit<O>) -> Self {
        assert_eq!(permit.count(), Self::COUNT, "one permit");
        Shared { permit, value: PhantomData }
    }

    #[inline]
    pub(crate) fn owner(&self) -> &O {
        self.permit.owner()
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: this has one permit of the value, so nobody has all (see above). Exercised by
        // `soundness::values_behind_async_locks`.
        unsafe { &*self.owner().guarded().value.get() }
    }
}

/// A guard of a lock that `O` leads to.
pub(crate) trait Guard<O: OwnerRef> {
    const COUNT: usize;

    fn new(permit: RawPermit<O>) -> Self;
}

/// Waits for a guard.
#[inline]
pub(crate) fn acquire<O: OwnerRef, G: Guard<O>>(owner: O) -> impl Future<Output = G> + Unpin {
    Acquire::new(
        owner,
        || G::COUNT,
        |permit: Result<RawPermit<O>, Closed>| {
            G::new(permit.unwrap_or_else(|Closed| unreachable!("a lock is not closed")))
        },
    )
}

/// A guard, if it is available at once.
pub(crate) fn try_acquire<O: OwnerRef, G: Guard<O>>(owner: O) -> Option<G> {
    RawPermit::try_new(owner, G::COUNT).ok().map(G::new)
}

/// A guard that a [`Cond`](crate::sync::Cond) takes, and gives back after the wait.
pub trait Relock: Sized {
    /// Locks the same lock in the same way.
    #[doc(hidden)]
    fn relock(&self) -> impl Future<Output = Self> + Unpin + use<Self>;
}

/// What the guards of both locks have: each is `Exclusive` or `Shared`, with a reference to its lock.
macro_rules! guard {
    (read $guard:ident <$($lifetime:lifetime,)? T>($access:ty, $owner:ty)) => {
        impl<$($lifetime,)? T: ?Sized> $crate::sync::guarded::Guard<$owner>
            for $guard<$($lifetime,)? T>
        {
            const COUNT: usize = <$access>::COUNT;

            #[inline]
            fn new(permit: $crate::sync::acquire::RawPermit<$owner>) -> Self {
                $guard(<$access>::new(permit))
            }
        }

        impl<$($lifetime,)? T: ?Sized> $crate::sync::guarded::Relock for $guard<$($lifetime,)? T> {
            fn relock(&self) -> impl Future<Output = Self> + Unpin + use<$($lifetime,)? T> {
                $crate::sync::guarded::acquire(self.0.owner().clone())
            }
        }

        impl<$($lifetime,)? T: ?Sized> std::ops::Deref for $guard<$($lifetime,)? T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                self.0.get()
            }
        }

        impl<$($lifetime,)? T: ?Sized + std::fmt::Debug> std::fmt::Debug for $guard<$($lifetime,)? T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<$($lifetime,)? T: ?Sized + std::fmt::Display> std::fmt::Display for $guard<$($lifetime,)? T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }
    };
    (write $guard:ident <$($lifetime:lifetime,)? T>($access:ty, $owner:ty)) => {
        $crate::sync::guarded::guard!(read $guard<$($lifetime,)? T>($access, $owner));

        impl<$($lifetime,)? T: ?Sized> std::ops::DerefMut for $guard<$($lifetime,)? T> {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                self.0.get_mut()
            }
        }
    };
}
pub(crate) use guard;
