//! Peers that stall, reset, half-close, or send a byte at a time, while goroutines are aborted: nothing is
//! left of them.

use std::io::{Read, Write};
use std::net;
use std::time::Duration;

use futures::AsyncWriteExt;
use gorun::JoinSet;
use gorun::net::TcpListener;

use super::WORKERS;
use crate::common::*;

#[test]
fn hostile_peers_leave_nothing_behind() {
    if is_child() {
        return WORKERS.into_iter().for_each(serve_hostile_peers);
    }
    child_passes("hostile::hostile_peers_leave_nothing_behind", &[], "ulimit -n $(ulimit -Hn)");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn serve_hostile_peers(workers: usize) {
    let _watchdog = watchdog();
    let rounds = scaled(50, 4);
    run(workers, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let before = descriptors();
        for round in 0..rounds {
            let peers = std::thread::spawn(move || act(address, round));
            let mut set = JoinSet::new();
            for _ in 0..PEERS {
                let (stream, _) = listener.accept().await.unwrap();
                set.spawn(async move {
                    // As much as comes, and now and then more than the peer takes.
                    let mut buf = [0; 512];
                    while let Ok(read @ 1..) = stream.read(&mut buf).await {
                        let answer =
                            if buf[0] == STALLS { vec![0; 1 << 20] } else { buf[..read].to_vec() };
                        if (&stream).write_all(&answer).await.is_err() {
                            break;
                        }
                    }
                });
            }
            let mut ended = 0;
            while ended < PEERS / 2 && set.join_next().await.is_some() {
                ended += 1;
            }
            // The others are in the middle of something.
            set.abort_all();
            while set.join_next().await.is_some() {}
            peers.join().unwrap();
        }
        // What is of the reactor itself stays.
        assert_eq!(descriptors(), before);
        assert_eq!(gorun::num_goroutines(), 1);
    });
}

const PEERS: usize = 200;

/// The first byte of a peer that reads nothing.
const STALLS: u8 = 1;

fn act(address: std::net::SocketAddr, seed: usize) {
    let mut random = Random(seed as u64);
    let mut kept = Vec::new();
    for _ in 0..PEERS {
        let mut peer = net::TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        match random.below(6) {
            // Says nothing.
            0 => kept.push(peer),
            1 => {
                let _ = peer.write_all(&[STALLS]);
                kept.push(peer);
            }
            2 => {
                let _ = peer.write_all(b"reset");
                socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
            }
            3 => {
                let _ = peer.write_all(b"half");
                // It fails if its goroutine has been aborted.
                let _ = peer.shutdown(net::Shutdown::Write);
                let _ = peer.read_to_end(&mut Vec::new());
            }
            4 => {
                for byte in b"slowly" {
                    let _ = peer.write_all(&[*byte]);
                }
            }
            _ => {}
        }
    }
    // So that half of the goroutines end by themselves.
    kept.truncate(PEERS / 2);
    for mut peer in kept {
        let _ = peer.read_to_end(&mut Vec::new());
    }
}
