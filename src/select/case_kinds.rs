//! The kinds of cases: a receive, a send, and any other future.
//!
//! `select!` writes `Kind(expression).case()`. For the futures of channels that is an inherent
//! method of `Kind`, which takes precedence over the trait method for all other futures.

#![forbid(unsafe_code)]
#![allow(missing_docs)] // Public for the macro only, and hidden.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::chan::claim::Claim;
use crate::chan::error::SendError;
use crate::chan::lock::{Lock, LockGuard};
use crate::chan::recv::Recv;
use crate::chan::send::{Closed, Send, SendFrom, unsent};
use crate::chan::slots::Slots;
use crate::select::cases::Case;

/// The future behind the `=` of a case.
pub struct Kind<F>(F);

#[inline]
pub fn kind<F: Awaitable>(future: F) -> Kind<F> {
    Kind(future)
}

impl<'a, T> Kind<Recv<'a, T>> {
    /// A future that was polled already gives up its place in the queue.
    #[inline]
    pub fn case(mut self) -> Receives<'a, T> {
        self.0.cancel();
        Receives(self.0)
    }
}

impl<'a, T> Kind<Send<'a, T>> {
    #[inline]
    pub fn case(mut self) -> SendsOwn<'a, T> {
        self.0.op.cancel(&mut self.0.value);
        SendsOwn(self.0)
    }
}

impl<'a, T> Kind<SendFrom<'a, T>> {
    #[inline]
    pub fn case(mut self) -> SendsFrom<'a, T> {
        self.0.op.cancel(self.0.value);
        SendsFrom(self.0)
    }
}

pub trait OtherFuture {
    type Future;
    fn case(self) -> Other<Self::Future>;
}

impl<F: Awaitable> OtherFuture for Kind<F> {
    type Future = F::IntoFuture;

    #[inline]
    fn case(self) -> Other<F::IntoFuture> {
        Other { future: self.0.into_future() }
    }
}

#[diagnostic::on_unimplemented(
    message = "a case of `select!` has a future behind its `=`, and `{Self}` is none",
    label = "this is no future",
    note = "if it is the result of an `.await`, leave that out: `v = rx.recv() => ..`",
    note = "if it is the receiver of a channel, say `.recv()`: `_ = time::after(limit).recv() => ..`"
)]
pub trait Awaitable: IntoFuture {}

impl<F: IntoFuture> Awaitable for F {}

pub struct Receives<'a, T>(Recv<'a, T>);

impl<'a, T> Case<'a> for Receives<'a, T> {
    const IS_OTHER: bool = false;
    const IS_BOXED: bool = false;
    type Output = Option<T>;

    #[inline]
    fn channel(&self) -> Option<&'a Lock> {
        Some(self.0.core().lock())
    }

    #[inline]
    fn may_be_ready(&self) -> bool {
        self.0.core().unlocked.may_receive()
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        unreachable!("cases at channels are attempted")
    }

    #[inline]
    fn attempt(
        self: Pin<&mut Self>,
        guard: &mut LockGuard<'_>,
    ) -> Option<(Option<T>, Option<Waker>)> {
        self.get_mut().0.attempt(guard)
    }

    fn enqueue(self: Pin<&mut Self>, guard: &mut LockGuard<'_>, claim: &Arc<Claim>, number: u8) {
        self.get_mut().0.enqueue(guard, claim, number);
    }

    fn park(self: Pin<&mut Self>, _: bool) -> bool {
        false
    }

    fn take_outcome(self: Pin<&mut Self>) -> Option<T> {
        self.get_mut().0.take_outcome()
    }
}

/// A sending case; `$failed` is the content of its error.
macro_rules! sends {
    ($name:ident of $future:ident, $error:ty, |$value:ident| $failed:expr) => {
        pub struct $name<'a, T>($future<'a, T>);

        impl<'a, T> $name<'a, T> {
            #[inline]
            fn output(&mut self, result: Result<(), Closed>) -> Result<(), SendError<$error>> {
                let $value = &mut self.0.value;
                result.map_err(|Closed| SendError($failed))
            }
        }

        impl<'a, T> Case<'a> for $name<'a, T> {
            const IS_OTHER: bool = false;
            const IS_BOXED: bool = Slots::<T>::ARE_BOXED;
            type Output = Result<(), SendError<$error>>;

            #[inline]
            fn channel(&self) -> Option<&'a Lock> {
                Some(self.0.op.core().lock())
            }

            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
                unreachable!("cases at channels are attempted")
            }

            #[inline]
            fn attempt(
                self: Pin<&mut Self>,
                guard: &mut LockGuard<'_>,
            ) -> Option<(Self::Output, Option<Waker>)> {
                let this = self.get_mut();
                let $future { op, value } = &mut this.0;
                let (result, wake) = op.attempt(value, guard)?;
                Some((this.output(result), wake))
            }

            fn enqueue(
                self: Pin<&mut Self>,
                guard: &mut LockGuard<'_>,
                claim: &Arc<Claim>,
                number: u8,
            ) {
                let $future { op, value } = &mut self.get_mut().0;
                op.enqueue(value, guard, claim, number);
            }

            fn park(self: Pin<&mut Self>, waits: bool) -> bool {
                let $future { op, value } = &mut self.get_mut().0;
                op.park(value, waits)
            }

            fn take_outcome(self: Pin<&mut Self>) -> Self::Output {
                let this = self.get_mut();
                let $future { op, value } = &mut this.0;
                let result = op.take_outcome(value);
                this.output(result)
            }
        }
    };
}

sends!(SendsOwn of Send, T, |value| unsent(value));
sends!(SendsFrom of SendFrom, (), |_value| ());

impl<T> Unpin for SendsOwn<'_, T> {}

pin_project! {
    pub struct Other<F> {
        #[pin]
        future: F,
    }
}

impl<'a, F: Future> Case<'a> for Other<F> {
    const IS_OTHER: bool = true;
    const IS_BOXED: bool = false;
    type Output = F::Output;

    #[inline]
    fn channel(&self) -> Option<&'a Lock> {
        None
    }

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }

    fn attempt(self: Pin<&mut Self>, _: &mut LockGuard<'_>) -> Option<(F::Output, Option<Waker>)> {
        unreachable!("this is no case at a channel")
    }

    fn enqueue(self: Pin<&mut Self>, _: &mut LockGuard<'_>, _: &Arc<Claim>, _: u8) {
        unreachable!("this is no case at a channel")
    }

    fn park(self: Pin<&mut Self>, _: bool) -> bool {
        false
    }

    fn take_outcome(self: Pin<&mut Self>) -> F::Output {
        unreachable!("this is no case at a channel")
    }
}
