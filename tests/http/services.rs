//! Handlers that panic, block, or never end.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use gorun::http::Server;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};

use super::client::*;
use super::common::*;

#[test]
fn a_handler_that_panics_is_answered_with_500_and_its_connection_goes_on() {
    let _watchdog = watchdog();
    quiet();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|request| {
                // In the call, and in the future.
                assert_ne!(request.uri().path(), "/at-once", "expected");
                async move {
                    gorun::yield_now().await;
                    assert_ne!(request.uri().path(), "/later", "expected");
                    text("fine")
                }
            });
            let address = start(&server).await;
            let mut one = connect1(address).await;
            let mut two = connect2(address).await;
            for path in ["/at-once", "/later"] {
                one.ready().await.unwrap();
                let answer = one.send_request(get(path)).await.unwrap();
                assert_eq!(read(answer).await, (500, String::new()));
                let answer = two.send_request(get(path)).await.unwrap();
                assert_eq!(read(answer).await, (500, String::new()));
            }
            one.ready().await.unwrap();
            assert_eq!(read(one.send_request(get("/")).await.unwrap()).await.0, 200);
            assert_eq!(read(two.send_request(get("/")).await.unwrap()).await.0, 200);
        });
    }
}

/// A part of a body, which is sent; then it panics.
#[derive(Default)]
struct Panics {
    polls: u32,
}

impl Body for Panics {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.polls += 1;
        match self.polls {
            1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"part"))))),
            2 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => panic!("boom"),
        }
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("boom")
    }
}

#[test]
fn a_body_that_panics_ends_its_connection_or_its_stream_only() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let panics = |request: Request<Incoming>| async move {
                hyper::Result::Ok(Response::new(match request.uri().path() {
                    "/" => Panics::default().boxed(),
                    _ => Full::from("fine").boxed(),
                }))
            };
            let server = Server::new(service_fn(panics));
            let address = start(&server).await;
            let mut two = connect2(address).await;
            for _ in 0..3 {
                let answer = exchange(address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert!(answer.ends_with("part\r\n"), "the body is not complete: {answer}");
                let answer = two.send_request(get("/")).await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap_err();
                let answer = two.send_request(get("/fine")).await.unwrap();
                assert_eq!(read(answer).await, (200, "fine".to_owned()));
            }
            drop(two);
            server.shutdown(HOUR).await.unwrap();
        });
    }
}

/// Whoever comes meanwhile is served.
#[test]
fn handlers_that_block_their_threads_do_not_hold_up_others() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let release = flag();
            let server = server({
                let release = release.clone();
                move |request| {
                    let release = release.clone();
                    async move {
                        if request.uri().path() == "/block" {
                            while !release.load(std::sync::atomic::Ordering::SeqCst) {
                                thread::sleep(Duration::from_millis(1));
                            }
                        }
                        text("fine")
                    }
                }
            });
            let address = start(&server).await;
            let blocked: Vec<_> = (0..4)
                .map(|_| {
                    gorun::spawn(async move {
                        let mut client = connect1(address).await;
                        read(client.send_request(get("/block")).await.unwrap()).await
                    })
                })
                .collect();
            for _ in 0..50 {
                let mut client = connect1(address).await;
                assert_eq!(read(client.send_request(get("/")).await.unwrap()).await.0, 200);
            }
            release.store(true, std::sync::atomic::Ordering::SeqCst);
            for blocked in blocked {
                assert_eq!(blocked.await.unwrap().0, 200);
            }
        });
    }
}

#[test]
fn a_handler_that_never_ends_ends_at_the_limit_of_the_shutdown() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let (begun, is_begun) = gorun::channel(2);
            let dropped = gorun::WaitGroup::new();
            dropped.add(2);
            let server = server({
                let dropped = dropped.clone();
                move |_| {
                    let (begun, dropped) = (begun.clone(), dropped.clone());
                    async move {
                        let _on_drop = OnDrop(move || dropped.done());
                        begun.send(()).await.unwrap();
                        pending::<Answer>().await
                    }
                }
            });
            let address = start(&server).await;
            let (mut one, mut two) = (connect1(address).await, connect2(address).await);
            let requests = gorun::spawn(async move {
                futures::join!(one.send_request(get("/")), two.send_request(get("/")))
            });
            is_begun.recv().await.unwrap();
            is_begun.recv().await.unwrap();
            server.shutdown(Duration::from_millis(20)).await.unwrap_err();
            let (one, two) = requests.await.unwrap();
            assert!(one.is_err() && two.is_err());
            dropped.wait().await;
        });
    }
}
