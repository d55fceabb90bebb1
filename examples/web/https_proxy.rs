//! A proxy that speaks TLS with its clients, and plain TCP with a target: what comes in front of a server of
//! HTTP. The certificate is made at the start, and signs itself.
//!
//! `cargo run --package gorun-web-examples --example https_proxy 127.0.0.1:8443 127.0.0.1:8080`, and then
//! `curl --insecure https://localhost:8443/`.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use gorun::net::{TcpListener, TcpStream};
use gorun::time::timeout;
use gorun::{go, io};

/// How long the handshake may take, and the way to the target.
const PATIENCE: Duration = Duration::from_secs(5);

fn acceptor() -> Result<TlsAcceptor, Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[gorun::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [address, target] = &env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("usage: https_proxy ADDRESS TARGET".into());
    };
    let acceptor = acceptor()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((client, peer)) => go!(serve(client, peer, acceptor.clone(), target.clone())),
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn serve(client: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor, target: String) {
    match forward(client, acceptor, &target).await {
        Ok((sent, answered)) => println!("{peer}: {sent} bytes sent, {answered} answered"),
        Err(error) => println!("{peer}: {error}"),
    }
}

async fn forward(
    client: TcpStream,
    acceptor: TlsAcceptor,
    target: &str,
) -> std::io::Result<(u64, u64)> {
    // A client that never shakes hands keeps nothing but its own goroutine waiting.
    let client = timeout(PATIENCE, acceptor.accept(client)).await??;
    let server = TcpStream::connect_timeout(target, PATIENCE).await?;
    io::copy_bidirectional(client, server).await
}
