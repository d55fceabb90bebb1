//! A future in which a key has a value.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::key::LocalKey;

impl<T: 'static> LocalKey<T> {
    /// A future in which the key has this value. Its destructor sees the value, too.
    ///
    /// The value is dropped with the future. An inner scope of the same key hides it.
    ///
    /// # Examples
    ///
    /// See [`LocalKey`].
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> Scope<T, F> {
        Scope { future: Some(future), value: Some(value), key: self }
    }
}

pin_project! {
    /// The future of [`LocalKey::scope`].
    ///
    /// # Panics
    ///
    /// When it is polled inside [`LocalKey::with`] of the same key, or again after it has completed.
    ///
    /// # Examples
    ///
    /// See [`LocalKey`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scope<T, F>
    where
        T: 'static,
    {
        // `None` when it has been dropped.
        #[pin]
        future: Option<F>,
        // While the future is polled, this is the key's outer value.
        value: Option<T>,
        key: &'static LocalKey<T>,
    }

    impl<T, F> PinnedDrop for Scope<T, F>
    where
        T: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let future = &mut this.future;
                // If the key cannot have the value, the future is dropped without it.
                let _ = this.key.swapped(this.value, || future.set(None));
            }
        }
    }
}

impl<T: 'static, F: Future> Future for Scope<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let future = &mut this.future;
        let polled = this.key.swapped(this.value, || {
            let polled = future.as_mut().as_pin_mut()?.poll(cx);
            if polled.is_ready() {
                future.set(None);
            }
            Some(polled)
        });
        // Not in the closure, which does not know the caller's line.
        match polled {
            Ok(Some(polled)) => polled,
            Ok(None) => panic!("a `Scope` was polled after it had completed"),
            Err(refused) => refused.panic(),
        }
    }
}

impl<T: 'static, F> fmt::Debug for Scope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
