//! The answer to a request: that of the service, or what the server says instead.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode, Version};
use pin_project_lite::pin_project;

use super::activity::{Activity, Kind, Work};
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
        // The request wants no more than the head. With HTTP/1, `hyper` sees to that.
        is_head: bool,
        work: Option<Work>,
    }
}

impl<S: HttpService> Service<Request<Incoming>> for Answering<S> {
    type Response = Response<Reply<S::Body>>;
    type Error = S::Error;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        let work = Some(self.activity.begin(kind(&request)));
        let is_head = request.version() == Version::HTTP_2 && request.method() == Method::HEAD;
        if !names_its_host(&request) {
            return Answer { handler: None, status: StatusCode::BAD_REQUEST, is_head, work };
        }
        let handler = contain(|| self.service.answer(request)).ok();
        Answer { handler, status: StatusCode::INTERNAL_SERVER_ERROR, is_head, work }
    }
}

impl<S: HttpService> Future for Answer<S> {
    type Output = Result<Response<Reply<S::Body>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        this.work.iter_mut().for_each(Work::go_on);
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
            Some(response) if *this.is_head => {
                without_body(response).map(|()| Reply::new(None, work))
            }
            Some(response) => response.map(|body| Reply::new(Some(body), work)),
            None => {
                let mut response = Response::new(Reply::new(None, work));
                *response.status_mut() = *this.status;
                response
            }
        }))
    }
}

/// What is left says how long the body was.
fn without_body<B: Body>(response: Response<B>) -> Response<()> {
    let (mut head, body) = response.into_parts();
    if !body.is_end_stream()
        && let Some(length) = body.size_hint().exact()
    {
        head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, ())
}

fn kind(request: &Request<Incoming>) -> Kind {
    match (request.version(), request.method()) {
        (Version::HTTP_2, &Method::CONNECT) => Kind::Tunnel,
        (Version::HTTP_2, _) => Kind::Stream,
        _ if request.body().is_end_stream() => Kind::Whole,
        _ => Kind::WithBody,
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
    host.as_bytes().iter().all(|&byte| IS_IN_AUTHORITY[usize::from(byte)])
}

/// Of each byte, whether it may be part of an authority.
static IS_IN_AUTHORITY: [bool; 256] = {
    let (mut table, others) = ([false; 256], b"-._~!$&'()*+,;=%:[]");
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut place = 0;
    while place < others.len() {
        table[others[place] as usize] = true;
        place += 1;
    }
    table
};
