//! Accepting connections.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use futures::StreamExt;
use gorun::net::{TcpListener, TcpStream};
use gorun::{spawn, time};

use super::{round_trip, spawn_echo, with_workers};
use crate::common::*;

#[test]
pub(super) fn close_ends_all_accepts() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let accept = |_| {
            let (listener, waiting) = (listener.clone(), waiting.clone());
            spawn(async move {
                let mut accept = pin!(listener.accept());
                assert!(futures::poll!(accept.as_mut()).is_pending());
                waiting.fetch_add(1, SeqCst);
                accept.await.is_err()
            })
        };
        let accepts: Vec<_> = (0..10).map(accept).collect();
        yield_until(|| waiting.load(SeqCst) == accepts.len()).await;
        listener.close();
        for accept in accepts {
            assert!(time::timeout(DEADLINE, accept).await.expect("it is woken").unwrap());
        }
        let error = listener.accept().await.unwrap_err();
        assert!(error.to_string().contains("has been closed"), "{error}");
        assert!(listener.incoming().next().await.is_none());
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
pub(super) fn after_close_peers_are_refused_and_the_port_is_free() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        listener.close();
        assert!(TcpStream::connect(address).await.is_err());
        drop(listener);
        TcpListener::bind(address).await?;
        Ok(())
    });
}

#[test]
fn without_descriptors_an_accept_loop_neither_spins_nor_ends() {
    if is_child() {
        return run(2, lack_descriptors());
    }
    let test = "listeners::without_descriptors_an_accept_loop_neither_spins_nor_ends";
    child_passes(test, &[], "ulimit -n 40");
}

async fn lack_descriptors() {
    let _watchdog = watchdog();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, failed) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    // A loop that knows nothing of this.
    spawn({
        let (accepted, failed) = (accepted.clone(), failed.clone());
        async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        accepted.fetch_add(1, SeqCst);
                        spawn_echo(stream);
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("ulimit"), "{error}");
                        failed.fetch_add(1, SeqCst);
                    }
                }
            }
        }
    })
    .detach();
    let mut clients = Vec::new();
    while failed.load(SeqCst) == 0 {
        // These take descriptors as well.
        match TcpStream::connect(address).await {
            Ok(client) => clients.push(client),
            Err(_) => time::sleep(Duration::from_millis(1)).await,
        }
    }
    let (start, before) = (Instant::now(), failed.load(SeqCst));
    time::sleep(Duration::from_millis(200)).await;
    let failures = failed.load(SeqCst) - before;
    let took = start.elapsed();
    // There has been one pause, of five milliseconds. So the next one, which may have begun before, is of
    // ten; then come twenty, forty ...
    let pauses = (1..failures as u32).map(|n| Duration::from_millis(10 << n.min(6)));
    assert!(pauses.sum::<Duration>() <= took, "{failures} failures in {took:?}");
    // When there are some again, it goes on by itself.
    clients.truncate(2);
    let before = accepted.load(SeqCst);
    let client = loop {
        match TcpStream::connect(address).await {
            Ok(client) => break client,
            Err(_) => time::sleep(Duration::from_millis(1)).await,
        }
    };
    round_trip(&client, b"served").await.unwrap();
    assert!(accepted.load(SeqCst) > before);
}

#[test]
pub(super) fn a_burst_of_connections_is_accepted() {
    let burst = scaled(2000, 200);
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connects = (0..burst).map(|_| spawn(TcpStream::connect(address)));
        let connects: Vec<_> = connects.collect();
        let mut incoming = listener.incoming();
        for _ in 0..burst {
            incoming.next().await.unwrap()?;
        }
        for connect in connects {
            connect.await.unwrap()?;
        }
        Ok(())
    });
}

#[test]
fn accept_works_on_a_thread_without_a_runtime() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (done, is_done) = gorun::channel(1);
        let outside = std::thread::spawn(move || {
            futures::executor::block_on(async {
                let (stream, _) = listener.accept().await?;
                let stream_too = listener.incoming().next().await.unwrap()?;
                for stream in [stream, stream_too] {
                    futures::io::copy(&stream, &mut &stream).await?;
                }
                done.send(()).await.unwrap();
                std::io::Result::Ok(())
            })
        });
        let clients = [TcpStream::connect(address).await?, TcpStream::connect(address).await?];
        for client in clients {
            round_trip(&client, b"hello").await?;
        }
        is_done.recv().await;
        outside.join().unwrap()
    });
}
