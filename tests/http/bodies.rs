//! Bodies that are too large, or end in the middle.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::http::Server;
use gorun::net::TcpStream;
use gorun::{Handle, WaitGroup};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};

use super::client::*;
use super::common::*;

/// An answer without an end, or without a body.
struct Flow {
    is_endless: bool,
    _counted: Counted,
}

/// The other half of a `WaitGroup`'s `add`.
struct Counted(WaitGroup);

impl Counted {
    fn new(all: &WaitGroup) -> Self {
        all.add(1);
        Counted(all.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.done();
    }
}

impl Body for Flow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = || Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])));
        Poll::Ready(self.is_endless.then(piece))
    }
}

#[test]
fn bodies_that_are_reset_in_the_middle_end_with_their_handlers_and_others_go_on() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let all = WaitGroup::new();
            let server = Server::new(service_fn({
                let all = all.clone();
                move |request: Request<hyper::body::Incoming>| {
                    let _counted = Counted::new(&all);
                    async move {
                        let is_endless = request.uri().path() == "/down";
                        // One that breaks off is an error, not an end.
                        if request.uri().path() == "/up" {
                            request.into_body().collect().await.unwrap_err();
                        }
                        Ok::<_, Infallible>(Response::new(Flow { is_endless, _counted }))
                    }
                }
            }));
            let address = start(&server).await;
            let (mut polite, two) = (connect1(address).await, stream_of_bodies(address).await);
            for round in 0..scaled(100, 20) {
                let mut stream = TcpStream::connect(address).await.unwrap();
                if round % 2 == 0 {
                    let head =
                        b"POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n";
                    stream.write_all(head).await.unwrap();
                    stream.write_all(&[0; 50_000]).await.unwrap();
                } else {
                    stream.write_all(b"GET /down HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                    stream.read_exact(&mut [0; 50_000]).await.unwrap();
                }
                stream.set_linger(Some(Duration::ZERO)).unwrap();
                drop(stream);

                // Streams of one connection, which itself goes on.
                let mut client = two.clone();
                client.ready().await.unwrap();
                let path = if round % 2 == 0 { "/up" } else { "/down" };
                let (is_endless, _counted) = (round % 2 == 0, Counted::new(&all));
                let request = Request::post(format!("http://x{path}"));
                let request = request.body(Flow { is_endless, _counted }).unwrap();
                let mut answer = Box::pin(client.send_request(request));
                if round % 2 == 0 {
                    // Some of the body goes out.
                    for _ in 0..20 {
                        assert!(futures::poll!(&mut answer).is_pending());
                        gorun::yield_now().await;
                    }
                } else {
                    let mut body = answer.await.unwrap().into_body();
                    for _ in 0..20 {
                        assert!(body.frame().await.unwrap().unwrap().is_data());
                    }
                }

                polite.ready().await.unwrap();
                let answer = polite.send_request(get("/")).await.unwrap();
                assert_eq!(read(answer).await.0, 200);
            }
            drop((polite, two));
            all.wait().await;
            server.shutdown(HOUR).await.unwrap();
        });
    }
}

async fn stream_of_bodies(address: std::net::SocketAddr) -> http2::SendRequest<Flow> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = http2::handshake(Handle::current(), stream).await.unwrap();
    gorun::go!(async move { drop(connection.await) });
    client
}

/// Whether the length is said before, or not.
#[test]
fn a_body_beyond_the_handlers_limit_gets_413_and_is_not_read_to_its_end() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let router = axum::Router::new()
                .route("/", post(|body: Bytes| async move { body.len().to_string() }))
                .layer(DefaultBodyLimit::max(1_000));
            let address = start(&Server::new(router)).await;
            let head = "POST / HTTP/1.1\r\nhost: x\r\n";
            let fits = format!(
                "{head}connection: close\r\ncontent-length: 1000\r\n\r\n{}",
                "x".repeat(1_000)
            );
            assert!(exchange(address, fits.as_bytes()).await.ends_with("1000"));

            let piece = [b'x'; 0x800];
            let chunk = [&b"800\r\n"[..], &piece, b"\r\n"].concat();
            let length = "content-length: 100000000000";
            let coding = "transfer-encoding: chunked";
            for (header, more) in [(length, &piece[..]), (coding, &chunk)] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let head = format!("{head}{header}\r\n\r\n");
                stream.write_all(&[head.as_bytes(), more].concat()).await.unwrap();
                refuses(stream, more).await;
            }
        });
    }
}

/// The answer comes, and the connection ends before it has taken much more.
async fn refuses(mut stream: TcpStream, more: &[u8]) {
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    let more = more.repeat(100_000 / more.len());
    let mut sent = 0;
    while stream.write_all(&more).await.is_ok() {
        sent += more.len();
        assert!(sent < 100 << 20, "the server reads on");
    }
}
