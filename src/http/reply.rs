//! The body of an answer.

#![forbid(unsafe_code)]

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::activity::Work;
use super::panics::{Panicked, contain};

pin_project! {
    /// That of the service, or none. It is in work while it makes a frame; then it is the peer's turn,
    /// until `hyper` asks for another one.
    pub(super) struct Reply<B> {
        #[pin]
        body: Option<B>,
        work: Work,
    }
}

impl<B> Reply<B> {
    pub(super) fn new(body: Option<B>, mut work: Work) -> Self {
        work.rest();
        Reply { body, work }
    }
}

impl<B> Body for Reply<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let this = self.project();
        let mut body = this.body;
        let Some(some) = body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        // Before the poll, which may block its thread.
        this.work.go_on();
        let polled =
            contain(|| some.poll_frame(cx).map_err(Into::into)).unwrap_or_else(|Panicked| {
                let _ = contain(|| body.set(None));
                Poll::Ready(Some(Err("the body of the answer has panicked".into())))
            });
        if polled.is_ready() {
            this.work.rest();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
