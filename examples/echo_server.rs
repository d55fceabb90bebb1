//! An echo server: one goroutine for each connection, which ends after a minute of silence.
//!
//! `cargo run --example echo_server 127.0.0.1:7000`, and then `nc 127.0.0.1 7000`.

use std::env;
use std::io;
use std::time::Duration;

use gorun::go;
use gorun::net::{TcpListener, TcpStream};
use gorun::time::now;

const SILENCE: Duration = Duration::from_secs(60);

#[gorun::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        // If there are no descriptors left, this takes a while, and says so.
        match listener.accept().await {
            Ok((stream, peer)) => go!(async move {
                match echo(&stream).await {
                    Ok(bytes) => println!("{peer} sent {bytes} bytes"),
                    Err(error) => println!("{peer}: {error}"),
                }
            }),
            Err(error) => eprintln!("{error}"),
        }
    }
}

/// Sends back what comes. Returns how much that was.
async fn echo(stream: &TcpStream) -> io::Result<usize> {
    let (mut bytes, mut buf) = (0, [0; 4096]);
    loop {
        stream.set_read_deadline(now() + SILENCE);
        let read = stream.read(&mut buf).await?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes += read;
        let mut rest = &buf[..read];
        while !rest.is_empty() {
            rest = &rest[stream.write(rest).await?..];
        }
    }
}
