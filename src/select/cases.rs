//! The cases of a `select!`, as a list of types.
//!
//! `And<And<Nil, A>, B>` holds the cases `A` and `B`, numbered from 0.
//! `Choice<Choice<Never, A::Output>, B::Output>` says which of them happened, and has its value.
//! Each method walks to the case with a number. An array of `dyn` cases would have to keep the
//! values of different types beside the cases. Then one value that is not `Send` would make the
//! whole future not `Send`.

#![forbid(unsafe_code)]
#![allow(missing_docs)] // Public for the macro only, and hidden.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::chan::claim::Claim;
use crate::chan::lock::{Lock, LockGuard};
use crate::select::order::Order;

/// No cases.
pub struct Nil;

pin_project! {
    /// The cases before, and one more, which may be disabled.
    ///
    /// Never `Unpin`: the optimiser asks, and could find out only by a walk through the whole list.
    /// That takes two steps for each case, more than `recursion_limit` allows for 64 cases.
    #[project(!Unpin)]
    pub struct And<R, C> {
        #[pin]
        pub rest: R,
        #[pin]
        pub case: Option<C>,
    }
}

/// Which case happened.
pub enum Choice<R, T> {
    Before(R),
    Last(T),
}

/// A case. The methods from `attempt` on are for cases at a channel.
pub trait Case<'a> {
    /// Whether the case is not at a channel.
    const IS_OTHER: bool;
    /// Whether it sends a value that waits in a box.
    const IS_BOXED: bool;
    type Output;

    /// The channel's lock, if the case is at a channel.
    fn channel(&self) -> Option<&'a Lock>;

    /// `false`: an attempt a moment ago would have found nothing. With the channel's lock that is
    /// certain.
    fn may_be_ready(&self) -> bool {
        true
    }

    /// Polls a future that is not a channel operation.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;

    /// Makes the case happen if that is possible at once. The caller wakes the waker in the result.
    fn attempt(
        self: Pin<&mut Self>,
        guard: &mut LockGuard<'_>,
    ) -> Option<(Self::Output, Option<Waker>)>;

    /// Enters the channel's queue with `claim` and its number, unless it is there already.
    fn enqueue(self: Pin<&mut Self>, guard: &mut LockGuard<'_>, claim: &Arc<Claim>, number: u8);

    /// Boxes a large value that an attempt found unboxed, or that is about to wait. Whether it did.
    /// No lock may be held.
    fn park(self: Pin<&mut Self>, waits: bool) -> bool;

    /// Collects the outcome that a partner has decided. Takes the lock itself.
    fn take_outcome(self: Pin<&mut Self>) -> Self::Output;
}

/// All the cases.
pub trait Cases<'a> {
    const COUNT: usize;
    const HAS_OTHERS: bool;
    const HAS_BOXED: bool;
    type Output;

    fn is_enabled(&self, number: usize) -> bool;
    fn channel(&self, number: usize) -> Option<&'a Lock>;
    /// Those that are enabled and may be ready; if `only_others`, none at channels.
    fn order(&self, only_others: bool) -> Order;
    /// As [`Case::may_be_ready`]; `false` if the case is disabled.
    fn may_be_ready(&self, number: usize) -> bool;
    fn poll(self: Pin<&mut Self>, number: usize, cx: &mut Context<'_>) -> Poll<Self::Output>;
    fn attempt(
        self: Pin<&mut Self>,
        number: usize,
        guard: &mut LockGuard<'_>,
    ) -> Option<(Self::Output, Option<Waker>)>;
    fn enqueue(self: Pin<&mut Self>, number: usize, guard: &mut LockGuard<'_>, claim: &Arc<Claim>);
    fn park(self: Pin<&mut Self>, number: usize, waits: bool) -> bool;
    fn take_outcome(self: Pin<&mut Self>, number: usize) -> Self::Output;
}

impl<'a> Cases<'a> for Nil {
    const COUNT: usize = 0;
    const HAS_OTHERS: bool = false;
    const HAS_BOXED: bool = false;
    type Output = Infallible;

    fn is_enabled(&self, _: usize) -> bool {
        no_such_case()
    }

    fn channel(&self, _: usize) -> Option<&'a Lock> {
        no_such_case()
    }

    #[inline(always)]
    fn order(&self, _: bool) -> Order {
        Order::EMPTY
    }

    fn may_be_ready(&self, _: usize) -> bool {
        no_such_case()
    }

    fn poll(self: Pin<&mut Self>, _: usize, _: &mut Context<'_>) -> Poll<Infallible> {
        no_such_case()
    }

    fn attempt(
        self: Pin<&mut Self>,
        _: usize,
        _: &mut LockGuard<'_>,
    ) -> Option<(Infallible, Option<Waker>)> {
        no_such_case()
    }

    fn enqueue(self: Pin<&mut Self>, _: usize, _: &mut LockGuard<'_>, _: &Arc<Claim>) {
        no_such_case()
    }

    fn park(self: Pin<&mut Self>, _: usize, _: bool) -> bool {
        no_such_case()
    }

    fn take_outcome(self: Pin<&mut Self>, _: usize) -> Infallible {
        no_such_case()
    }
}

#[cold]
fn no_such_case() -> ! {
    unreachable!("cases are numbered from 0 to COUNT")
}

impl<'a, R: Cases<'a>, C: Case<'a>> Cases<'a> for And<R, C> {
    const COUNT: usize = R::COUNT + 1;
    const HAS_OTHERS: bool = R::HAS_OTHERS || C::IS_OTHER;
    const HAS_BOXED: bool = R::HAS_BOXED || C::IS_BOXED;
    type Output = Choice<R::Output, C::Output>;

    #[inline]
    fn is_enabled(&self, number: usize) -> bool {
        if number == R::COUNT { self.case.is_some() } else { self.rest.is_enabled(number) }
    }

    #[inline]
    fn channel(&self, number: usize) -> Option<&'a Lock> {
        if number == R::COUNT {
            self.case.as_ref().and_then(Case::channel)
        } else {
            self.rest.channel(number)
        }
    }

    #[inline(always)]
    fn order(&self, only_others: bool) -> Order {
        let mut order = self.rest.order(only_others);
        if let Some(case) = &self.case {
            order.add(R::COUNT, C::IS_OTHER || !only_others && case.may_be_ready());
        }
        order
    }

    #[inline]
    fn may_be_ready(&self, number: usize) -> bool {
        if number == R::COUNT {
            self.case.as_ref().is_some_and(Case::may_be_ready)
        } else {
            self.rest.may_be_ready(number)
        }
    }

    #[inline]
    fn poll(self: Pin<&mut Self>, number: usize, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if number == R::COUNT {
            self.case().poll(cx).map(Choice::Last)
        } else {
            self.project().rest.poll(number, cx).map(Choice::Before)
        }
    }

    #[inline]
    fn attempt(
        self: Pin<&mut Self>,
        number: usize,
        guard: &mut LockGuard<'_>,
    ) -> Option<(Self::Output, Option<Waker>)> {
        if number == R::COUNT {
            self.case().attempt(guard).map(|(output, wake)| (Choice::Last(output), wake))
        } else {
            let rest = self.project().rest.attempt(number, guard);
            rest.map(|(output, wake)| (Choice::Before(output), wake))
        }
    }

    #[inline]
    fn enqueue(self: Pin<&mut Self>, number: usize, guard: &mut LockGuard<'_>, claim: &Arc<Claim>) {
        if number == R::COUNT {
            self.case().enqueue(guard, claim, number as u8);
        } else {
            self.project().rest.enqueue(number, guard, claim);
        }
    }

    #[inline]
    fn park(self: Pin<&mut Self>, number: usize, waits: bool) -> bool {
        if number == R::COUNT {
            self.case().park(waits)
        } else {
            self.project().rest.park(number, waits)
        }
    }

    #[inline]
    fn take_outcome(self: Pin<&mut Self>, number: usize) -> Self::Output {
        if number == R::COUNT {
            Choice::Last(self.case().take_outcome())
        } else {
            Choice::Before(self.project().rest.take_outcome(number))
        }
    }
}

impl<R, C> And<R, C> {
    #[inline]
    fn case(self: Pin<&mut Self>) -> Pin<&mut C> {
        self.project().case.as_pin_mut().expect("only enabled cases are asked")
    }
}
