//! The answer to a request: that of the service, or what the server says instead.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::service::Service;
use hyper::{Request, Response, StatusCode, Version};
use pin_project_lite::pin_project;

use super::activity::{Activity, Work};
use super::panics::{Panicked, contain};
use super::reply::Reply;
use super::service::HttpService;

/// The service of a connection.
pub(super) struct Answering<S> {
    pub(super) service: S,
    pub(super) activity: Arc<Activity>,
}

pin_project! {
    pub(super) struct Answer<S: HttpService> {
        // Without it, the server answers.
        #[pin]
        handler: Option<S::Future>,
        status: StatusCode,
        work: Option<Work>,
    }
}

impl<S: HttpService> Service<Request<Incoming>> for Answering<S> {
    type Response = Response<Reply<S::Body>>;
    type Error = S::Error;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        let work = Some(self.activity.begin(request.version() == Version::HTTP_2));
        if !names_its_host(&request) {
            return Answer { handler: None, status: StatusCode::BAD_REQUEST, work };
        }
        let handler = contain(|| self.service.answer(request)).ok();
        Answer { handler, status: StatusCode::INTERNAL_SERVER_ERROR, work }
    }
}

impl<S: HttpService> Future for Answer<S> {
    type Output = Result<Response<Reply<S::Body>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let answered = match this.handler.as_mut().as_pin_mut() {
            None => Ok(None),
            Some(handler) => contain(|| handler.poll(cx)).map(Some),
        };
        let response = match answered {
            Ok(Some(polled)) => Some(ready!(polled)?),
            Ok(None) => None,
            Err(Panicked) => {
                let _ = contain(|| this.handler.set(None));
                None
            }
        };
        let work = this.work.take().expect("a future is not polled after it was ready");
        Poll::Ready(Ok(match response {
            Some(response) => response.map(|body| Reply::new(Some(body), work)),
            None => {
                let mut response = Response::new(Reply::new(None, work));
                *response.status_mut() = *this.status;
                response
            }
        }))
    }
}

/// RFC 9112, section 3.2.
fn names_its_host(request: &Request<Incoming>) -> bool {
    if request.version() != Version::HTTP_11 {
        return true;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    matches!((hosts.next(), hosts.next()), (Some(host), None) if is_authority(host))
}

fn is_authority(host: &HeaderValue) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte);
    host.as_bytes().iter().all(is_part)
}
