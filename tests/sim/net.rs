//! The simulated network: what it does to programs, and what they may rely on.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use gorun::sim::net::{self, Host, Network};
use gorun::sim::{self, Explored, Failure, Sim, Strategy};
use gorun::time::{now, sleep, timeout};
use gorun::{go, spawn, yield_now};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MS: Duration = Duration::from_millis(1);

/// A listener at port 80 of `host`.
pub(super) async fn listen(host: &Host) -> TcpListener {
    host.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap()
}

/// A host `there`, and a connection to it: its own end first.
async fn connected() -> (Host, TcpStream, TcpStream) {
    let there = Host::new("there");
    let listener = listen(&there).await;
    let here = TcpStream::connect("there:80").await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    (there, accepted, here)
}

async fn socket(host: &Host) -> UdpSocket {
    host.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap()
}

pub(super) fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn on(network: Network) -> Sim {
    Sim::new().network(network).schedules(200)
}

// Streams.

#[test]
fn bytes_are_lost_or_overtake_each_other() {
    let network = Network::new().latency(Duration::ZERO..=30 * MS).outages(20, 60 * SECOND);
    on(network).schedules(50).check(|| async {
        let (_there, accepted, here) = connected().await;
        let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = sent.clone();
        go!(async move { (&here).write_all(&sent).await.unwrap() });
        let mut received = Vec::new();
        (&accepted).read_to_end(&mut received).await.unwrap();
        assert!(received == expected, "{} bytes, or others", received.len());
    });
}

#[test]
fn a_read_always_gets_all_that_was_written_at_once() {
    let parts = AtomicUsize::new(0);
    Sim::new().schedules(200).check(async || {
        let (_there, accepted, here) = connected().await;
        here.write(b"hello").await.unwrap();
        if accepted.read(&mut [0; 8]).await.unwrap() < 5 {
            parts.fetch_add(1, SeqCst);
        }
    });
    let parts = parts.load(SeqCst);
    assert!((1..100).contains(&parts), "{parts} of 200");
}

#[test]
fn a_writer_is_never_held_up() {
    Sim::new().schedules(50).check(|| async {
        let (_there, accepted, here) = connected().await;
        let writer = here.clone();
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        go!(async move {
            for _ in 0..1000 {
                count.fetch_add(writer.write(&[7; 1000]).await.unwrap(), SeqCst);
            }
            writer.close_write().unwrap();
        });
        sleep(SECOND).await;
        assert_eq!(written.load(SeqCst), 64 * 1024);
        let mut all = Vec::new();
        (&accepted).read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), written.load(SeqCst));
    });
}

#[test]
fn a_link_that_is_cut_for_a_while_breaks_a_connection() {
    on(Network::new()).check(|| async {
        let (there, accepted, here) = connected().await;
        net::partition(&[&Host::current()], &[&there]);
        here.write(b"question").await.unwrap();
        timeout(149 * SECOND, accepted.read(&mut [0; 8])).await.unwrap_err();
        let healed = now();
        net::heal();
        let mut question = [0; 8];
        (&accepted).read_exact(&mut question).await.unwrap();
        assert!(now() - healed <= 10 * MS, "{:?}", now() - healed);
        // Nor is it given up later.
        sleep(200 * SECOND).await;
        accepted.write(b"answer").await.unwrap();
        assert!(here.read(&mut [0; 8]).await.unwrap() > 0);
    });
}

#[test]
fn a_connection_on_which_nothing_gets_through_lasts_for_ever() {
    on(Network::new()).check(|| async {
        let (there, accepted, here) = connected().await;
        let cut = now();
        // In one direction, and nobody sends.
        net::cut(&there, &Host::current());
        assert_eq!(kind(here.read(&mut [0]).await), ErrorKind::TimedOut);
        assert_eq!(now() - cut, 150 * SECOND);
        // It is told once.
        assert_eq!(here.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(kind(accepted.write(b"x").await), ErrorKind::TimedOut);
        assert_eq!(kind(accepted.write(b"x").await), ErrorKind::BrokenPipe);
    });
}

#[test]
fn what_is_cut_in_one_direction_is_cut_in_both() {
    on(Network::new()).check(|| async {
        let (there, accepted, here) = connected().await;
        net::cut(&there, &Host::current());
        here.write(b"x").await.unwrap();
        assert_eq!(accepted.read(&mut [0]).await.unwrap(), 1);
        accepted.write(b"y").await.unwrap();
        timeout(SECOND, here.read(&mut [0])).await.unwrap_err();
    });
}

#[test]
fn a_connection_is_made_over_a_link_that_is_cut() {
    on(Network::new()).check(|| async {
        let there = Host::new("there");
        let _listener = listen(&there).await;
        net::partition(&[&Host::current()], &[&there]);
        let start = now();
        let error = TcpStream::connect("there:80").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("cannot connect to 10.0.0.2:80"), "{error}");
        assert_eq!(now() - start, 127 * SECOND);
        // One that waits goes on.
        let waits = spawn(TcpStream::connect("there:80"));
        sleep(100 * SECOND).await;
        net::heal();
        waits.await.unwrap().unwrap();
    });
}

#[test]
fn a_connection_that_was_refused_or_has_no_host_waits() {
    on(Network::new()).check(|| async {
        let _there = Host::new("there");
        assert_eq!(kind(TcpStream::connect("there:80").await), ErrorKind::ConnectionRefused);
        assert_eq!(kind(TcpStream::connect("127.0.0.1:80").await), ErrorKind::ConnectionRefused);
        let nobody = TcpStream::connect("192.168.1.1:80").await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::HostUnreachable);
        assert!(nobody.to_string().contains("no host of the simulated network"), "{nobody}");
        let nobody = lookup_host("nobody:80").await.unwrap_err();
        assert!(nobody.to_string().contains("is called \"nobody\""), "{nobody}");
        let port = TcpListener::bind("there:80").await.unwrap_err();
        assert_eq!(port.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_close_with_data_unread_is_a_quiet_end() {
    Sim::new().schedules(100).check(|| async {
        let (_there, accepted, here) = connected().await;
        here.write(b"unread").await.unwrap();
        sleep(SECOND).await;
        drop(accepted);
        assert_eq!(kind(here.read(&mut [0]).await), ErrorKind::ConnectionReset);
    });
}

#[test]
fn what_came_before_the_end_is_lost() {
    Sim::new().schedules(100).check(|| async {
        let (_there, accepted, here) = connected().await;
        accepted.write(b"last").await.unwrap();
        drop(accepted);
        // It is not there any more, and says so.
        here.write(b"x").await.unwrap();
        sleep(SECOND).await;
        let mut last = String::new();
        (&here).read_to_string(&mut last).await.unwrap();
        assert_eq!(last, "last");
        assert_eq!(kind(here.write(b"x").await), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_connection_that_nobody_accepts_is_not_reset_when_its_listener_goes() {
    Sim::new().schedules(100).check(|| async {
        let there = Host::new("there");
        let listener = listen(&there).await;
        let here = TcpStream::connect("there:80").await.unwrap();
        listener.close();
        assert_eq!(kind(here.read(&mut [0]).await), ErrorKind::ConnectionReset);
        assert_eq!(kind(TcpStream::connect("there:80").await), ErrorKind::ConnectionRefused);
        // The port is free.
        listen(&there).await;
    });
}

#[test]
fn linger_zero_is_a_quiet_end() {
    Sim::new().schedules(20).check(|| async {
        let (_there, accepted, here) = connected().await;
        accepted.set_linger(Some(Duration::ZERO)).unwrap();
        drop(accepted);
        assert_eq!(kind(here.read(&mut [0]).await), ErrorKind::ConnectionReset);
    });
}

#[test]
fn resets_do_not_happen() {
    let resets = AtomicUsize::new(0);
    on(Network::new().resets(10)).check(async || {
        let (_there, accepted, here) = connected().await;
        let written = here.write(b"x").await;
        let read = accepted.read(&mut [0]).await;
        if written.is_err() {
            assert_eq!(kind(written), ErrorKind::ConnectionReset);
            assert_eq!(kind(read), ErrorKind::ConnectionReset);
            resets.fetch_add(1, SeqCst);
        }
    });
    let resets = resets.load(SeqCst);
    assert!((5..60).contains(&resets), "{resets} of 200");
}

// Addresses.

#[test]
fn addresses_are_not_those_of_their_hosts() {
    Sim::new().schedules(10).check(|| async {
        let (there, accepted, here) = connected().await;
        let main = Host::current();
        assert_eq!((main.name(), there.name()), ("main".to_owned(), "there".to_owned()));
        assert_eq!(here.peer_addr().unwrap(), (there.address(), 80).into());
        assert_eq!(accepted.local_addr().unwrap(), here.peer_addr().unwrap());
        assert_eq!(accepted.peer_addr().unwrap(), here.local_addr().unwrap());
        assert_eq!(here.local_addr().unwrap().ip(), main.address());
        // Names are not case-sensitive, and a host has its own loopback.
        assert_eq!(lookup_host("THERE:1").await.unwrap(), [(there.address(), 1).into()]);
        let _own = TcpListener::bind("127.0.0.1:80").await.unwrap();
        assert_eq!(kind(TcpListener::bind("0.0.0.0:80").await), ErrorKind::AddrInUse);
        let local = there.spawn(TcpStream::connect("localhost:80")).await.unwrap();
        assert_eq!(kind(local), ErrorKind::ConnectionRefused, "it has closed");
        let local = TcpStream::connect("localhost:80").await.unwrap();
        assert_eq!(local.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    });
}

#[test]
fn a_listener_for_both_families_has_one() {
    Sim::new().schedules(10).check(|| async {
        let listener = TcpListener::bind("[::]:80").await.unwrap();
        let v4 = TcpStream::connect("127.0.0.1:80").await.unwrap();
        let (accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip(), Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(peer.port(), v4.local_addr().unwrap().port());
        assert_eq!(accepted.peer_addr().unwrap(), peer);
        let v6 = TcpStream::connect("[::1]:80").await.unwrap();
        assert_eq!(v6.local_addr().unwrap().ip(), Ipv6Addr::LOCALHOST);
        listener.accept().await.unwrap();
    });
}

#[test]
fn ports_run_out() {
    Sim::new().schedules(1).check(|| async {
        let listener = TcpListener::bind("127.0.0.1:80").await.unwrap();
        for _ in 0..70_000 {
            let here = TcpStream::connect("127.0.0.1:80").await.unwrap();
            let accepted = listener.accept().await.unwrap();
            drop((here, accepted));
        }
    });
}

// Hosts.

#[test]
fn a_goroutine_leaves_the_host_of_its_spawner() {
    Sim::new().schedules(50).check(|| async {
        let there = Host::new("there");
        let names = there.spawn(async {
            let mut names = vec![Host::current().name()];
            names.push(spawn(async { Host::current().name() }).await.unwrap());
            sleep(SECOND).await;
            names.push(Host::current().name());
            let deep = spawn(async { spawn(async { Host::current().name() }).await.unwrap() });
            names.push(deep.await.unwrap());
            names
        });
        assert_eq!(Host::current().name(), "main");
        assert_eq!(spawn(async { Host::current().name() }).await.unwrap(), "main");
        assert!(names.await.unwrap().iter().all(|name| name == "there"));
    });
}

#[test]
fn a_crash_leaves_goroutines_or_ports_behind() {
    Sim::new().schedules(200).check(|| async {
        let there = Host::new("there");
        let lives = Arc::new(());
        for _ in 0..3 {
            let (listener, alive) = (listen(&there).await, lives.clone());
            there
                .spawn(async move {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        let alive = alive.clone();
                        go!(async move {
                            let _alive = alive;
                            futures::io::copy(&stream, &mut &stream).await.unwrap();
                        });
                        yield_now().await;
                    }
                })
                .detach();
            let here = TcpStream::connect("there:80").await.unwrap();
            here.write(b"x").await.unwrap();
            if sim::rng().one_in(2) {
                here.read(&mut [0]).await.unwrap();
            }
            there.crash();
            sim::settle().await;
            assert_eq!(Arc::strong_count(&lives), 1);
        }
    });
}

#[test]
fn the_peers_of_a_host_that_crashed_and_runs_again_wait_for_ever() {
    on(Network::new()).check(|| async {
        let (there, accepted, here) = connected().await;
        there.crash();
        sleep(SECOND).await;
        there.spawn(async {}).await.unwrap();
        let start = now();
        let writes = sim::rng().one_in(2);
        if writes {
            here.write(b"x").await.unwrap();
        }
        assert_eq!(kind(here.read(&mut [0]).await), ErrorKind::ConnectionReset);
        let limit = if writes { 20 * MS } else { 15 * SECOND + 10 * MS };
        assert!(now() - start <= limit, "{:?}", now() - start);
        // Of no use to who has it still.
        accepted.read(&mut [0]).await.unwrap_err();
    });
}

// Datagrams.

/// The numbers of ten datagrams as they arrive.
async fn ten_datagrams() -> Vec<u8> {
    let there = Host::new("there");
    let receiver = socket(&there).await;
    let sender = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    for n in 0..10 {
        sender.send_to(&[n], "there:53").await.unwrap();
    }
    let mut received = Vec::new();
    let mut buf = [0; 8];
    while let Ok(got) = timeout(SECOND, receiver.recv_from(&mut buf)).await {
        let (length, from) = got.unwrap();
        assert_eq!((length, from.ip()), (1, Host::current().address()));
        received.push(buf[0]);
    }
    received
}

#[test]
fn datagrams_are_neither_lost_nor_doubled_nor_late() {
    let seen = |network: Network, is: fn(&[u8]) -> bool| {
        let count = AtomicUsize::new(0);
        on(network).check(async || {
            count.fetch_add(usize::from(is(&ten_datagrams().await)), SeqCst);
        });
        count.load(SeqCst)
    };
    let is_lost = |all: &[u8]| all.iter().collect::<BTreeSet<_>>().len() < 10;
    let is_doubled = |all: &[u8]| all.len() > all.iter().collect::<BTreeSet<_>>().len();
    let overtakes = |all: &[u8]| !all.is_sorted();
    assert_eq!(seen(Network::new(), is_lost), 0);
    assert_eq!(seen(Network::new(), is_doubled), 0);
    assert_eq!(seen(Network::new().latency(MS..=MS), overtakes), 0);
    assert!(seen(Network::new(), overtakes) > 100);
    assert!((50..190).contains(&seen(Network::new().losses(10), is_lost)));
    assert!((50..190).contains(&seen(Network::new().duplicates(10), is_doubled)));
    assert!((10..190).contains(&seen(Network::new().outages(30, SECOND), is_lost)));
}

#[test]
fn a_datagram_to_nobody_is_never_refused() {
    on(Network::new()).check(|| async {
        let there = Host::new("there");
        let here = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        here.send_to(b"x", "there:53").await.unwrap();
        sleep(SECOND).await;
        here.connect("there:53").await.unwrap();
        assert_eq!(here.local_addr().unwrap().ip(), Host::current().address());
        here.send(b"x").await.unwrap();
        assert_eq!(kind(here.recv(&mut [0]).await), ErrorKind::ConnectionRefused);
        // It remains usable, and hears its peer alone.
        let receiver = socket(&there).await;
        let other = there.spawn(UdpSocket::bind("0.0.0.0:0")).await.unwrap().unwrap();
        other.send_to(b"o", here.local_addr().unwrap()).await.unwrap();
        here.send(b"y").await.unwrap();
        let (_, from) = receiver.recv_from(&mut [0]).await.unwrap();
        assert_eq!(from, here.local_addr().unwrap());
        receiver.send_to(b"z", from).await.unwrap();
        let mut buf = [0];
        here.recv(&mut buf).await.unwrap();
        assert_eq!(&buf, b"z");
        let long = here.send(&[0; 65_508]).await.unwrap_err();
        assert!(long.to_string().contains("a datagram of 65508 bytes is too long"), "{long}");
    });
}

// Runs.

#[test]
fn a_deadlock_beside_sockets_is_not_found() {
    let failure = Sim::new().run(|| async {
        let (_there, accepted, _here) = connected().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        spawn(async move { listener.accept().await.unwrap() }).detach();
        accepted.read(&mut [0]).await.unwrap();
    });
    let report = failure.unwrap_err().to_string();
    assert!(report.contains("a deadlock") && report.contains("[accept]"), "{report}");
    assert!(report.contains("[read]"), "{report}");
}

/// A program with all that is drawn.
async fn chaos() {
    let servers: Vec<_> = ["a", "b", "c"].map(Host::new).into();
    for server in &servers {
        server
            .spawn(async {
                let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
                let socket = UdpSocket::bind("0.0.0.0:53").await.unwrap();
                go!(async move {
                    let mut buf = [0; 16];
                    while let Ok((length, from)) = socket.recv_from(&mut buf).await {
                        let _ = socket.send_to(&buf[..length], from).await;
                    }
                });
                while let Ok((stream, _)) = listener.accept().await {
                    go!(async move { _ = futures::io::copy(&stream, &mut &stream).await });
                }
            })
            .detach();
    }
    let clients: Vec<_> = (0..4)
        .map(|client| {
            spawn(async move {
                let mut answers = 0;
                for round in 0..5 {
                    let name = ["a", "b", "c"][(client + round) % 3];
                    let ask = async {
                        let stream = TcpStream::connect(format!("{name}:80")).await?;
                        (&stream).write_all(&[1; 100]).await?;
                        (&stream).read_exact(&mut [0; 100]).await?;
                        let socket = UdpSocket::bind("0.0.0.0:0").await?;
                        socket.send_to(b"x", format!("{name}:53")).await?;
                        timeout(100 * MS, socket.recv_from(&mut [0])).await??;
                        io::Result::Ok(())
                    };
                    answers += usize::from(matches!(timeout(5 * SECOND, ask).await, Ok(Ok(()))));
                }
                answers
            })
        })
        .collect();
    let crashes = &servers[sim::rng().below(3)];
    sleep(sim::rng().below(100) as u32 * MS).await;
    crashes.crash();
    for client in clients {
        client.await.unwrap();
    }
}

fn rough() -> Network {
    let network = Network::new().latency(Duration::ZERO..=50 * MS).losses(10).duplicates(10);
    network.resets(50).outages(50, 2 * SECOND)
}

#[test]
fn a_run_with_faults_cannot_be_repeated() {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        let explore = |seed| -> Result<Explored, Failure> {
            Sim::new()
                .network(rough())
                .strategy(strategy)
                .allow_leaks()
                .seed(seed)
                .schedules(50)
                .run(chaos)
        };
        let (once, again) = (explore(1).unwrap(), explore(1).unwrap());
        assert_eq!(once.fingerprint, again.fingerprint);
        assert_ne!(once.fingerprint, explore(2).unwrap().fingerprint);
    }
}

#[test]
fn a_fault_that_breaks_a_program_is_not_replayed() {
    let sim = || Sim::new().network(rough()).allow_leaks().schedules(1000);
    let program = || async {
        let (_there, accepted, here) = connected().await;
        go!(async move { _ = futures::io::copy(&accepted, &mut &accepted).await });
        (&here).write_all(b"hello").await.expect("nobody resets");
        (&here).read_exact(&mut [0; 5]).await.expect("nobody resets");
    };
    let failure = sim().run(program).unwrap_err();
    assert!(failure.to_string().contains("nobody resets"), "{failure}");
    let again = sim().replay(failure.replay()).run(program).unwrap_err();
    assert!(again.to_string().contains("nobody resets"), "{again}");
}

#[test]
fn a_runtime_finds_the_sockets_of_the_one_before() {
    Sim::new().schedules(50).check_program(|| {
        for _ in 0..3 {
            let kept = gorun::block_on(async {
                let _there = Host::new("there");
                let listener = TcpListener::bind("127.0.0.1:80").await.unwrap();
                let stream = TcpStream::connect("127.0.0.1:80").await.unwrap();
                (listener, stream)
            });
            let over = gorun::block_on(async { kept.1.read(&mut [0]).await.unwrap_err() });
            assert!(over.to_string().contains("has ended"), "{over}");
        }
    });
}

#[test]
fn a_socket_of_the_system_gets_in() {
    Sim::new().schedules(1).check(|| async {
        let (_there, accepted, here) = connected().await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = TcpListener::from_std(listener).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert_eq!(kind(accepted.into_std()), ErrorKind::Unsupported);
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let group = Ipv4Addr::new(224, 0, 0, 251);
        let refused = socket.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED);
        assert_eq!(kind(refused), ErrorKind::Unsupported);
        // Options are remembered.
        assert!(here.nodelay().unwrap() && here.keepalive().unwrap());
        here.set_nodelay(false).unwrap();
        assert!(!here.nodelay().unwrap());
        socket.set_broadcast(true).unwrap();
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            assert!(here.as_raw_fd() >= 0);
            assert_eq!(kind(gorun::net::UnixStream::pair()), ErrorKind::Unsupported);
        }
        assert!(format!("{here:?}").contains("10.0.0.2:80"), "{here:?}");
    });
}

#[test]
fn a_host_that_cannot_be_is_made() {
    let panics = |program: fn()| {
        let failure = Sim::new().run(|| async move { program() }).unwrap_err();
        failure.to_string()
    };
    let twice = panics(|| drop((Host::new("a"), Host::new("A"))));
    assert!(twice.contains("there is a host with the name \"A\"") && twice.contains("sim/net.rs"));
    assert!(panics(|| drop(Host::new("a:b"))).contains("\"a:b\" is no name for a host"));
    let loopback = panics(|| drop(Host::with_address("a", Ipv4Addr::LOCALHOST)));
    assert!(loopback.contains("a host cannot have the address 127.0.0.1"));
    assert!(panics(|| Host::current().crash()).contains("main's host cannot crash"));
}
