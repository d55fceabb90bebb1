//! How a server ends.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::http;
use gorun::net::{TcpListener, TcpStream};
use gorun::time::sleep;
use hyper::service::service_fn;

use super::client::*;
use super::common::*;

#[test]
fn idle_connections_close_at_once_and_requests_get_their_answers() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let (begun, is_begun) = gorun::channel(1);
            let server = server(move |request| {
                let begun = begun.clone();
                async move {
                    if request.uri().path() == "/slow" {
                        begun.send(()).await.unwrap();
                        sleep(Duration::from_millis(50)).await;
                    }
                    text("hello")
                }
            });
            let address = start(&server).await;
            let mut idle = Vec::new();
            for _ in 0..scaled(2_000, 200) {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                stream.read_exact(&mut [0; 8]).await.unwrap();
                idle.push(stream);
            }
            let silent = TcpStream::connect(address).await.unwrap();
            let slow = gorun::spawn(exchange_slowly(address));
            is_begun.recv().await.unwrap();
            let start = Instant::now();
            server.shutdown(HOUR).await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(20));
            assert!(slow.await.unwrap().ends_with("hello"));
            for stream in idle {
                assert!(rest(stream).await.ends_with("hello"));
            }
            assert_eq!(rest(silent).await, "");
            TcpStream::connect(address).await.unwrap_err();
        });
    }
}

async fn exchange_slowly(address: std::net::SocketAddr) -> String {
    exchange(address, b"GET /slow HTTP/1.0\r\n\r\n").await
}

#[test]
fn a_serve_that_is_dropped_closes_the_listener_and_all_connections() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let hello = |_| async { text("hello") };
            let serves = gorun::spawn(http::serve(listener, service_fn(hello)));
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            serves.abort();
            assert!(serves.await.unwrap_err().is_cancelled());
            rest(stream).await;
            TcpStream::connect(address).await.unwrap_err();
            while gorun::num_goroutines() > 1 {
                gorun::yield_now().await;
            }
        });
    }
}

#[test]
fn a_listener_that_somebody_closes_ends_serve_without_an_error() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closes = listener.clone();
        let serves = gorun::spawn(async move { server.serve(listener).await });
        gorun::yield_now().await;
        closes.close();
        serves.await.unwrap().unwrap();
    });
}

/// A shutdown that was begun holds for listeners and connections that come later.
#[test]
fn a_server_that_was_shut_down_serves_nobody_any_more() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        server.shutdown(HOUR).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        server.serve(listener).await.unwrap();
        TcpStream::connect(address).await.unwrap_err();
    });
}

#[test]
fn main_may_end_with_connections_in_every_state() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let handlers = gorun::WaitGroup::new();
        handlers.add(1);
        let streams = run(workers, async {
            let (begun, is_begun) = gorun::channel(1);
            let server = server({
                let handlers = handlers.clone();
                move |_| {
                    let (begun, handlers) = (begun.clone(), handlers.clone());
                    async move {
                        let _on_drop = OnDrop(move || handlers.done());
                        begun.send(()).await.unwrap();
                        sleep(HOUR).await;
                        text("hello")
                    }
                }
            });
            let address = start(&server).await;
            let mut streams = Vec::new();
            for part in [
                &b""[..],
                b"GET /",
                b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(part).await.unwrap();
                streams.push(stream.into_std().unwrap());
            }
            is_begun.recv().await.unwrap();
            streams
        });
        futures::executor::block_on(handlers.wait());
        for (number, mut stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(false).unwrap();
            let mut answer = Vec::new();
            // It ends, perhaps with a reset.
            let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
            assert!(answer.is_empty() || number == 3, "{answer:?}");
        }
    }
}
