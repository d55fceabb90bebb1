//! Crowds, of full size in a release build.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::time::{Duration, Instant};

use futures::AsyncWriteExt;
use gorun::JoinSet;
use gorun::net::TcpStream;
use gorun::time::sleep;

use super::client::*;
use super::common::*;

/// As many descriptors as the system allows.
const ROOM: &str = "ulimit -n $(ulimit -Hn)";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// The server has a process of its own, so that both may have the descriptors.
#[test]
fn a_crowd_of_idle_connections_is_closed_at_once_by_the_shutdown_and_leaves_no_descriptor() {
    const TEST: &str = "crowds::\
        a_crowd_of_idle_connections_is_closed_at_once_by_the_shutdown_and_leaves_no_descriptor";
    let _watchdog = watchdog();
    if let Some(workers) = scenario() {
        return serve_until_told(workers.parse().unwrap());
    }
    if !is_child() {
        return child_passes(TEST, &[], ROOM);
    }
    for workers in super::WORKERS {
        let mut server = start_child(TEST, &workers.to_string(), None);
        let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said = lines.filter_map(|line| Some(line.split_once("server: ")?.1.to_owned()));
        let address: SocketAddr = said.next().unwrap().parse().unwrap();
        let crowd = scaled(10_000, 500).min(2 * most_connections());
        let mut idle: Vec<_> = (0..crowd)
            .map(|_| {
                let mut stream = StdStream::connect(address).unwrap();
                stream.write_all(REQUEST).unwrap();
                stream.read_exact(&mut [0; 8]).unwrap();
                stream
            })
            .collect();
        idle[0].write_all(b"GET /stop HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let milliseconds: u64 = said.next().unwrap().parse().unwrap();
        println!("{workers} workers: {crowd} connections were closed in {milliseconds} ms");
        assert!(milliseconds < 20_000);
        for mut stream in idle {
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            assert!(rest.ends_with("hello"), "{rest}");
        }
        assert!(server.wait().unwrap().success());
    }
}

fn serve_until_told(workers: usize) {
    let before = descriptors();
    run(workers, async {
        let (stop, stopped) = gorun::channel(1);
        let server = server(move |request| {
            if request.uri().path() == "/stop" {
                stop.try_send(()).unwrap();
            }
            async { text("hello") }
        });
        let server = server.idle_timeout(HOUR).header_timeout(HOUR);
        println!("server: {}", start(&server).await);
        stopped.recv().await.unwrap();
        let start = Instant::now();
        server.shutdown(HOUR).await.unwrap();
        println!("server: {}", start.elapsed().as_millis());
        yield_until(|| gorun::num_goroutines() == 1).await;
    });
    wait_until(|| descriptors() == before);
}

#[test]
fn a_crowd_whose_heads_trickle_in_is_cut_off_while_others_are_served() {
    let _watchdog = watchdog();
    if !is_child() {
        let test = "crowds::a_crowd_whose_heads_trickle_in_is_cut_off_while_others_are_served";
        return child_passes(test, &[], ROOM);
    }
    for workers in super::WORKERS {
        let before = descriptors();
        run(workers, async {
            let server = server(|_| async { text("hello") });
            let server = server.header_timeout(Duration::from_millis(500)).idle_timeout(HOUR);
            let address = start(&server).await;
            let mut polite = connect1(address).await;
            // Before the crowd, which may keep its first head waiting for too long.
            assert_eq!(read(polite.send_request(get("/")).await.unwrap()).await.0, 200);
            let size = scaled(2_000, 300).min(most_connections());
            let mut crowd: JoinSet<_> = (0..size).map(|_| trickle(address)).collect();
            let (mut requests, mut slowest) = (0, Duration::ZERO);
            while !crowd.is_empty() {
                let start = Instant::now();
                polite.ready().await.unwrap();
                assert_eq!(read(polite.send_request(get("/")).await.unwrap()).await.0, 200);
                (requests, slowest) = (requests + 1, slowest.max(start.elapsed()));
                while let Some(one) = crowd.try_join_next() {
                    one.unwrap();
                }
                sleep(Duration::from_millis(1)).await;
            }
            println!("{workers} workers: beside {size}, the slowest of {requests}: {slowest:?}");
            assert!(slowest < Duration::from_secs(10));
            drop(polite);
            server.shutdown(HOUR).await.unwrap();
        });
        wait_until(|| descriptors() == before);
    }
}

/// Until the server has had enough.
async fn trickle(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have closed it before, if the machine is slow.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await;
    while stream.write_all(b"x").await.is_ok() {
        sleep(Duration::from_millis(10)).await;
    }
}
