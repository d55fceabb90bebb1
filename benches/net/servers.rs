//! The servers. Each prints its address, and echoes until it is killed.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

pub(crate) const NAMES: [&str; 3] = ["mio", "tokio", "gorun"];

const ADDRESS: &str = "127.0.0.1:0";
const BUFFER: usize = 4096;

pub(crate) fn serve(name: &str) {
    match name {
        "mio" => mio_loop(),
        "tokio" => tokio_tasks(),
        "gorun" => goroutines(),
        _ => panic!("no server has the name {name}"),
    }
}

fn announce(address: SocketAddr) {
    println!("{address}");
}

/// What a server costs without a runtime.
fn mio_loop() {
    const LISTENER: Token = Token(usize::MAX);
    let mut poll = Poll::new().unwrap();
    let mut listener = TcpListener::bind(ADDRESS.parse().unwrap()).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    announce(listener.local_addr().unwrap());
    let mut events = Events::with_capacity(128);
    let mut streams: Vec<TcpStream> = Vec::new();
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).unwrap();
                    let token = Token(streams.len());
                    let interests = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, token, interests).unwrap();
                    streams.push(stream);
                }
            } else if event.is_readable() {
                echo(&mut streams[event.token().0]);
            }
        }
    }
}

fn echo(stream: &mut TcpStream) {
    let mut buf = [0; BUFFER];
    loop {
        match stream.read(&mut buf) {
            Ok(read) => {
                stream.write_all(&buf[..read]).unwrap();
                // A short read has emptied it.
                if read < BUFFER {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return,
        }
    }
}

fn tokio_tasks() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let mut buf = [0; BUFFER];
                    while let Ok(read @ 1..) = stream.read(&mut buf).await {
                        stream.write_all(&buf[..read]).await.unwrap();
                    }
                });
            }
        })
        .await
        .unwrap();
    });
}

fn goroutines() {
    use futures::AsyncWriteExt;
    gorun::block_on(async {
        let listener = gorun::net::TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let accepts = gorun::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                gorun::go!(async move {
                    let mut buf = [0; BUFFER];
                    while let Ok(read @ 1..) = stream.read(&mut buf).await {
                        stream.write_all(&buf[..read]).await.unwrap();
                    }
                });
            }
        });
        accepts.await.unwrap();
    });
}
