//! Time limits, and the number of connections.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::net::TcpStream;
use gorun::time::sleep;

use super::client::*;
use super::common::*;

const SHORT: Duration = Duration::from_millis(30);

/// What comes until the server closes, which it must do by itself.
async fn closed_after(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let start = Instant::now();
    let answer = rest(stream).await;
    assert!(start.elapsed() < Duration::from_secs(20), "an hour is the other limit");
    answer
}

#[test]
fn a_silent_connection_and_half_a_head_and_half_a_preface_of_http2_are_closed() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server =
                server(|_| async { text("hello") }).header_timeout(SHORT).idle_timeout(HOUR);
            let address = start(&server).await;
            for bytes in
                [&b""[..], b"GET / HT", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
            {
                closed_after(address, bytes).await;
            }
            // After a request, too.
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"hello") {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                answer.push(byte[0]);
            }
            stream.write_all(b"GET /").await.unwrap();
            rest(stream).await;
        });
    }
}

/// One byte at a time does not help.
#[test]
fn a_head_that_trickles_in_is_cut_off() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") }).header_timeout(SHORT).idle_timeout(HOUR);
        let address = start(&server).await;
        for before in [&b""[..], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(before).await.unwrap();
            let start = Instant::now();
            let mut written = Ok(());
            while written.is_ok() {
                assert!(start.elapsed() < Duration::from_secs(20));
                sleep(Duration::from_millis(2)).await;
                written = stream.write_all(b"x").await;
            }
        }
    });
}

#[test]
fn an_idle_connection_is_closed_and_one_at_work_is_not() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let slow = |request: hyper::Request<hyper::body::Incoming>| async move {
                if request.uri().path() == "/slow" {
                    sleep(8 * SHORT).await;
                }
                text("hello")
            };
            let server = server(slow).idle_timeout(SHORT).header_timeout(HOUR);
            let address = start(&server).await;
            let answer = closed_after(address, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert!(answer.contains("hello"), "{answer}");
            let mut two = connect2(address).await;
            assert_eq!(read(two.send_request(get("/slow")).await.unwrap()).await.0, 200);
            while two.ready().await.is_ok() && !two.is_closed() {
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
}

/// The body comes more slowly than the limits for heads allow.
#[test]
fn a_request_in_work_has_no_limit() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|request| async move {
            use http_body_util::BodyExt;
            text(request.into_body().collect().await.unwrap().to_bytes())
        });
        let server = server.header_timeout(SHORT).idle_timeout(SHORT);
        let mut stream = TcpStream::connect(start(&server).await).await.unwrap();
        stream
            .write_all(
                b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n",
            )
            .await
            .unwrap();
        for byte in b"0123456789" {
            sleep(SHORT / 2).await;
            stream.write_all(&[*byte]).await.unwrap();
        }
        assert!(rest(stream).await.ends_with("0123456789"));
    });
}

#[test]
fn there_are_no_more_connections_than_allowed_and_others_wait() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|_| async { text("hello") }).max_connections(2);
            let address = start(&server).await;
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            let mut streams = Vec::new();
            for _ in 0..2 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request).await.unwrap();
                stream.read_exact(&mut [0; 8]).await.unwrap();
                streams.push(stream);
            }
            // The system connects it, and nobody answers.
            let mut third = TcpStream::connect(address).await.unwrap();
            third.write_all(request).await.unwrap();
            third.set_read_deadline(gorun::time::now() + SHORT);
            third.read(&mut [0; 8]).await.unwrap_err();
            third.set_read_deadline(None);
            streams.pop();
            third.read_exact(&mut [0; 8]).await.unwrap();
        });
    }
}

#[test]
#[should_panic = "`max_connections(0)`"]
fn no_connections_are_refused() {
    let _ = server(|_| async { text("hello") }).max_connections(0);
}
