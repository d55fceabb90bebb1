//! A value and the permits that are needed to access it: all of one for a change, one to read.
//!
//! # Why it is sound
//!
//! - [`Guarded`] lends its value to nobody but [`Exclusive`], [`Shared`], and those who have it alone
//!   (`get_mut`, `into_inner`).
//! - An `Exclusive` has all permits and a `Shared` one. Permits are taken and given back only by the
//!   `Held` in them, they are never added or forgotten, and there are as many as at the start. So an
//!   `Exclusive` is alone, and lends its value as it is borrowed itself.
//! - The permits are those of the value: both come from `home().guarded()`. A home is a reference or
//!   an `Arc`, and both `Locks`, a mutex and a readers-writer lock, return their only field.
//! - Former accesses happen before later ones, since who takes permits acquires what was released
//!   when they were given back (`permits.rs`).

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::sync::acquire::{HasPermits, Held, Home};
use crate::sync::permits::{self, Permits};

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
    /// How many permits there are.
    pub(crate) const ALL: usize = if SHARED { permits::MAX } else { 1 };

    pub(crate) fn new(value: T) -> Self
    where
        T: Sized,
    {
        Guarded { permits: Permits::new(Self::ALL), value: UnsafeCell::new(value) }
    }

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
pub(crate) trait Locks<const SHARED: bool> {
    type Value: ?Sized;

    fn guarded(&self) -> &Guarded<Self::Value, SHARED>;
}

type Value<H, const SHARED: bool> = <<H as Deref>::Target as Locks<SHARED>>::Value;

/// The value for one alone.
pub(crate) struct Exclusive<H: Home<Target: Locks<SHARED>>, const SHARED: bool> {
    held: Held<H>,
    /// It can be sent, or shared, if that is true of the value.
    value: PhantomData<Value<H, SHARED>>,
}

impl<H: Home<Target: Locks<SHARED> + HasPermits>, const SHARED: bool> Exclusive<H, SHARED> {
    pub(crate) fn new(held: Held<H>) -> Self {
        assert_eq!(held.count(), Guarded::<Value<H, SHARED>, SHARED>::ALL, "all permits");
        Exclusive { held, value: PhantomData }
    }

    pub(crate) fn home(&self) -> &H {
        self.held.home()
    }

    #[inline]
    pub(crate) fn get(&self) -> &Value<H, SHARED> {
        // SAFETY: this has all permits of the value (see above), and lends it while it is borrowed.
        // Exercised by `soundness::values_behind_async_locks`.
        unsafe { &*self.home().guarded().value.get() }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut Value<H, SHARED> {
        // SAFETY: likewise, and it is borrowed mutably. Exercised by
        // `soundness::values_behind_async_locks`.
        unsafe { &mut *self.home().guarded().value.get() }
    }
}

impl<H: Home<Target: Locks<true> + HasPermits>> Exclusive<H, true> {
    /// Others may read from now on.
    pub(crate) fn downgrade(mut self) -> Shared<H> {
        self.held.keep(1);
        Shared { held: self.held, value: PhantomData }
    }
}

/// The value for one of several that read.
pub(crate) struct Shared<H: Home<Target: Locks<true>>> {
    held: Held<H>,
    value: PhantomData<Value<H, true>>,
}

impl<H: Home<Target: Locks<true> + HasPermits>> Shared<H> {
    pub(crate) fn new(held: Held<H>) -> Self {
        assert_eq!(held.count(), 1, "one permit");
        Shared { held, value: PhantomData }
    }

    #[inline]
    pub(crate) fn get(&self) -> &Value<H, true> {
        // SAFETY: this has one permit of the value, so nobody has all (see above). Exercised by
        // `soundness::values_behind_async_locks`.
        unsafe { &*self.held.home().guarded().value.get() }
    }
}

/// The traits of guards: `read`, or `write` for those that also change the value.
macro_rules! guard {
    (read $guard:ident <$($lifetime:lifetime,)? T>) => {
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
    (write $guard:ident <$($lifetime:lifetime,)? T>) => {
        $crate::sync::guarded::guard!(read $guard<$($lifetime,)? T>);

        impl<$($lifetime,)? T: ?Sized> std::ops::DerefMut for $guard<$($lifetime,)? T> {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                self.0.get_mut()
            }
        }
    };
}
pub(crate) use guard;
