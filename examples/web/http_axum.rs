//! A shop's stock over HTTP, with `axum` on gorun's own server: JSON, a state that all requests share, limits
//! of time, size and number, and an end at Ctrl-C.
//!
//! `cargo run --package gorun-web-examples --example http_axum`, and then
//!
//! ```text
//! curl --json '{"name": "tea", "count": 3}' 127.0.0.1:8080/stock
//! curl 127.0.0.1:8080/stock
//! ```

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Json, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gorun::context::Context;
use gorun::go;
use gorun::http::Server;
use gorun::net::TcpListener;
use gorun::signal::{self, Signal};
use gorun::time::{sleep, timeout};
use serde::Deserialize;

/// How long a request may take, also when the server ends.
const PATIENCE: Duration = Duration::from_secs(2);
const LARGEST_BODY: usize = 4 << 10;
const MOST_CONNECTIONS: usize = 10_000;

type Stock = Arc<Mutex<BTreeMap<String, u64>>>;

#[derive(Deserialize)]
struct Delivery {
    name: String,
    count: u64,
}

async fn list(State(stock): State<Stock>) -> Json<BTreeMap<String, u64>> {
    Json(stock.lock().unwrap().clone())
}

/// Answers how many there are now.
async fn deliver(State(stock): State<Stock>, Json(delivery): Json<Delivery>) -> Json<u64> {
    let mut stock = stock.lock().unwrap();
    let count = stock.entry(delivery.name).or_default();
    *count += delivery.count;
    Json(*count)
}

async fn count(
    State(stock): State<Stock>,
    Path(name): Path<String>,
) -> Result<Json<u64>, StatusCode> {
    stock.lock().unwrap().get(&name).copied().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn wait(Path(milliseconds): Path<u64>) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    "at last\n"
}

/// A layer around all of them. When the time is up, the handler is dropped where it waits.
async fn in_time(request: Request, next: Next) -> Response {
    match timeout(PATIENCE, next.run(request)).await {
        Ok(answer) => answer,
        Err(_elapsed) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[gorun::main]
async fn main() -> io::Result<()> {
    let (ctx, _stop) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let router = Router::new()
        .route("/stock", get(list).post(deliver))
        .route("/stock/{name}", get(count))
        .route("/wait/{milliseconds}", get(wait))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(in_time))
        .with_state(Stock::default());
    let server = Server::new(router).max_connections(MOST_CONNECTIONS);
    go!({
        let server = server.clone();
        async move {
            ctx.done().await;
            println!("closing: {}", ctx.cause().expect("it is done"));
            // A bit more than requests may take.
            let _ = server.shutdown(2 * PATIENCE).await;
        }
    });
    server.serve(listener).await?;
    println!("no request is left");
    Ok(())
}
