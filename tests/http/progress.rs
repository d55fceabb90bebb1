//! Peers that take or send what there is, but slowly, and peers that do not.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::Handle;
use gorun::http::{FuturesIo, Server};
use gorun::net::TcpStream;
use gorun::time::sleep;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};

use super::client::*;
use super::common::*;
use super::frames;

const LIMIT: Duration = Duration::from_millis(200);
/// From one byte to the next.
const PAUSE: Duration = Duration::from_millis(20);
/// Of these, several limits.
const PIECES: usize = 40;

fn http2_with_windows(size: u32) -> http2::Builder<Handle> {
    let mut builder = http2::Builder::new(Handle::current());
    builder.initial_stream_window_size(size).initial_connection_window_size(size);
    builder
}

#[test]
fn an_answer_that_is_taken_slowly_arrives() {
    const PIECE: usize = 1 << 15;
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|_| async { text(vec![b'x'; PIECES * PIECE]) });
            let server = server.idle_timeout(LIMIT).header_timeout(LIMIT);
            let address = start(&server).await;
            // A stream without buffers of the system.
            let (mut near, far) = gorun::io::duplex();
            let one = server.serve_connection(FuturesIo(far));
            let one = futures::future::join(one, async {
                near.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
                let (mut piece, mut taken) = (vec![0; PIECE], 0);
                loop {
                    sleep(PAUSE).await;
                    let count = near.read(&mut piece).await.unwrap();
                    taken += count;
                    if count == 0 {
                        break;
                    }
                }
                assert!(taken > PIECES * PIECE, "{taken} bytes, with the head");
            });
            let two = async {
                let stream = TcpStream::connect(address).await.unwrap();
                let (mut client, connection) =
                    http2_with_windows(PIECE as u32).handshake(stream).await.unwrap();
                gorun::go!(async move { drop(connection.await) });
                let mut body = client.send_request(get("/")).await.unwrap().into_body();
                let mut taken = 0;
                while let Some(frame) = body.frame().await {
                    let count = frame.expect("the connection goes on").into_data().unwrap().len();
                    taken += count;
                    sleep(PAUSE * count as u32 / PIECE as u32).await;
                }
                assert_eq!(taken, PIECES * PIECE);
            };
            futures::join!(one, two);
        });
    }
}

/// For ever, and tells when it is dropped.
struct Endless(gorun::WaitGroup);

impl Endless {
    fn new(dropped: &gorun::WaitGroup) -> Self {
        dropped.add(1);
        Endless(dropped.clone())
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1 << 13])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.done();
    }
}

#[test]
fn a_peer_that_takes_nothing_of_an_answer_is_not_waited_for() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let dropped = gorun::WaitGroup::new();
            let server = Server::new(service_fn({
                let dropped = dropped.clone();
                move |_| {
                    let body = Endless::new(&dropped);
                    async { hyper::Result::Ok(Response::new(body)) }
                }
            }));
            let address = start(&server.idle_timeout(LIMIT)).await;
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            let mut one = TcpStream::connect(address).await.unwrap();
            // The second answer waits behind the first one.
            one.write_all(&request.repeat(2)).await.unwrap();
            one.read_exact(&mut [0; 8]).await.unwrap();
            let mut two = connect2(address).await;
            let answer = two.send_request(get("/")).await.unwrap();
            let mut none = frames::begin(address, frames::NO_WINDOW).await;
            let flags = frames::END_HEADERS | frames::END_STREAM;
            none.write_all(&frames::frame(frames::HEADERS, flags, 1, frames::GET)).await.unwrap();
            while frames::next(&mut none).await.is_some_and(|(kind, ..)| kind != frames::HEADERS) {}
            dropped.wait().await;
            drop((one, two, answer, none));
        });
    }
}

/// As an answer 202, and a goroutine that reads on.
#[test]
fn a_body_that_is_read_after_its_answer_arrives() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let (read, has_read) = gorun::channel(1);
            let server = server(move |request: Request<Incoming>| {
                let read = read.clone();
                gorun::go!(async move {
                    let (mut body, mut count) = (request.into_body(), 0);
                    // After the answer, `hyper` says no more than this at the end of a body.
                    while !body.is_end_stream() {
                        let frame = body.frame().await.unwrap().expect("the connection goes on");
                        count += frame.into_data().unwrap().len();
                    }
                    read.send(count).await.unwrap();
                });
                async { text("") }
            });
            let server = server.header_timeout(LIMIT).idle_timeout(LIMIT);
            let mut stream = TcpStream::connect(start(&server).await).await.unwrap();
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {PIECES}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            for _ in 0..PIECES {
                sleep(PAUSE).await;
                stream.write_all(b"x").await.unwrap();
            }
            assert_eq!(has_read.recv().await, Some(PIECES));
        });
    }
}

#[test]
fn a_tunnel_over_http2_stays_open_while_bytes_pass() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|mut request| async move {
                let upgraded = hyper::upgrade::on(&mut request);
                gorun::go!(async move {
                    let mut stream = upgraded.await.unwrap();
                    loop {
                        let mut byte = [0];
                        super::uses::read_all(&mut stream, &mut byte).await;
                        if byte == *b"." {
                            break;
                        }
                        super::uses::write_all(&mut stream, &byte).await;
                    }
                });
                text("")
            });
            let server = server.header_timeout(LIMIT).idle_timeout(LIMIT);
            let stream = TcpStream::connect(start(&server).await).await.unwrap();
            let (mut client, connection) =
                http2::handshake(Handle::current(), stream).await.unwrap();
            gorun::go!(async move { drop(connection.await) });
            let request = Request::builder().method(Method::CONNECT).uri("x:1");
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let answer = client.send_request(request).await.unwrap();
            let mut stream = hyper::upgrade::on(answer).await.unwrap();
            for n in 0..PIECES as u8 {
                sleep(PAUSE).await;
                let mut byte = [b'0' + n];
                super::uses::write_all(&mut stream, &byte).await;
                super::uses::read_all(&mut stream, &mut byte).await;
                assert_eq!(byte, [b'0' + n]);
            }
            super::uses::write_all(&mut stream, b".").await;
            // Nobody uses it any more.
            while !client.is_closed() {
                sleep(PAUSE).await;
            }
        });
    }
}

#[test]
fn without_a_limit_for_heads_half_a_head_counts_as_idle() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let address = start(&server.header_timeout(None).idle_timeout(LIMIT)).await;
        for part in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\n\r\nG", "PRI * HTTP/2.0\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(part.as_bytes()).await.unwrap();
            rest(stream).await;
        }
    });
}

#[test]
fn an_idle_connection_of_http2_ends_with_a_goaway_whatever_pings_it_sends() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|_| async { text("hello") }).idle_timeout(LIMIT);
            let mut stream = frames::begin(start(&server).await, &[]).await;
            let flags = frames::END_HEADERS | frames::END_STREAM;
            let request = frames::frame(frames::HEADERS, flags, 1, frames::GET);
            stream.write_all(&request).await.unwrap();
            let pings = gorun::spawn({
                let mut stream = stream.clone();
                async move {
                    while stream
                        .write_all(&frames::frame(frames::PING, 0, 0, &[7; 8]))
                        .await
                        .is_ok()
                    {
                        sleep(PAUSE).await;
                    }
                }
            });
            let (mut is_answered, mut goes_away) = (false, false);
            while let Some((kind, flags, payload)) = frames::next(&mut stream).await {
                match kind {
                    frames::DATA => is_answered |= payload == b"hello",
                    frames::GOAWAY => goes_away = true,
                    // The server asks whether its message has arrived.
                    frames::PING if flags & frames::ACK == 0 => {
                        let pong = frames::frame(frames::PING, frames::ACK, 0, &payload);
                        // Too late, perhaps.
                        let _ = stream.write_all(&pong).await;
                    }
                    _ => {}
                }
            }
            assert!(is_answered && goes_away);
            pings.await.unwrap();
        });
    }
}

/// A stream that tells whether it was closed, as TLS needs.
struct Closes<S>(S, gorun::Sender<()>);

impl<S: futures::AsyncRead + Unpin> futures::AsyncRead for Closes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: futures::AsyncWrite + Unpin> futures::AsyncWrite for Closes<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let _ = self.1.try_send(());
        Pin::new(&mut self.0).poll_close(cx)
    }
}

#[test]
fn an_idle_connection_of_http1_is_closed_and_not_dropped() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") }).idle_timeout(LIMIT);
        let (mut near, far) = gorun::io::duplex();
        let (close, is_closed) = gorun::channel(1);
        gorun::go!(async move { server.serve_connection(FuturesIo(Closes(far, close))).await });
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
        assert_eq!(is_closed.recv().await, Some(()));
    });
}

/// As those that are accepted.
#[test]
fn a_connection_that_others_have_made_has_limits_too() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let server = server.header_timeout(LIMIT).idle_timeout(HOUR);
        for has_request in [false, true] {
            let (mut near, far) = gorun::io::duplex();
            let serves = server.serve_connection(FuturesIo(far));
            let reads = async {
                if has_request {
                    near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"hello") {
                        let mut byte = [0];
                        near.read_exact(&mut byte).await.unwrap();
                        answer.push(byte[0]);
                    }
                }
                near.write_all(b"GET /").await.unwrap();
                let _ = near.read_to_end(&mut Vec::new()).await;
            };
            futures::join!(serves, reads);
        }
    });
}
