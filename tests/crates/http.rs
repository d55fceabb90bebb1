//! `reqwest`, `axum`, `tower`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures::future::join_all;
use futures::{FutureExt, Stream, StreamExt};
use gorun::http::Server;
use tokio::sync::oneshot;
use tower::{Service, ServiceBuilder, ServiceExt};

use super::bridged;
use super::common::*;

/// A server on gorun's sockets.
async fn serve(router: Router) -> SocketAddr {
    let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    gorun::go!(async move { gorun::http::serve(listener, router).await.unwrap() });
    address
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[test]
fn reqwest_is_shared_by_goroutines() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            let address = serve(hello()).await;
            let client = reqwest::Client::new();
            let fetches = (0..200).map(|_| {
                let client = client.clone();
                gorun::spawn(async move {
                    let answer = client.get(format!("http://{address}/")).send().await.unwrap();
                    assert_eq!(answer.text().await.unwrap(), "hello");
                })
            });
            join_all(fetches).await.into_iter().for_each(Result::unwrap);
        });
    }
}

#[test]
fn reqwest_keeps_its_time_limit() {
    let _watchdog = watchdog();
    bridged(2, async {
        let router = Router::new().route("/", get(std::future::pending::<&str>));
        let address = serve(router).await;
        let client = reqwest::Client::builder().timeout(Duration::from_millis(20)).build().unwrap();
        let late = client.get(format!("http://{address}/")).send().await.unwrap_err();
        assert!(late.is_timeout());
    });
}

/// The connections' tasks are tokio's; what they start is ours.
#[test]
fn axum_serve_runs_and_its_handlers_start_goroutines() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            let sum = || async {
                let parts = (1..=10).map(|n| gorun::spawn(async move { n }));
                let parts: Vec<u32> =
                    join_all(parts).await.into_iter().map(Result::unwrap).collect();
                gorun::time::sleep(Duration::from_millis(1)).await;
                parts.into_iter().sum::<u32>().to_string()
            };
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            let served = gorun::spawn(async move {
                axum::serve(listener, Router::new().route("/", get(sum)))
                    .with_graceful_shutdown(async { drop(stopped.await) })
                    .await
            });
            for _ in 0..20 {
                let answer = reqwest::get(format!("http://{address}/")).await.unwrap();
                assert_eq!(answer.text().await.unwrap(), "55");
            }
            stop.send(()).unwrap();
            served.await.unwrap().unwrap();
        });
    }
}

/// The events that keep it alive come from tokio's timer.
#[test]
fn axum_sends_events_and_keeps_the_connection_alive() {
    async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
        let one = futures::stream::once(async { Ok(Event::default().data("one")) });
        let alive = KeepAlive::new().interval(Duration::from_millis(5)).text("alive");
        Sse::new(one.chain(futures::stream::pending())).keep_alive(alive)
    }
    let _watchdog = watchdog();
    bridged(2, async {
        let address = serve(Router::new().route("/", get(events))).await;
        let mut answer = reqwest::get(format!("http://{address}/")).await.unwrap();
        let mut text = String::new();
        while text.matches("alive").count() < 3 {
            text += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
        }
        assert!(text.starts_with("data: one"));
    });
}

#[test]
fn layers_of_tower_limit_requests_in_time_and_number() {
    let _watchdog = watchdog();
    bridged(2, async {
        let now = Arc::new(AtomicUsize::new(0));
        let work = tower::service_fn(move |request: u32| {
            let now = now.clone();
            async move {
                assert!(now.fetch_add(1, SeqCst) < 3);
                tokio::time::sleep(Duration::from_millis(1)).await;
                now.fetch_sub(1, SeqCst);
                if request == 0 {
                    std::future::pending::<()>().await;
                }
                Ok::<u32, tower::BoxError>(2 * request)
            }
        });
        let mut limited = ServiceBuilder::new()
            .timeout(Duration::from_millis(100))
            .concurrency_limit(3)
            .service(work);
        assert!(limited.ready().await.unwrap().call(0).await.is_err());
        let calls = (1..30).map(|n| limited.clone().oneshot(n));
        for (n, doubled) in (1..30).zip(join_all(calls).await) {
            assert_eq!(doubled.unwrap(), 2 * n);
        }
    });
}

/// The worker of a `Buffer` is a task of tokio's.
#[test]
fn a_buffer_of_tower_is_shared_by_goroutines() {
    let _watchdog = watchdog();
    bridged(2, async {
        let double = tower::service_fn(|n: u32| async move { Ok::<u32, tower::BoxError>(2 * n) });
        let buffer = ServiceBuilder::new().buffer(16).service(double);
        let calls = (0..50).map(|n| {
            let call = buffer.clone().oneshot(n).boxed();
            gorun::spawn(async move { (n, call.await.unwrap()) })
        });
        for call in join_all(calls).await {
            let (n, doubled) = call.unwrap();
            assert_eq!(doubled, 2 * n);
        }
    });
}

/// A client of tokio's, a server of ours, a state of ours: the threads differ, the program is one.
#[test]
fn a_server_of_ours_ends_when_its_requests_from_reqwest_have_their_answers() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            let (begun, is_begun) = gorun::channel(1);
            let slow = |State(begun): State<gorun::Sender<()>>| async move {
                begun.send(()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                "done"
            };
            let server = Server::new(Router::new().route("/", get(slow)).with_state(begun));
            let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let served = gorun::spawn({
                let server = server.clone();
                async move { server.serve(listener).await }
            });
            let answer = gorun::spawn(async move {
                reqwest::get(format!("http://{address}/")).await.unwrap().text().await.unwrap()
            });
            is_begun.recv().await.unwrap();
            server.shutdown(HOUR).await.unwrap();
            assert_eq!(answer.await.unwrap(), "done");
            served.await.unwrap().unwrap();
        });
    }
}
