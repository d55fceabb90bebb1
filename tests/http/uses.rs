//! What a polite client gets.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Json, Path, State};
use axum::routing::{get as on_get, post};
use futures::{AsyncReadExt, AsyncWriteExt, future::join_all};
use gorun::http::{self, FuturesIo, Server};
use gorun::net::{TcpListener, UnixListener, UnixStream};
use gorun::sync::Mutex;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};

use super::client::*;
use super::common::*;

#[test]
fn requests_over_one_connection_get_their_answers() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|request| async move { text(request.uri().path().to_owned()) });
            let mut client = connect1(start(&server).await).await;
            for n in 0..100 {
                let path = format!("/{n}");
                client.ready().await.unwrap();
                let answer = client.send_request(get(&path)).await.unwrap();
                assert_eq!(read(answer).await, (200, path));
            }
        });
    }
}

#[test]
fn requests_of_http2_are_answered_at_the_same_time() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            // Each waits until all are there.
            let all = Arc::new(gorun::sync::Barrier::new(20));
            let server = server(move |request| {
                let all = all.clone();
                async move {
                    all.wait().await;
                    text(request.uri().path().to_owned())
                }
            });
            let client = connect2(start(&server).await).await;
            let answers = (0..20).map(|n| {
                let mut client = client.clone();
                async move {
                    let path = format!("/{n}");
                    let answer = client.send_request(get(&path)).await.unwrap();
                    assert_eq!(read(answer).await, (200, path));
                }
            });
            join_all(answers).await;
        });
    }
}

/// More than any buffer.
#[test]
fn large_bodies_arrive_in_both_directions() {
    const SIZE: usize = 3 << 20;
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|request| async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                text(body)
            });
            let address = start(&server).await;
            let body: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
            let request = || {
                let mut request = get("/");
                *request.body_mut() = body.clone().into();
                *request.method_mut() = hyper::Method::POST;
                request
            };
            let mut client = connect1(address).await;
            let one = client.send_request(request()).await.unwrap();
            assert_eq!(one.into_body().collect().await.unwrap().to_bytes(), body);
            let mut client = connect2(address).await;
            let two = client.send_request(request()).await.unwrap();
            assert_eq!(two.into_body().collect().await.unwrap().to_bytes(), body);
        });
    }
}

#[test]
fn a_router_of_axum_is_a_service() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let count = Arc::new(Mutex::new(0_u64));
            let add = |State(count): State<Arc<Mutex<u64>>>, Path(more): Path<u64>| async move {
                let mut count = count.lock().await;
                *count += more;
                count.to_string()
            };
            let double = |Json(n): Json<u64>| async move { Json(2 * n) };
            let router = axum::Router::new()
                .route("/add/{more}", on_get(add))
                .route("/double", post(double))
                .with_state(count);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            gorun::go!(async move { http::serve(listener, router).await.unwrap() });
            let mut client = connect1(address).await;
            for sum in [3, 6, 9] {
                client.ready().await.unwrap();
                let answer = client.send_request(get("/add/3")).await.unwrap();
                assert_eq!(read(answer).await, (200, sum.to_string()));
            }
            let request = Request::post("/double")
                .header("host", "x")
                .header("content-type", "application/json")
                .body("21".into())
                .unwrap();
            client.ready().await.unwrap();
            let answer = client.send_request(request).await.unwrap();
            assert_eq!(read(answer).await, (200, serde_json::json!(42).to_string()));
            client.ready().await.unwrap();
            let answer = client.send_request(get("/nowhere")).await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        });
    }
}

#[test]
fn a_server_listens_at_a_path_too() {
    let _watchdog = watchdog();
    let path = std::env::temp_dir().join(format!("gorun-http-{}", std::process::id()));
    run(2, async {
        let listener = UnixListener::bind(&path).unwrap();
        let server = server(|_| async { text("hello") });
        gorun::go!(async move { server.serve(listener).await.unwrap() });
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_connection_over_anything_is_served_and_ends_with_the_server() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let (mut near, far) = gorun::io::duplex();
        let served = gorun::spawn({
            let server = server.clone();
            async move { server.serve_connection(FuturesIo(far)).await }
        });
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut start = [0; 15];
        near.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        // It is idle.
        let mut rest = Vec::new();
        let (ended, _) = futures::join!(server.shutdown(HOUR), near.read_to_end(&mut rest));
        ended.unwrap();
        served.await.unwrap();
    });
}

/// Sends back five bytes.
fn echo() -> Server<impl http::HttpService + Sync> {
    Server::new(service_fn(|mut request: Request<hyper::body::Incoming>| async move {
        let upgraded = hyper::upgrade::on(&mut request);
        gorun::go!(async move {
            let mut stream = upgraded.await.unwrap();
            let mut buf = [0; 5];
            read_all(&mut stream, &mut buf).await;
            write_all(&mut stream, &buf).await;
        });
        let mut response = text("").unwrap();
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("connection", "upgrade".parse().unwrap());
        headers.insert("upgrade", "echo".parse().unwrap());
        Answer::Ok(response)
    }))
}

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

async fn is_upgraded(stream: &mut gorun::net::TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
}

/// As for a websocket.
#[test]
fn a_connection_can_be_upgraded_and_outlives_the_service_of_requests() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = echo();
            let mut stream = gorun::net::TcpStream::connect(start(&server).await).await.unwrap();
            stream.write_all(UPGRADE).await.unwrap();
            is_upgraded(&mut stream).await;
            // The server itself ends without it.
            server.shutdown(HOUR).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            assert_eq!(rest(stream).await, "hello");
        });
    }
}

#[test]
fn a_connection_that_was_upgraded_is_one_of_those_allowed_until_it_is_closed() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = echo().max_connections(1);
            let address = start(&server).await;
            let mut first = gorun::net::TcpStream::connect(address).await.unwrap();
            first.write_all(UPGRADE).await.unwrap();
            is_upgraded(&mut first).await;
            let mut second = gorun::net::TcpStream::connect(address).await.unwrap();
            second.write_all(UPGRADE).await.unwrap();
            second.set_read_deadline(gorun::time::now() + Duration::from_millis(20));
            second.read(&mut [0; 8]).await.unwrap_err();
            second.set_read_deadline(None);
            first.write_all(b"hello").await.unwrap();
            assert_eq!(rest(first).await, "hello");
            is_upgraded(&mut second).await;
        });
    }
}

#[test]
fn head_has_the_length_of_the_body_and_no_body() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let address = start(&server).await;
        let answer =
            exchange(address, b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(answer.contains("content-length: 5\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let mut two = connect2(address).await;
        let mut request = get("/");
        *request.method_mut() = hyper::Method::HEAD;
        let answer = two.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "5");
        assert_eq!(read(answer).await, (200, String::new()));
    });
}

pub(crate) async fn read_all(stream: &mut hyper::upgrade::Upgraded, buf: &mut [u8]) {
    use hyper::rt::{Read, ReadBuf};
    use std::pin::Pin;
    let mut filled = 0;
    while filled < buf.len() {
        filled += std::future::poll_fn(|cx| {
            let mut part = ReadBuf::new(&mut buf[filled..]);
            let polled = Pin::new(&mut *stream).poll_read(cx, part.unfilled());
            polled.map(|read| {
                read.unwrap();
                part.filled().len()
            })
        })
        .await;
    }
}

pub(crate) async fn write_all(stream: &mut hyper::upgrade::Upgraded, buf: &[u8]) {
    use hyper::rt::Write;
    let written = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_write(cx, buf));
    assert_eq!(written.await.unwrap(), buf.len());
}

/// `Expect: 100-continue`, chunks, trailers: `hyper`'s work, on our streams.
#[test]
fn a_body_that_comes_in_pieces_is_read_as_it_comes() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|request| async move {
            let mut body = request.into_body();
            let mut pieces = 0;
            while let Some(frame) = body.frame().await {
                pieces += usize::from(frame.unwrap().is_data());
            }
            text(pieces.to_string())
        });
        let mut stream = gorun::net::TcpStream::connect(start(&server).await).await.unwrap();
        stream
            .write_all(
                b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n",
            )
            .await
            .unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        for _ in 0..3 {
            stream.write_all(b"3\r\nabc\r\n").await.unwrap();
            gorun::time::sleep(Duration::from_millis(2)).await;
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let answer = rest(stream).await;
        assert!(
            answer.ends_with('3') || answer.ends_with('2') || answer.ends_with('1'),
            "{answer}"
        );
    });
}
