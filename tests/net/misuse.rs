//! What cannot be done: the error says what was wrong, and what to do.

use std::io::{Error, ErrorKind};
use std::net::{self as std_net, SocketAddr};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::net::{self, TcpListener, TcpStream, UdpSocket};

use super::{connected, with_workers};
use crate::common::*;

#[track_caller]
fn says(error: Error, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

/// Polls it on a thread without a runtime.
fn outside<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

#[test]
fn outside_of_a_runtime_there_is_an_error() {
    let _watchdog = watchdog();
    let live = std_net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = live.local_addr().unwrap();
    let limit = Duration::from_secs(5);
    let addresses = || [address, address];
    for error in [
        outside(TcpListener::bind("127.0.0.1:0")).unwrap_err(),
        outside(TcpStream::connect(address)).unwrap_err(),
        outside(TcpStream::connect(addresses())).unwrap_err(),
        outside(TcpStream::connect("localhost:1")).unwrap_err(),
        outside(TcpStream::connect_timeout(address, limit)).unwrap_err(),
        outside(TcpStream::connect_timeout("localhost:1", limit)).unwrap_err(),
        outside(UdpSocket::bind("127.0.0.1:0")).unwrap_err(),
        outside(net::lookup_host("localhost:1")).unwrap_err(),
        TcpStream::from_std(std_net::TcpStream::connect(address).unwrap()).unwrap_err(),
        UdpSocket::from_std(std_net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap_err(),
        TcpListener::from_std(live).unwrap_err(),
    ] {
        says(error, &["no gorun runtime", "inside `gorun::block_on`"]);
    }
    #[cfg(unix)]
    for error in [
        net::UnixStream::pair().unwrap_err(),
        net::UnixDatagram::pair().unwrap_err(),
        net::UnixDatagram::unbound().unwrap_err(),
    ] {
        says(error, &["no gorun runtime", "inside `gorun::block_on`"]);
    }
}

#[test]
fn on_a_thread_that_has_entered_a_runtime_sockets_are_made() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let runtime = gorun::Handle::current();
        let thread = std::thread::spawn(move || {
            let _guard = runtime.enter();
            let limit = Duration::from_secs(30);
            outside(async {
                TcpStream::connect_timeout([address, address], limit).await?.write(b"hi").await
            })
        });
        let (stream, _) = listener.accept().await?;
        assert_eq!(stream.read(&mut [0; 8]).await?, 2);
        assert_eq!(thread.join().unwrap()?, 2);
        Ok(())
    });
}

/// The system's own error is the source, and what to do is said once.
#[cfg(target_os = "linux")]
#[track_caller]
fn says_lack(error: Error, parts: &[&str]) {
    let source = error.get_ref().unwrap().source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(source.raw_os_error(), Some(nix::libc::EMFILE), "{error}");
    assert_eq!(error.to_string().matches("ulimit").count(), 1, "{error}");
    says(error, parts);
}

#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_the_error_says_which_limit_to_raise() {
    if !is_child() {
        let test = "misuse::without_descriptors_the_error_says_which_limit_to_raise";
        return child_passes(test, &[], "ulimit -n 40");
    }
    let _watchdog = watchdog();
    run(2, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut files = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            files.push(file);
        }
        let name = format!("localhost:{}", address.port());
        let path = std::env::temp_dir().join("gorun-test-nobody");
        for error in [
            TcpStream::connect(address).await.unwrap_err(),
            TcpStream::connect([address, address]).await.unwrap_err(),
            TcpListener::bind("127.0.0.1:0").await.unwrap_err(),
            UdpSocket::bind("127.0.0.1:0").await.unwrap_err(),
            net::UnixStream::connect(&path).await.unwrap_err(),
            net::UnixListener::bind(&path).unwrap_err(),
            net::UnixDatagram::bind(&path).unwrap_err(),
        ] {
            says_lack(error, &["Too many open files", "ulimit -n"]);
        }
        // The resolver needs some as well, and may have another word for it.
        says(TcpStream::connect(&name[..]).await.unwrap_err(), &["cannot"]);
        files.clear();
        TcpStream::connect(address).await.unwrap();
    });
    // The first socket needs descriptors for the reactor.
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    files.pop();
    let error = run(1, async { UdpSocket::bind("127.0.0.1:0").await.unwrap_err() });
    says_lack(error, &["descriptor", "ulimit -n"]);
}

#[test]
pub(super) fn after_an_end_reads_are_empty_and_writes_fail() {
    with_workers(async || {
        let (client, server) = connected().await?;
        client.write(b"before").await?;
        // Until it is there.
        assert_eq!(server.peek(&mut [0]).await?, 1);
        server.close_read()?;
        let mut all = Vec::new();
        (&server).read_to_end(&mut all).await?;
        assert_eq!(all, b"before");
        assert_eq!(server.read(&mut [0]).await?, 0);
        client.close_write()?;
        assert_eq!(client.write(b"after").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let by_trait = AsyncWriteExt::write(&mut &client, b"after").await.unwrap_err();
        assert_eq!(by_trait.kind(), ErrorKind::BrokenPipe);
        // Twice does no harm.
        let _ = client.close_write();
        (&client).close().await?;
        Ok(())
    });
}

#[test]
pub(super) fn a_close_of_the_reading_side_ends_reads_that_wait() {
    with_workers(async || {
        let (client, server) = connected().await?;
        let waits: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                gorun::spawn(async move { server.read(&mut [0]).await })
            })
            .collect();
        gorun::yield_now().await;
        server.close_read()?;
        for waits in waits {
            assert_eq!(waits.await.unwrap()?, 0);
        }
        drop(client);
        Ok(())
    });
}

#[test]
fn a_datagram_that_is_too_long_is_refused_with_its_length() {
    with_workers(async || {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let itself = socket.local_addr()?;
        let bytes = vec![0; 100_000];
        let error = socket.send_to(&bytes, itself).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        says(error, &["100000 bytes", "too long", "shorter"]);
        socket.connect(itself).await?;
        says(socket.send(&bytes).await.unwrap_err(), &["100000 bytes"]);
        #[cfg(target_os = "linux")]
        {
            let (left, _right) = net::UnixDatagram::pair()?;
            says(left.send(&vec![0; 64 << 20]).await.unwrap_err(), &["67108864 bytes", "too long"]);
        }
        Ok(())
    });
}

#[test]
pub(super) fn addresses_that_cannot_be_used_are_named() {
    with_workers(async || {
        let nobody: SocketAddr = "127.0.0.1:0".parse().unwrap();
        says(TcpStream::connect(nobody).await.unwrap_err(), &["127.0.0.1:0"]);
        says(TcpStream::connect("[::1").await.unwrap_err(), &["brackets", "[::1]:80"]);
        says(TcpStream::connect("").await.unwrap_err(), &["port is missing"]);
        says(TcpStream::connect(("", 80)).await.unwrap_err(), &["host is missing"]);
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let empty: &[SocketAddr] = &[];
        says(socket.send_to(b"to nobody", empty).await.unwrap_err(), &["at least one"]);
        says(socket.connect("nobody.invalid:1").await.unwrap_err(), &["nobody.invalid"]);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn paths_that_cannot_be_used_are_named() {
    with_workers(async || {
        let missing = std::env::temp_dir().join("gorun-test-no-such-folder").join("socket");
        let text = missing.to_string_lossy().into_owned();
        let long = std::env::temp_dir().join("x".repeat(200));
        for error in [
            net::UnixListener::bind(&missing).unwrap_err(),
            net::UnixDatagram::bind(&missing).unwrap_err(),
            net::UnixStream::connect(&missing).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            says(error, &[&text]);
        }
        for error in [
            net::UnixListener::bind(&long).unwrap_err(),
            net::UnixDatagram::bind(&long).unwrap_err(),
            net::UnixStream::connect(&long).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            says(error, &["xxx", "path must be shorter"]);
        }
        Ok(())
    });
}
