//! `tokio-rustls`, `futures-rustls`, and `reqwest` with `rustls`, with a certificate that signs itself.

use std::sync::Arc;

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::{TlsAcceptor, TlsConnector};
use gorun::http::{FuturesIo, Server};
use gorun::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};

use super::bridged;
use super::common::*;

/// For the name `localhost`.
fn certificate() -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    (own.cert.der().clone(), Arc::new(config))
}

/// `reqwest` with `rustls`, and a server of ours behind `tokio-rustls`' handshake.
#[test]
fn a_server_and_a_client_speak_tls() {
    let _watchdog = watchdog();
    let (certificate, config) = certificate();
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    bridged(2, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        gorun::go!(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                gorun::go!(async move {
                    use tokio::io::{AsyncReadExt, AsyncWriteExt};
                    let mut stream = acceptor.accept(stream).await.unwrap();
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    let answer =
                        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret";
                    stream.write_all(answer).await.unwrap();
                    stream.shutdown().await.unwrap();
                });
            }
        });
        let certificate = reqwest::Certificate::from_der(&certificate).unwrap();
        let client = reqwest::Client::builder().add_root_certificate(certificate).build().unwrap();
        let answer = client.get(format!("https://localhost:{port}/")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "secret");
    });
}

/// On gorun's sockets, and without tokio. One client never shakes hands, and one goes away meanwhile.
#[test]
fn our_server_behind_futures_rustls_answers_goroutines_and_ends() {
    let _watchdog = watchdog();
    let (certificate, config) = certificate();
    let acceptor = TlsAcceptor::from(config);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    for workers in super::WORKERS {
        run(workers, async {
            let long = axum::Router::new()
                .route("/", axum::routing::get(|| async { "x".repeat(300_000) + "end" }));
            let server = Server::new(long);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            gorun::go!({
                let (server, acceptor) = (server.clone(), acceptor.clone());
                async move {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        let (server, acceptor) = (server.clone(), acceptor.clone());
                        gorun::go!(async move {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                server.serve_connection(FuturesIo(stream)).await;
                            }
                        });
                    }
                }
            });
            let _silent = TcpStream::connect(address).await.unwrap();
            drop(TcpStream::connect(address).await.unwrap());
            let fetches = (0..20).map(|_| {
                let connector = connector.clone();
                gorun::spawn(async move {
                    let stream = TcpStream::connect(address).await.unwrap();
                    let name = "localhost".try_into().unwrap();
                    let mut stream = connector.connect(name, stream).await.unwrap();
                    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
                    stream.write_all(request).await.unwrap();
                    // A write that has to wait, or gives way, leaves the rest to this.
                    stream.flush().await.unwrap();
                    let mut answer = String::new();
                    // Without the end of the session it would be an error.
                    stream.read_to_string(&mut answer).await.unwrap();
                    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("xend"));
                })
            });
            join_all(fetches).await.into_iter().for_each(Result::unwrap);
            server.shutdown(HOUR).await.unwrap();
        });
    }
}
