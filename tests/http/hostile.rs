//! Requests that are none, and clients that go away.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, future::join_all};
use gorun::net::TcpStream;
use http_body_util::BodyExt;

use super::client::*;
use super::common::*;

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn hosts_that_are_missing_doubled_or_malformed_get_400() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let address = start(&server).await;
        for (headers, expected) in [
            ("", "400"),
            ("Host: a\r\nHost: a\r\n", "400"),
            ("Host: a b\r\n", "400"),
            ("Host: a/b\r\n", "400"),
            ("Host: user@a\r\n", "400"),
            ("Host: \r\n", "200"),
            ("Host: a.example:80\r\n", "200"),
            ("Host: [::1]:80\r\n", "200"),
        ] {
            let request = format!("GET / HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
            let answer = exchange(address, request.as_bytes()).await;
            assert_eq!(status(&answer), expected, "{headers:?}: {answer}");
        }
        let answer = exchange(address, b"GET / HTTP/1.0\r\n\r\n").await;
        assert_eq!(status(&answer), "200", "there HTTP/1.0 has none");
    });
}

#[test]
fn both_kinds_of_length_and_unknown_codings_and_nonsense_are_refused() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|request| async move {
            // Whatever is wrong with the body.
            let _ = request.into_body().collect().await;
            text("hello")
        });
        let address = start(&server).await;
        for request in [
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\nabc",
            "nonsense\r\n\r\n",
            "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        ] {
            let answer = exchange(address, request.as_bytes()).await;
            assert_eq!(status(&answer), "400", "{request:?}: {answer}");
        }
    });
}

#[test]
fn endless_headers_are_refused_and_take_little_memory() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let mut stream = TcpStream::connect(start(&server).await).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let line = [b"x: ", &[b'y'; 8_000][..], b"\r\n"].concat();
        let mut sent = 0;
        while stream.write_all(&line).await.is_ok() {
            sent += line.len();
            assert!(sent < 100 << 20, "the server reads on");
        }
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    const COUNT: usize = 500;
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|request| async move {
                // Later ones would be faster.
                if request.uri().path().ends_with('0') {
                    gorun::time::sleep(Duration::from_micros(100)).await;
                }
                text(format!("<{}>", request.uri().path()))
            });
            let address = start(&server).await;
            let mut requests: String =
                (0..COUNT).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
            requests += "GET /last HTTP/1.0\r\n\r\n";
            let answer = exchange(address, requests.as_bytes()).await;
            let places: Vec<_> =
                (0..COUNT).map(|n| answer.find(&format!("</{n}>")).expect("an answer")).collect();
            assert!(places.is_sorted());
        });
    }
}

/// Many of them, since it is a race at peers.
#[test]
fn a_client_that_may_close_its_side_after_its_request_gets_the_answer() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|_| async {
                gorun::time::sleep(Duration::from_millis(1)).await;
                text("hello")
            });
            let address = start(&server.half_close(true)).await;
            let answers = (0..50).map(|_| async {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                stream.close_write().unwrap();
                rest(stream).await
            });
            for answer in join_all(answers).await {
                assert!(answer.ends_with("hello"), "{answer}");
            }
        });
    }
}

#[test]
fn clients_that_reset_in_the_middle_leave_nothing_behind_and_others_go_on() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let handlers = gorun::WaitGroup::new();
            let server = server({
                let handlers = handlers.clone();
                move |request| {
                    let handlers = handlers.clone();
                    async move {
                        handlers.add(1);
                        let _on_drop = OnDrop(move || handlers.done());
                        if request.uri().path() == "/wait" {
                            std::future::pending::<()>().await;
                        }
                        let read = request.into_body().collect().await;
                        text(format!("{}", read.is_ok()))
                    }
                }
            });
            let address = start(&server).await;
            let before = gorun::num_goroutines();
            let mut polite = connect1(address).await;
            for round in 0..100 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let part = match round % 5 {
                    0 => &b"GET / HT"[..],
                    1 => b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
                    2 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    3 => b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n",
                    _ => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                };
                stream.write_all(part).await.unwrap();
                stream.set_linger(Some(Duration::ZERO)).unwrap();
                drop(stream);
                polite.ready().await.unwrap();
                assert_eq!(read(polite.send_request(get("/")).await.unwrap()).await.0, 200);
            }
            drop(polite);
            handlers.wait().await;
            yield_until(|| gorun::num_goroutines() == before).await;
            server.shutdown(HOUR).await.unwrap();
        });
    }
}

/// It never reads its answer.
#[test]
fn a_client_that_does_not_read_is_cut_off_by_the_shutdown() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text(vec![b'x'; 64 << 20]) });
        let mut stream = TcpStream::connect(start(&server).await).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
        server.shutdown(Duration::from_millis(20)).await.unwrap_err();
    });
}
