//! Clients that go away, and what becomes of their handlers.

use std::future::pending;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::WaitGroup;
use gorun::http::{HttpService, Server};
use gorun::net::TcpStream;
use http_body_util::BodyExt;

use super::client::*;
use super::common::*;

/// Its handlers never answer. Says when one has begun, and counts those that are not dropped.
fn patient(handlers: &WaitGroup) -> (Server<impl HttpService + Sync + use<>>, gorun::Receiver<()>) {
    let (begun, is_begun) = gorun::channel(0);
    let handlers = handlers.clone();
    let server = server(move |request| {
        let (begun, handlers) = (begun.clone(), handlers.clone());
        async move {
            handlers.add(1);
            let _on_drop = OnDrop(move || handlers.done());
            request.into_body().collect().await.unwrap();
            begun.send(()).await.unwrap();
            pending().await
        }
    });
    (server, is_begun)
}

#[test]
fn the_handler_of_a_client_that_has_gone_is_dropped() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let handlers = WaitGroup::new();
            let (server, is_begun) = patient(&handlers);
            let address = start(&server).await;
            let requests = [
                &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
                b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
            ];
            for request in requests {
                // It says so; it closes one side; it resets.
                for way in 0..3 {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(request).await.unwrap();
                    is_begun.recv().await.unwrap();
                    match way {
                        0 => drop(stream),
                        1 => {
                            stream.close_write().unwrap();
                            assert_eq!(rest(stream).await, "");
                        }
                        _ => {
                            stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                            drop(stream);
                        }
                    }
                    handlers.wait().await;
                }
            }
            let mut client = connect2(address).await;
            let request = gorun::spawn(async move { client.send_request(get("/")).await });
            is_begun.recv().await.unwrap();
            request.abort();
            assert!(request.await.unwrap_err().is_cancelled());
            handlers.wait().await;
        });
    }
}

#[test]
fn a_client_that_may_close_its_side_gets_its_answer() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let (go_on, goes_on) = gorun::channel(0);
            let server = server(move |_| {
                let goes_on = goes_on.clone();
                async move {
                    goes_on.recv().await;
                    text("hello")
                }
            });
            let mut stream =
                TcpStream::connect(start(&server.half_close(true)).await).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            stream.close_write().unwrap();
            go_on.send(()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        });
    }
}
