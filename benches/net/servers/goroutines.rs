//! gorun's.

use std::io;

use futures::AsyncWriteExt;
use gorun::go;
use gorun::net::{TcpListener, TcpStream};

use super::{ADDRESS, BUFFER, OTHERS, announce, step};
use crate::workload::Mode;

pub(super) fn serve(mode: Mode) {
    gorun::block_on(async {
        let listener = TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let accepts = gorun::spawn(async move {
            if mode.has_others() {
                for _ in 0..OTHERS {
                    go!(async move {
                        loop {
                            step(mode);
                            gorun::yield_now().await;
                        }
                    });
                }
            }
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match mode {
                    Mode::Unbuffered => go!(async move { _ = unbuffered(stream).await }),
                    _ => go!(async move { _ = buffered(stream).await }),
                }
            }
        });
        accepts.await.unwrap();
    });
}

async fn buffered(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; BUFFER];
    loop {
        let read = stream.read(&mut buf).await?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..read]).await?;
    }
}

async fn unbuffered(mut stream: TcpStream) -> io::Result<()> {
    let mut first = [0];
    while stream.read(&mut first).await? > 0 {
        let mut buf = vec![0; BUFFER];
        buf[0] = first[0];
        // The generator sends more than one byte at a time.
        let read = stream.read(&mut buf[1..]).await?;
        stream.write_all(&buf[..1 + read]).await?;
    }
    Ok(())
}
