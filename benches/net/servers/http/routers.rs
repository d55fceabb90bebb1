//! `axum`'s `Router` with one route, on gorun's server and on its own.

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;

use crate::servers::{ADDRESS, announce};
use crate::workload::BODY;

fn router() -> Router {
    Router::new().route("/plaintext", get(async || BODY))
}

pub(super) fn on_gorun() {
    gorun::block_on(async {
        let listener = gorun::net::TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let serves = gorun::spawn(gorun::http::serve(listener, router()));
        serves.await.unwrap().unwrap();
    });
}

pub(super) fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let serves = tokio::spawn(async { axum::serve(listener, router()).await });
        serves.await.unwrap().unwrap();
    });
}
