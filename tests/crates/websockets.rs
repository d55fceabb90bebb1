//! Websockets: `tokio-tungstenite`, `async-tungstenite`, and those of `axum`.

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::bridged;
use super::common::*;

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

fn router() -> Router {
    Router::new().route("/", get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
}

async fn exchange(url: String) {
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for n in 0..50 {
        let sent = Message::text(n.to_string());
        socket.send(sent.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), sent);
    }
    socket.close(None).await.unwrap();
}

#[test]
fn websockets_of_axum_and_tokio_tungstenite_on_our_server_and_on_axums() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let ours = listener.local_addr().unwrap();
            gorun::go!(async move { gorun::http::serve(listener, router()).await.unwrap() });
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let axums = listener.local_addr().unwrap();
            gorun::go!(async move { axum::serve(listener, router()).await.unwrap() });
            let exchanges = (0..8).flat_map(|_| [ours, axums]);
            let exchanges: Vec<_> = exchanges
                .map(|address| gorun::spawn(exchange(format!("ws://{address}/"))))
                .collect();
            for exchange in exchanges {
                exchange.await.unwrap();
            }
        });
    }
}

/// It needs no tokio: only the traits of `futures`.
#[test]
fn async_tungstenite_runs_on_our_sockets_without_the_bridge() {
    let _watchdog = watchdog();
    run(2, async {
        let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        gorun::go!(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = async_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() || socket.send(message).await.is_err() {
                    return;
                }
            }
        });
        let stream = gorun::net::TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/");
        let (mut socket, _) = async_tungstenite::client_async(url, stream).await.unwrap();
        let sent = async_tungstenite::tungstenite::Message::text("hello");
        socket.send(sent.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), sent);
    });
}

/// By the feature `tokio-io` alone: no tokio runtime is there.
#[test]
fn tokio_tungstenite_runs_on_our_sockets_without_the_bridge() {
    let _watchdog = watchdog();
    run(2, async {
        let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        gorun::go!(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() || socket.send(message).await.is_err() {
                    return;
                }
            }
        });
        let stream = gorun::net::TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/");
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        for sent in [Message::text("hello"), Message::binary(vec![7; 300_000])] {
            socket.send(sent.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), sent);
        }
    });
}
