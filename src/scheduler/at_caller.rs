//! A future that waits, for reports, where its owner awaits it, and not where code of gorun's inside it
//! awaits something.

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::scheduler::context;
use crate::scheduler::wait::Wait;

pin_project! {
    struct AtCaller<F> {
        #[pin]
        future: F,
    }
}

pub(crate) fn at_caller<F: Future>(future: F) -> impl Future<Output = F::Output> {
    AtCaller { future }
}

impl<F: Future> Future for AtCaller<F> {
    type Output = F::Output;

    #[inline]
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let place = Location::caller();
        let exchange = |wait| {
            context::with_inside(|context| context.and_then(|context| context.wait.replace(wait)))
        };
        let noted = exchange(None);
        let polled = self.project().future.poll(cx);
        match polled {
            Poll::Ready(_) => exchange(noted),
            Poll::Pending => {
                let inside = exchange(None);
                exchange(inside.map(|wait| Wait { place, ..wait }))
            }
        };
        polled
    }
}
