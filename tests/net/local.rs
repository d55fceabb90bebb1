//! Local sockets.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gorun::net::{UnixDatagram, UnixListener, UnixStream};
use gorun::spawn;

use super::with_workers;

/// A path that nobody else has.
fn path() -> PathBuf {
    static USED: AtomicUsize = AtomicUsize::new(0);
    let number = USED.fetch_add(1, SeqCst);
    std::env::temp_dir().join(format!("gorun-test-{}-{number}", std::process::id()))
}

#[test]
fn an_echo_over_a_local_socket_comes_back() {
    with_workers(async || {
        let path = path();
        let listener = UnixListener::bind(&path)?;
        let in_use = UnixListener::bind(&path).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        assert!(in_use.to_string().contains("remove it"), "{in_use}");
        spawn({
            let listener = listener.clone();
            async move {
                let mut incoming = listener.incoming();
                while let Some(stream) = incoming.next().await {
                    let stream = stream.unwrap();
                    futures::io::copy(&stream, &mut &stream).await.unwrap();
                }
            }
        })
        .detach();
        let mut client = UnixStream::connect(&path).await?;
        client.write_all(b"hello").await?;
        client.close_write()?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await?;
        assert_eq!(answer, b"hello");
        listener.close();
        std::fs::remove_file(&path)?;
        let nobody = UnixStream::connect(&path).await.unwrap_err();
        assert!(nobody.to_string().contains(&*path.to_string_lossy()), "{nobody}");
        Ok(())
    });
}

#[test]
fn a_datagram_waits_for_room() {
    with_workers(async || {
        let path = path();
        let server = UnixDatagram::bind(&path)?;
        let (left, right) = UnixDatagram::pair()?;
        let client = UnixDatagram::unbound()?;
        let sends = spawn({
            let path = path.clone();
            async move {
                for number in 0..=255 {
                    client.send_to(&[number], &path).await.unwrap();
                    left.send(&[number]).await.unwrap();
                }
            }
        });
        let mut byte = [0];
        for number in 0..=255 {
            server.recv(&mut byte).await?;
            assert_eq!(byte, [number]);
            right.recv(&mut byte).await?;
            assert_eq!(byte, [number]);
        }
        sends.await.unwrap();
        std::fs::remove_file(&path)
    });
}

#[test]
fn a_datagram_waits_for_room_on_a_thread_without_a_runtime() {
    with_workers(async || {
        let path = path();
        let server = UnixDatagram::bind(&path)?;
        let client = UnixDatagram::unbound()?;
        let outside = std::thread::spawn({
            let path = path.clone();
            move || {
                futures::executor::block_on(async {
                    for number in 0..=255 {
                        client.send_to(&[number], &path).await.unwrap();
                    }
                });
            }
        });
        let mut byte = [0];
        for number in 0..=255 {
            server.recv(&mut byte).await?;
            assert_eq!(byte, [number]);
        }
        outside.join().unwrap();
        std::fs::remove_file(&path)
    });
}

#[test]
fn a_deadline_ends_the_wait_for_room() {
    with_workers(async || {
        let path = path();
        let _server = UnixDatagram::bind(&path)?;
        let client = UnixDatagram::unbound()?;
        let sends = spawn({
            let (client, path) = (client.clone(), path.clone());
            async move {
                loop {
                    if let Err(error) = client.send_to(&[0], &path).await {
                        return error.kind();
                    }
                }
            }
        });
        client.set_write_deadline(gorun::time::now() + std::time::Duration::from_millis(5));
        assert_eq!(sends.await.unwrap(), ErrorKind::TimedOut);
        std::fs::remove_file(&path)
    });
}

#[test]
fn a_full_local_socket_does_not_strand_its_writers() {
    // More datagrams than one queue has room for, of senders that are all connected.
    with_workers(async || {
        let path = path();
        let server = UnixDatagram::bind(&path)?;
        let mut set = gorun::JoinSet::new();
        for _ in 0..20 {
            let client = UnixDatagram::unbound()?;
            client.connect(&path)?;
            set.spawn(async move {
                for _ in 0..50 {
                    client.send(&[1]).await.unwrap();
                }
            });
        }
        for _ in 0..20 * 50 {
            server.recv(&mut [0]).await?;
        }
        set.join_all().await;
        std::fs::remove_file(&path)
    });
}

/// A read ends behind them, although more is there.
#[cfg(target_os = "linux")]
#[test]
fn data_behind_a_descriptor_that_a_peer_passes_are_read() {
    use std::io::IoSlice;
    use std::os::fd::AsRawFd;

    use gorun::yield_now;
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

    with_workers(async || {
        let (reader, peer) = std::os::unix::net::UnixStream::pair()?;
        let reader = UnixStream::from_std(reader)?;
        let reads = spawn(async move {
            let (mut all, mut buf) = (Vec::new(), [0; 16]);
            while all.len() < 2 {
                let read = reader.read(&mut buf).await?;
                all.extend_from_slice(&buf[..read]);
            }
            std::io::Result::Ok(all)
        });
        let sends = spawn(async move {
            // The reader waits. The only worker, if there is one, learns of both messages at once.
            yield_now().await;
            let passed = [peer.as_raw_fd()];
            let rights = [ControlMessage::ScmRights(&passed)];
            for (bytes, message) in [(b"a", &rights[..]), (b"b", &[])] {
                let slices = [IoSlice::new(bytes)];
                sendmsg::<()>(peer.as_raw_fd(), &slices, message, MsgFlags::empty(), None)?;
            }
            std::io::Result::Ok(peer)
        });
        let peer = sends.await.unwrap()?;
        assert_eq!(reads.await.unwrap()?, b"ab");
        drop(peer);
        Ok(())
    });
}
