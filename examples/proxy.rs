//! A proxy: it passes on what clients send to a target, and what the target answers. Each connection has a
//! goroutine.
//!
//! `cargo run --example proxy 127.0.0.1:7002 example.org:80`

use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use gorun::net::{TcpListener, TcpStream};
use gorun::{go, io};

/// How long the target may take to be reached.
const REACH: Duration = Duration::from_secs(5);

#[gorun::main]
async fn main() -> std::io::Result<()> {
    let [address, target] = &env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err(std::io::Error::other("usage: proxy ADDRESS TARGET"));
    };
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((client, peer)) => go!(serve(client, peer, target.clone())),
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn serve(client: TcpStream, peer: SocketAddr, target: String) {
    match forward(client, &target).await {
        Ok((sent, answered)) => println!("{peer}: {sent} bytes sent, {answered} answered"),
        Err(error) => println!("{peer}: {error}"),
    }
}

/// Until both have nothing more to say. One that is done may still listen to the other.
async fn forward(client: TcpStream, target: &str) -> std::io::Result<(u64, u64)> {
    let server = TcpStream::connect_timeout(target, REACH).await?;
    io::copy_bidirectional(client, server).await
}
