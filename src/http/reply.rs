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
    /// That of the service, or none. While it is there, the request is in work.
    pub(super) struct Reply<B> {
        #[pin]
        body: Option<B>,
        _work: Work,
    }
}

impl<B> Reply<B> {
    pub(super) fn new(body: Option<B>, work: Work) -> Self {
        Reply { body, _work: work }
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
        let mut body = self.project().body;
        let Some(some) = body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match contain(|| some.poll_frame(cx)) {
            Ok(polled) => polled.map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            Err(Panicked) => {
                let _ = contain(|| body.set(None));
                Poll::Ready(Some(Err("the body of the answer has panicked".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
