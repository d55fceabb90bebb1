//! I/O goes on while workers block or compute.

use std::io::{self, Read, Write};
use std::net;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use gorun::net::{TcpListener, TcpStream};
use gorun::{spawn, yield_now};

use super::{WORKERS, connected, round_trip, spawn_echo, with_workers};
use crate::common::*;

#[test]
pub(super) fn bytes_come_back_whole_and_in_order() {
    with_workers(async || {
        let (client, server) = connected().await?;
        spawn_echo(server);
        for size in [1, 64, 100_000] {
            let bytes: Vec<u8> = (0..size).map(|byte: u32| byte as u8).collect();
            // Both at once, since the bytes in between are more than the system takes.
            let back = client.clone();
            let reads = spawn(async move {
                let mut answer = vec![0; size as usize];
                futures::AsyncReadExt::read_exact(&mut &back, &mut answer).await.map(|()| answer)
            });
            futures::AsyncWriteExt::write_all(&mut &client, &bytes).await?;
            assert!(reads.await.unwrap()? == bytes);
        }
        Ok(())
    });
}

/// Serves an echo. A connection that sends a zero blocks its goroutine, and the worker, until `release`
/// is met.
async fn serve(listener: TcpListener, blocked: Arc<AtomicUsize>, release: Arc<Barrier>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (blocked, release) = (blocked.clone(), release.clone());
        gorun::go!(async move {
            let mut buf = [0; 64];
            while let Ok(read @ 1..) = stream.read(&mut buf).await {
                if buf[0] == 0 {
                    blocked.fetch_add(1, SeqCst);
                    release.wait();
                }
                let _ = stream.write(&buf[..read]).await;
            }
        });
    }
}

#[test]
fn the_poller_s_goroutine_blocks_and_the_others_io_goes_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let blockers = 2 * workers;
        run(workers, async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let blocked = Arc::new(AtomicUsize::new(0));
            let release = Arc::new(Barrier::new(blockers + 1));
            spawn(serve(listener, blocked.clone(), release.clone())).detach();
            // On this thread, which is main's.
            let mut polite = net::TcpStream::connect(address).unwrap();
            let mut answer = [0];
            let mut clients = Vec::new();
            for number in 1..=blockers {
                let mut client = net::TcpStream::connect(address).unwrap();
                client.write_all(&[0]).unwrap();
                wait_until(|| blocked.load(SeqCst) == number);
                polite.write_all(&[7]).unwrap();
                polite.read_exact(&mut answer).unwrap();
                clients.push(client);
            }
            release.wait();
            for mut client in clients {
                client.read_exact(&mut answer).unwrap();
            }
        });
    }
}

/// The times of round trips from a plain thread, beside goroutines that compute on all workers.
fn round_trips_beside(
    workers: usize,
    compute: impl Fn() + Clone + Send + 'static,
) -> Vec<Duration> {
    let over = flag();
    run(workers, async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(serve(listener, Arc::default(), Arc::new(Barrier::new(1)))).detach();
        for _ in 0..2 * workers {
            let (compute, over) = (compute.clone(), over.clone());
            spawn(async move {
                while !over.load(SeqCst) {
                    compute();
                    yield_now().await;
                }
            })
            .detach();
        }
        let mut client = net::TcpStream::connect(address).unwrap();
        let mut times: Vec<_> = (0..20)
            .map(|_| {
                let start = Instant::now();
                client.write_all(&[7]).unwrap();
                client.read_exact(&mut [0]).unwrap();
                start.elapsed()
            })
            .collect();
        over.store(true, SeqCst);
        times.sort();
        times
    })
}

#[test]
fn beside_long_polls_an_event_has_a_fair_turn() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        let times = round_trips_beside(workers, || compute_for(Duration::from_millis(2)));
        println!("{workers} workers: {times:?}");
        // A turn is one poll; if it were 61, a hundred and twenty milliseconds.
        assert!(times[times.len() / 2] < Duration::from_millis(60), "{workers}: {times:?}");
    }
}

/// A dial, and an echo over the connection, in goroutines: at least three turns.
async fn dial_and_echo(address: net::SocketAddr) -> Duration {
    let start = Instant::now();
    let client = TcpStream::connect(address).await.unwrap();
    round_trip(&client, &[7]).await.unwrap();
    start.elapsed()
}

#[test]
fn beside_computing_workers_a_dial_takes_few_fair_turns() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        let mut times = run(workers, async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            spawn(serve(listener, Arc::default(), Arc::new(Barrier::new(1)))).detach();
            for _ in 0..2 * workers {
                gorun::go!(async {
                    loop {
                        compute_for(Duration::from_millis(2));
                        yield_now().await;
                    }
                });
            }
            let mut times = Vec::new();
            for _ in 0..20 {
                times.push(spawn(dial_and_echo(address)).await.unwrap());
            }
            times
        });
        times.sort();
        println!("{workers} workers: {times:?}");
        // Each turn is behind two polls of two milliseconds.
        assert!(times[times.len() / 2] < Duration::from_millis(100), "{workers}: {times:?}");
    }
}

#[test]
fn beside_endless_polls_an_event_finds_a_worker() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        let times = round_trips_beside(workers, || compute_for(Duration::from_millis(500)));
        println!("{workers} workers: {times:?}");
        assert!(times[times.len() / 2] < Duration::from_millis(250), "{workers}: {times:?}");
    }
}

#[test]
fn an_event_between_an_attempt_and_the_sleep_is_seen() {
    // Short exchanges, with pauses at random, so that workers go to sleep and wake all the time.
    let rounds = scaled(2000, 200);
    with_workers(async || {
        let mut set = gorun::JoinSet::new();
        for seed in 0..8 {
            let (client, server) = connected().await?;
            spawn_echo(server);
            let mut random = Random(seed);
            set.spawn(async move {
                for _ in 0..rounds {
                    round_trip(&client, &[1]).await?;
                    match random.below(8) {
                        0 => gorun::time::sleep(Duration::from_micros(random.below(50))).await,
                        1..4 => yield_now().await,
                        _ => {}
                    }
                }
                io::Result::Ok(())
            });
        }
        while let Some(result) = set.join_next().await {
            result.unwrap()?;
        }
        Ok(())
    });
}

#[test]
fn main_and_a_guest_read_and_write_as_well() {
    with_workers(async || {
        let (client, server) = connected().await?;
        let handle = gorun::Handle::current();
        let guest = std::thread::spawn(move || {
            handle.block_on(async {
                let mut buf = [0; 8];
                while let Ok(read @ 1..) = server.read(&mut buf).await {
                    server.write(&buf[..read]).await.unwrap();
                }
            });
        });
        for _ in 0..100 {
            round_trip(&client, b"12345678").await?;
        }
        drop(client);
        guest.join().unwrap();
        Ok(())
    });
}

#[test]
pub(super) fn wakers_of_combinators_are_woken_too() {
    // `join_all` has wakers of its own, which the monitor must not call.
    with_workers(async || {
        let mut pairs = Vec::new();
        for _ in 0..40 {
            let (client, server) = connected().await?;
            spawn_echo(server);
            pairs.push(client);
        }
        for _ in 0..5 {
            let exchanges = pairs.iter().map(|client| round_trip(client, b"hello"));
            for result in futures::future::join_all(exchanges).await {
                result?;
            }
        }
        Ok(())
    });
}
