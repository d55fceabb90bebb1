//! `hyper` on smol's sockets and its global executor, whose default is one thread.

use std::future::Future;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::server::conn::auto;
use smol::net::TcpListener;
use smol_hyper::rt::FuturesIo;

use super::answer;
use crate::servers::{ADDRESS, announce};

pub(super) fn serve() {
    smol::block_on(async {
        let listener = TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let accepts = smol::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let connection = async move {
                    let builder = auto::Builder::new(GlobalExecutor);
                    let stream = FuturesIo::new(stream);
                    let _ =
                        builder.serve_connection_with_upgrades(stream, service_fn(answer)).await;
                };
                smol::spawn(connection).detach();
            }
        });
        accepts.await
    });
}

/// `smol_hyper` has one for executors that a program makes itself.
#[derive(Clone)]
struct GlobalExecutor;

impl<F> Executor<F> for GlobalExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        smol::spawn(future).detach();
    }
}
