//! Servers of HTTP: `hyper` with the same service on the sockets of each runtime, and `axum` on two of them.

mod routers;
mod smol_sockets;

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};

use super::{ADDRESS, AXUM_ON_GORUN, AXUM_ON_TOKIO, FLOOR, OURS, SMOL, TOKIO, announce, bare};
use crate::workload::{BODY, Mode};

pub(super) fn serve(name: &str, mode: Mode) {
    match name {
        FLOOR => bare::serve(mode),
        OURS => on_gorun(),
        TOKIO => on_tokio(),
        SMOL => smol_sockets::serve(),
        AXUM_ON_GORUN => routers::on_gorun(),
        AXUM_ON_TOKIO => routers::on_tokio(),
        _ => panic!("{name} has no server of HTTP here"),
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(BODY))))
}

/// It has no limit of connections by itself, and limits of time that no workload reaches.
fn on_gorun() {
    gorun::block_on(async {
        let listener = gorun::net::TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let serves = gorun::spawn(gorun::http::serve(listener, service_fn(answer)));
        serves.await.unwrap().unwrap();
    });
}

fn on_tokio() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let accepts = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let stream = TokioIo::new(stream);
                    let _ =
                        builder.serve_connection_with_upgrades(stream, service_fn(answer)).await;
                });
            }
        });
        accepts.await.unwrap()
    });
}
