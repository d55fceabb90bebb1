//! The cases of a `select!`, as a list of types.
//!
//! `And<And<Nil, A>, B>` are the cases `A` and `B`, numbered from 0, and
//! `Choice<Choice<Never, A::Output>, B::Output>` is which of them happened, with its value. Each
//! method walks to the case with a number. (An array of `dyn` cases has nowhere to put values of
//! different types, except beside each case, and then a value that is not `Send` would make the
//! whole future so that waits for it.)

#![forbid(unsafe_code)]
#![allow(missing_docs)] // Public for the macro only, and hidden.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::chan::claim::Claim;
use crate::chan::lock::{Held, Lock};

/// No cases.
pub struct Nil;

pin_project! {
    /// Some cases, and one more, which may be disabled.
    ///
    /// Never `Unpin`, since the optimiser asks, and would find out only by going through all of the list:
    /// two steps for each case, which `recursion_limit` does not allow for as many as 64.
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

/// A case. The methods from `attempt` on are for those at a channel, and with its lock held.
pub trait Case<'a> {
    /// Whether it is at no channel.
    const IS_OTHER: bool;
    type Output;

    /// The lock of the channel, if this is a case at one.
    fn channel(&self) -> Option<&'a Lock>;

    /// Polls a future that is no operation at a channel.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;

    /// Does it if that is possible at once. Whoever is to be woken comes with the result.
    fn attempt(self: Pin<&mut Self>, held: &mut Held<'_>) -> Option<(Self::Output, Option<Waker>)>;

    /// Gets in line, with `claim` and its number, if it is not there yet.
    fn join(self: Pin<&mut Self>, held: &mut Held<'_>, claim: &Arc<Claim>, number: u8);

    /// What a partner has done for it. Takes the lock itself.
    fn finish(self: Pin<&mut Self>) -> Self::Output;
}

/// All the cases.
pub trait Cases<'a> {
    const COUNT: usize;
    const HAS_OTHERS: bool;
    type Output;

    fn is_enabled(&self, number: usize) -> bool;
    fn channel(&self, number: usize) -> Option<&'a Lock>;
    fn poll(self: Pin<&mut Self>, number: usize, cx: &mut Context<'_>) -> Poll<Self::Output>;
    fn attempt(
        self: Pin<&mut Self>,
        number: usize,
        held: &mut Held<'_>,
    ) -> Option<(Self::Output, Option<Waker>)>;
    fn join(self: Pin<&mut Self>, number: usize, held: &mut Held<'_>, claim: &Arc<Claim>);
    fn finish(self: Pin<&mut Self>, number: usize) -> Self::Output;
}

impl<'a> Cases<'a> for Nil {
    const COUNT: usize = 0;
    const HAS_OTHERS: bool = false;
    type Output = Infallible;

    fn is_enabled(&self, _: usize) -> bool {
        no_such_case()
    }

    fn channel(&self, _: usize) -> Option<&'a Lock> {
        no_such_case()
    }

    fn poll(self: Pin<&mut Self>, _: usize, _: &mut Context<'_>) -> Poll<Infallible> {
        no_such_case()
    }

    fn attempt(
        self: Pin<&mut Self>,
        _: usize,
        _: &mut Held<'_>,
    ) -> Option<(Infallible, Option<Waker>)> {
        no_such_case()
    }

    fn join(self: Pin<&mut Self>, _: usize, _: &mut Held<'_>, _: &Arc<Claim>) {
        no_such_case()
    }

    fn finish(self: Pin<&mut Self>, _: usize) -> Infallible {
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
        held: &mut Held<'_>,
    ) -> Option<(Self::Output, Option<Waker>)> {
        if number == R::COUNT {
            self.case().attempt(held).map(|(output, wake)| (Choice::Last(output), wake))
        } else {
            let rest = self.project().rest.attempt(number, held);
            rest.map(|(output, wake)| (Choice::Before(output), wake))
        }
    }

    #[inline]
    fn join(self: Pin<&mut Self>, number: usize, held: &mut Held<'_>, claim: &Arc<Claim>) {
        if number == R::COUNT {
            self.case().join(held, claim, number as u8);
        } else {
            self.project().rest.join(number, held, claim);
        }
    }

    #[inline]
    fn finish(self: Pin<&mut Self>, number: usize) -> Self::Output {
        if number == R::COUNT {
            Choice::Last(self.case().finish())
        } else {
            Choice::Before(self.project().rest.finish(number))
        }
    }
}

impl<R, C> And<R, C> {
    #[inline]
    fn case(self: Pin<&mut Self>) -> Pin<&mut C> {
        self.project().case.as_pin_mut().expect("only enabled cases are asked")
    }
}
