//! Peers that stall, reset, half-close, or send a byte at a time, while goroutines are aborted: nothing is
//! left of them.

use std::io::{Read, Write};
use std::net::{self, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use futures::AsyncWriteExt;
use gorun::net::{TcpListener, TcpStream};
use gorun::{JoinSet, spawn};
use socket2::{Domain, SockRef, Socket, Type};

use super::allocated::allocated;
use super::{WORKERS, round_trip};
use crate::common::*;

/// With room for so many connections.
pub(super) const ROOM: &str = "ulimit -n $(ulimit -Hn)";

/// How many bytes more may be allocated after each round. It is less than a socket for each connection
/// would take.
const GROWTH: usize = scaled(256 << 10, 16 << 10);

/// Connections hold few bytes, so that a peer that does not read makes writers wait soon.
const FEW: usize = 4096;

pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    SockRef::from(&listener).set_send_buffer_size(FEW).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn dial(address: SocketAddr) -> net::TcpStream {
    let peer = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    peer.set_recv_buffer_size(FEW).unwrap();
    peer.connect(&address.into()).unwrap();
    let peer = net::TcpStream::from(peer);
    peer.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    peer
}

/// What the process has taken after each round.
#[derive(Default)]
struct Taken {
    /// Descriptors and threads.
    first: Option<(usize, usize)>,
    allocated: Vec<usize>,
}

impl Taken {
    /// Waits until there are no more descriptors and threads than after the first round, when the
    /// reactor is there. The threads of spare workers end a while later.
    async fn look(&mut self) {
        let start = Instant::now();
        let first = *self.first.get_or_insert_with(|| (descriptors(), threads()));
        while descriptors() > first.0 || threads() > first.1 {
            let now = (descriptors(), threads());
            assert!(start.elapsed() < DEADLINE, "descriptors and threads: {first:?}, now {now:?}");
            gorun::time::sleep(Duration::from_millis(5)).await;
        }
        self.allocated.push(allocated());
    }

    /// Queues and tables keep room for the most that there has been, which may grow in some rounds.
    /// What is left behind grows in all of them.
    fn check(&self) {
        println!("{:?}, allocated: {:?}", self.first, self.allocated);
        let growth = self.allocated.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        let least = growth.min().unwrap();
        assert!(least < GROWTH, "{least} bytes more after each round: {:?}", self.allocated);
    }
}

const ROUNDS: u64 = 4;

#[test]
fn hostile_peers_leave_nothing_behind() {
    if is_child() {
        return WORKERS.into_iter().for_each(serve_hostile_peers);
    }
    child_passes("hostile::hostile_peers_leave_nothing_behind", &[], ROOM);
}

/// The first byte of a peer that reads nothing.
const STALLS: u8 = 1;

fn serve_hostile_peers(workers: usize) {
    let _watchdog = watchdog();
    let peers = scaled(10_000, 300).min(most_connections());
    run(workers, async {
        let (listener, address) = listen().await;
        let mut taken = Taken::default();
        for round in 0..ROUNDS {
            let drops = Drops::new(peers);
            let acts = thread::spawn(move || act(address, peers, round));
            let mut set = JoinSet::new();
            for number in 0..peers {
                let (stream, _) = listener.accept().await.unwrap();
                let probe = drops.probe(number);
                set.spawn(async move {
                    let _probe = probe;
                    serve(stream).await;
                });
            }
            // Half of them end by themselves. The others are in the middle of something.
            for _ in 0..peers / 2 {
                set.join_next().await.unwrap().unwrap();
            }
            set.abort_all();
            while set.join_next().await.is_some() {}
            drops.assert_each_once(round);
            acts.join().unwrap();
            assert_eq!(gorun::num_goroutines(), 1);
            taken.look().await;
        }
        taken.check();
    });
}

/// As much as comes, and now and then more than the peer takes.
async fn serve(stream: TcpStream) {
    let mut buf = [0; 64];
    while let Ok(read @ 1..) = stream.read(&mut buf).await {
        let answer = if buf[0] == STALLS { vec![0; 1 << 16] } else { buf[..read].to_vec() };
        if (&stream).write_all(&answer).await.is_err() {
            break;
        }
    }
}

fn act(address: SocketAddr, peers: usize, seed: u64) {
    let mut random = Random(seed);
    let mut kept = Vec::new();
    for _ in 0..peers {
        let mut peer = dial(address);
        let may_stay = kept.len() < peers / 2;
        match random.below(6) {
            // Says nothing.
            0 if may_stay => kept.push(peer),
            1 if may_stay => {
                let _ = peer.write_all(&[STALLS]);
                kept.push(peer);
            }
            2 => {
                let _ = peer.write_all(b"reset");
                SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
            }
            // It does not wait for the end, which comes when the goroutine is done.
            3 if may_stay => {
                let _ = peer.write_all(b"half");
                let _ = peer.shutdown(net::Shutdown::Write);
                kept.push(peer);
            }
            4 => {
                for byte in b"slowly" {
                    let _ = peer.write_all(&[*byte]);
                }
            }
            _ => {}
        }
    }
    for mut peer in kept {
        let _ = peer.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_polite_client_is_served_beside_crowds_and_what_they_took_comes_back() {
    if is_child() {
        return WORKERS.into_iter().for_each(serve_crowds);
    }
    let test = "hostile::a_polite_client_is_served_beside_crowds_and_what_they_took_comes_back";
    child_passes(test, &[], ROOM);
}

fn serve_crowds(workers: usize) {
    let _watchdog = watchdog();
    run(workers, async {
        let (listener, address) = listen().await;
        let server = spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                gorun::go!(serve(stream));
            }
        });
        let polite = TcpStream::connect(address).await.unwrap();
        // With room for all, as it counts as taken.
        let (mut taken, mut times) = (Taken::default(), Vec::with_capacity(1 << 20));
        for _ in 0..ROUNDS {
            let crowds = crowd(address);
            while !crowds.is_finished() {
                let start = Instant::now();
                round_trip(&polite, b"polite").await.unwrap();
                times.push(start.elapsed());
            }
            crowds.join().unwrap();
            yield_until(|| gorun::num_goroutines() <= 3).await;
            taken.look().await;
        }
        taken.check();
        times.sort();
        let p99 = times[times.len() * 99 / 100];
        println!("{workers} workers: {} exchanges, 99 % within {p99:?}", times.len());
        assert!(p99 < Duration::from_secs(2), "{p99:?}");
        server.abort();
    });
}

/// Peers that never read, that never send, that stay idle after an exchange, and that come and go.
fn crowd(address: SocketAddr) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        for _ in 0..scaled(200, 20) {
            let mut peer = dial(address);
            peer.write_all(&[STALLS]).unwrap();
            kept.push(peer);
        }
        kept.extend((0..scaled(2_000, 100)).map(|_| dial(address)));
        for _ in 0..scaled(1_000, 50) {
            let mut peer = dial(address);
            peer.write_all(b"idle").unwrap();
            peer.read_exact(&mut [0; 4]).unwrap();
            kept.push(peer);
        }
        for _ in 0..scaled(5_000, 250) {
            drop(dial(address));
        }
    })
}

#[test]
fn a_connection_that_is_half_closed_costs_nothing_while_it_waits() {
    if is_child() {
        return WORKERS.into_iter().for_each(wait_half_closed);
    }
    let test = "hostile::a_connection_that_is_half_closed_costs_nothing_while_it_waits";
    child_passes(test, &[], "");
}

fn wait_half_closed(workers: usize) {
    let _watchdog = watchdog();
    run(workers, async {
        let (listener, address) = listen().await;
        let peer = dial(address);
        peer.shutdown(net::Shutdown::Write).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        let writes = spawn({
            let stream = stream.clone();
            async move { (&stream).write_all(&vec![0; 8 << 20]).await }
        });
        // Until it waits.
        let mut before = computed();
        loop {
            gorun::time::sleep(Duration::from_millis(300)).await;
            let now = computed();
            // Also on a busy machine one that spins would get more.
            if now - before < Duration::from_millis(10) {
                break;
            }
            before = now;
        }
        assert!(!writes.is_finished());
        drop(peer);
        assert!(writes.await.unwrap().is_err());
    });
}
