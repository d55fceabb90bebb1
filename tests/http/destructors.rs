//! Users' code that panics where nobody awaits it: the request ends, or its connection, and others go on.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use gorun::http::Server;
use http_body_util::BodyExt;
use hyper::body::{Body, Buf, Bytes, Frame, Incoming, SizeHint};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};

use super::client::*;
use super::common::*;

/// Where one panics, as the path of a request.
const PLACES: [&str; 9] = [
    "/handler-drop",
    "/body-drop",
    "/end",
    "/hint",
    "/answer-error",
    "/body-error",
    "/chunk",
    "/advance",
    "/data-drop",
];

/// Panics in one place.
#[derive(Clone, Debug)]
struct Mine(String);

impl Mine {
    fn passes(&self, place: &str) {
        assert_ne!(self.0, place, "boom");
    }
}

struct Handler(Mine);

impl Future for Handler {
    type Output = Result<Response<Reply>, Failure>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.0.0.as_str() {
            "/answer-error" => Err(Failure(self.0.clone())),
            _ => Ok(Response::new(Reply { mine: self.0.clone(), is_sent: false })),
        })
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.0.passes("/handler-drop");
    }
}

struct Failure(Mine);

impl From<Failure> for Box<dyn std::error::Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        failure.0.passes("/answer-error");
        failure.0.passes("/body-error");
        "no answer".into()
    }
}

struct Reply {
    mine: Mine,
    is_sent: bool,
}

impl Body for Reply {
    type Data = Data;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Data>, Failure>>> {
        if std::mem::replace(&mut self.is_sent, true) {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(match self.mine.0.as_str() {
            "/body-error" => Err(Failure(self.mine.clone())),
            _ => {
                Ok(Frame::data(Data { mine: self.mine.clone(), left: Bytes::from_static(b"fine") }))
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.mine.passes("/end");
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.mine.passes("/hint");
        SizeHint::default()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.mine.passes("/body-drop");
    }
}

struct Data {
    mine: Mine,
    left: Bytes,
}

impl Buf for Data {
    fn remaining(&self) -> usize {
        self.left.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.mine.passes("/chunk");
        &self.left
    }

    fn advance(&mut self, count: usize) {
        self.mine.passes("/advance");
        self.left.advance(count);
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.mine.passes("/data-drop");
    }
}

async fn is_answered1(address: SocketAddr, path: &str) -> bool {
    let answer = connect1(address).await.send_request(get(path)).await;
    is_fine(answer).await
}

async fn is_answered2(address: SocketAddr, path: &str) -> bool {
    let answer = connect2(address).await.send_request(get(path)).await;
    is_fine(answer).await
}

async fn is_fine(answer: hyper::Result<Response<Incoming>>) -> bool {
    let Ok(answer) = answer else { return false };
    answer.into_body().collect().await.is_ok_and(|body| body.to_bytes() == "fine")
}

#[test]
fn a_panic_in_a_destructor_a_body_or_a_buffer_ends_its_connection_at_most() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let handler =
                |request: Request<Incoming>| Handler(Mine(request.uri().path().to_owned()));
            let server = Server::new(service_fn(handler));
            let address = start(&server).await;
            let mut other = connect2(address).await;
            for place in PLACES {
                let (one, two) =
                    futures::join!(is_answered1(address, place), is_answered2(address, place));
                // Some are met when the answer has been sent.
                if !place.ends_with("-drop") && place != "/advance" {
                    assert!(!one && !two, "{place} is met: {one} {two}");
                }
                assert!(is_fine(other.send_request(get("/")).await).await, "after {place}");
                assert!(is_answered1(address, "/").await, "after {place}");
            }
            drop(other);
            server.shutdown(HOUR).await.unwrap();
        });
    }
}

/// It panics when it is cloned for the second connection.
struct Clones(u32);

impl Clone for Clones {
    fn clone(&self) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        match self.0 {
            0 => {
                let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                assert_ne!(number, 1, "boom");
                Clones(1)
            }
            other => Clones(other),
        }
    }
}

impl Service<Request<Incoming>> for Clones {
    type Response = Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<String>, Self::Error>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(Response::new("fine".to_owned())))
    }
}

#[test]
fn a_service_that_panics_when_it_is_cloned_costs_a_connection() {
    let _watchdog = watchdog();
    run(2, async {
        let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        gorun::go!(async move { gorun::http::serve(listener, Clones(0)).await.unwrap() });
        for expected in [true, false, true] {
            assert_eq!(is_answered1(address, "/").await, expected);
        }
    });
}
