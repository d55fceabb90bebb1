//! smol's, on its global executor, whose default is one thread.

use std::io;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use super::{ADDRESS, BUFFER, OTHERS, announce, step};
use crate::workload::Mode;

pub(super) fn serve(mode: Mode) {
    smol::block_on(async {
        let listener = TcpListener::bind(ADDRESS).await.unwrap();
        announce(listener.local_addr().unwrap());
        let accepts = smol::spawn(async move {
            if mode.has_others() {
                for _ in 0..OTHERS {
                    let other = async move {
                        loop {
                            step(mode);
                            smol::future::yield_now().await;
                        }
                    };
                    smol::spawn(other).detach();
                }
            }
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                match mode {
                    Mode::Unbuffered => smol::spawn(unbuffered(stream)).detach(),
                    _ => smol::spawn(buffered(stream)).detach(),
                }
            }
        });
        accepts.await
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
