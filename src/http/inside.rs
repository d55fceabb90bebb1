//! A future that has to be awaited inside a runtime.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::handle::Handle;

pin_project! {
    /// It says so before it does anything, where it is awaited.
    pub(super) struct Inside<F> {
        #[pin]
        future: F,
        name: &'static str,
        has_begun: bool,
    }
}

impl<F> Inside<F> {
    /// `name` is what its user calls it.
    pub(super) fn new(name: &'static str, future: F) -> Self {
        Inside { future, name, has_begun: false }
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !*this.has_begun {
            assert!(
                Handle::try_current().is_some(),
                "`{}` was awaited on a thread that belongs to no gorun runtime; await it inside \
                 `gorun::block_on`",
                this.name
            );
            *this.has_begun = true;
        }
        this.future.poll(cx)
    }
}
