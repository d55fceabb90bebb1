//! The simulated network, at the ends of its connections and hosts.

use std::future::pending;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gorun::net::{TcpListener, TcpStream, UdpSocket};
use gorun::sim::net::{self, Host, Network};
use gorun::sim::{self, Sim, Strategy};
use gorun::time::{now, sleep, timeout};
use gorun::{block_on, go, spawn};

use super::net::{MS, SECOND, kind, listen};

/// A message takes so long in each direction.
fn set_distance(one: &Host, other: &Host, latency: Duration) {
    net::set_latency(one, other, latency..=latency);
    net::set_latency(other, one, latency..=latency);
}

// Connections that fail before they are accepted.

#[test]
fn a_connection_that_fails_before_it_is_accepted_is_no_connection() {
    Sim::new().schedules(100).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let listener = listen(&there).await;
        for way in 0..4 {
            let client = match way {
                3 => TcpStream::connect("there:80").await,
                _ => there.spawn(TcpStream::connect("127.0.0.1:80")).await.unwrap(),
            };
            match way {
                0 => client.unwrap().set_linger(Some(Duration::ZERO)).unwrap(),
                1 => net::reset(&there, &there),
                2 => drop(client),
                _ => {
                    net::partition(&[&here], &[&there]);
                    sleep(200 * SECOND).await;
                    net::heal();
                    drop(client);
                }
            }
            let (accepted, _) = listener.accept().await.unwrap();
            let read = accepted.read(&mut [0]).await;
            let is_expected = match way {
                0 | 1 => kind(read) == ErrorKind::ConnectionReset,
                2 => read.unwrap() == 0,
                _ => kind(read) == ErrorKind::TimedOut,
            };
            assert!(is_expected, "way {way}");
        }
    });
}

#[test]
fn a_connection_that_is_cut_off_while_it_is_accepted_waits_for_ever() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        set_distance(&here, &there, SECOND);
        let _listener = listen(&there).await;
        go!(async move {
            sleep(1500 * MS).await;
            net::cut(&here, &there);
        });
        let stream = TcpStream::connect("there:80").await.unwrap();
        assert_eq!(kind(stream.read(&mut [0]).await), ErrorKind::TimedOut);
        assert_eq!(sim::elapsed(), 152 * SECOND);
    });
}

#[test]
fn a_link_that_works_for_a_moment_only_counts() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        set_distance(&here, &there, 5 * MS);
        let listener = listen(&there).await;
        let stream = TcpStream::connect("there:80").await.unwrap();
        let _accepted = listener.accept().await.unwrap();
        let cut = now();
        let flaps = spawn(async move {
            loop {
                net::partition(&[&here], &[&there]);
                sleep(100 * SECOND).await;
                net::heal();
                sleep(MS).await;
            }
        });
        assert_eq!(kind(stream.read(&mut [0]).await), ErrorKind::TimedOut);
        assert_eq!(now() - cut, 150 * SECOND);
        flaps.abort();
        flaps.await.unwrap_err();
    });
}

#[test]
fn a_dead_link_is_a_broken_pipe_once_the_peer_has_sent_all() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let listener = listen(&there).await;
        let mut stream = TcpStream::connect("there:80").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        accepted.close_write().unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        net::partition(&[&here], &[&there]);
        assert_eq!(kind(stream.write_all(&[0; 100_000]).await), ErrorKind::TimedOut);
    });
}

#[test]
fn who_does_not_read_any_more_holds_up_its_peer_or_loses_what_comes() {
    Sim::new().schedules(20).check(|| async {
        let there = Host::new("there");
        let listener = listen(&there).await;
        let stream = TcpStream::connect("there:80").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        accepted.close_read().unwrap();
        let writes = spawn(async move { (&stream).write_all(&[1; 100_000]).await });
        sleep(SECOND).await;
        let mut read = 0;
        while read < 100_000 {
            // What the system has taken can be read, as on Linux.
            read += accepted.read(&mut [0; 5000]).await.unwrap();
            sleep(20 * MS).await;
        }
        writes.await.unwrap().unwrap();
    });
}

// Crashes.

#[test]
fn who_waits_at_a_socket_of_a_host_that_crashes_waits_for_ever() {
    Sim::new().schedules(50).check(|| async {
        let there = Host::new("there");
        let listener = listen(&there).await;
        let socket = there.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap();
        let nested = there.spawn(async {
            block_on(async { TcpListener::bind("0.0.0.0:81").await.unwrap().accept().await })
                .unwrap_err();
            pending::<()>().await;
        });
        let accepts = spawn(async move {
            let error = listener.accept().await.unwrap_err();
            assert!(error.to_string().contains("its host has crashed"), "{error}");
            assert!(listener.incoming().next().await.is_none());
        });
        let receives = spawn(async move { socket.recv(&mut [0]).await.unwrap_err() });
        sim::settle().await;
        there.crash();
        accepts.await.unwrap();
        receives.await.unwrap();
        assert!(nested.await.unwrap_err().is_cancelled());
        // Its ports are free.
        listen(&there).await;
    });
}

#[test]
fn a_goroutine_that_crashes_its_own_host_goes_on() {
    Sim::new().schedules(20).check(|| async {
        for sleeps in [false, true] {
            let there = Host::new(if sleeps { "a" } else { "b" });
            let crashes = there.spawn(async move {
                if sleeps {
                    sleep(MS).await;
                }
                Host::current().crash();
                pending::<()>().await;
            });
            assert!(crashes.await.unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn what_a_host_sent_before_its_crash_arrives_after_its_restart() {
    Sim::new().schedules(20).check(|| async {
        for is_cut in [false, true] {
            let (here, there) = (Host::current(), Host::new(if is_cut { "a" } else { "b" }));
            set_distance(&here, &there, SECOND);
            let listener = listen(&there).await;
            let mut stream = TcpStream::connect((there.name(), 80)).await.unwrap();
            there
                .spawn(async move {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    stream.write_all(b"committed").await.unwrap();
                })
                .await
                .unwrap();
            if is_cut {
                net::cut(&there, &here);
            }
            there.crash();
            sleep(100 * SECOND).await;
            net::heal();
            there.spawn(async {}).await.unwrap();
            let mut text = String::new();
            let read = stream.read_to_string(&mut text).await;
            match is_cut {
                // It was on its way.
                false => assert_eq!((read.unwrap(), &*text), (9, "committed")),
                true => assert_eq!((kind(read), &*text), (ErrorKind::ConnectionReset, "")),
            }
        }
    });
}

#[test]
fn a_request_on_its_way_is_lost_in_a_crash() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        set_distance(&here, &there, SECOND);
        let connects = spawn(TcpStream::connect("there:80"));
        sleep(SECOND / 2).await;
        there.crash();
        sleep(10 * SECOND).await;
        let listener = listen(&there).await;
        connects.await.unwrap().unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn ports_of_a_host_that_crashes_are_used_up() {
    Sim::new().schedules(1).step_limit(10_000_000).check(|| async {
        let there = Host::new("there");
        for _ in 0..66_000 {
            there
                .spawn(async {
                    TcpListener::bind("0.0.0.0:0").await.unwrap();
                })
                .await
                .unwrap();
        }
        for _ in 0..100 {
            listen(&there).await;
            there.crash();
        }
    });
}

// Addresses.

#[test]
fn two_hosts_have_one_address() {
    Sim::new().schedules(1).check(|| async {
        let db = Host::with_address("db", Ipv4Addr::new(10, 0, 0, 3));
        let other = Host::new("other");
        assert_ne!(db.address(), other.address());
        let v6 = Host::with_address("v6", "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap());
        let _listener = TcpListener::bind("[::]:80").await.unwrap();
        v6.spawn(TcpStream::connect("main:80")).await.unwrap().unwrap();
    });
}

#[test]
fn datagrams_come_from_where_no_answer_gets() {
    Sim::new().schedules(20).check(|| async {
        let there = Host::new("there");
        let _server = there.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap();
        let local = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let refused = local.send_to(b"x", "there:53").await.unwrap_err();
        assert!(refused.to_string().contains("one that is bound to `0.0.0.0`"), "{refused}");
        assert_eq!(kind(local.send_to(b"x", "[::1]:53").await), ErrorKind::InvalidInput);
        // The unspecified address is one's own.
        let server = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        local.connect(server.local_addr().unwrap()).await.unwrap();
        local.send(b"x").await.unwrap();
        let (_, from) = server.recv_from(&mut [0]).await.unwrap();
        server.send_to(b"y", from).await.unwrap();
        local.recv(&mut [0]).await.unwrap();
    });
}

#[test]
fn a_refusal_crosses_a_link_that_is_cut_or_is_of_another_peer() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("there:53").await.unwrap();
        socket.send_to(b"x", "there:54").await.unwrap();
        timeout(SECOND, socket.recv(&mut [0])).await.unwrap_err();
        net::cut(&there, &here);
        socket.send(b"x").await.unwrap();
        timeout(SECOND, socket.recv(&mut [0])).await.unwrap_err();
        net::heal();
        // A link that was cut when it was sent, or when it should have come.
        let server = there.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap();
        net::cut(&here, &there);
        socket.send(b"x").await.unwrap();
        net::heal();
        timeout(SECOND, server.recv(&mut [0])).await.unwrap_err();
        // One that is connected is there for its peer alone.
        server.connect("main:1").await.unwrap();
        socket.send(b"x").await.unwrap();
        assert_eq!(kind(socket.recv(&mut [0]).await), ErrorKind::ConnectionRefused);
    });
}

// Runs.

#[test]
fn many_messages_at_one_moment_take_for_ever() {
    let network = Network::new().latency(MS..=MS);
    Sim::new().schedules(1).network(network).check(|| async {
        let there = Host::new("there");
        let _receiver = there.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap();
        let sender = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        for _ in 0..60_000 {
            sender.send_to(b"x", "there:53").await.unwrap();
        }
        sleep(10 * MS).await;
    });
}

#[test]
fn a_search_of_all_paths_tries_each_loss_many_times() {
    let network = Network::new().losses(1000).latency(MS..=MS);
    let sim = Sim::new().network(network).strategy(Strategy::Exhaustive { depth: 30 });
    let failure = sim.schedules(100).run(|| async {
        let there = Host::new("there");
        let receiver = there.spawn(UdpSocket::bind("0.0.0.0:53")).await.unwrap().unwrap();
        UdpSocket::bind("0.0.0.0:0").await.unwrap().send_to(b"x", "there:53").await.unwrap();
        timeout(SECOND, receiver.recv(&mut [0])).await.expect("it arrives").unwrap();
    });
    let failure = failure.unwrap_err();
    assert!(failure.schedule().unwrap() <= 8, "{failure}");
}

#[test]
fn a_report_does_not_show_what_the_network_did() {
    let failure = Sim::new().run(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let listener = listen(&there).await;
        let accepts = there.spawn(async move {
            let _accepted = listener.accept().await.unwrap();
            pending::<()>().await;
        });
        let stream = TcpStream::connect("there:80").await.unwrap();
        net::cut(&there, &here);
        sleep(SECOND).await;
        net::heal();
        there.crash();
        accepts.await.unwrap_err();
        stream.read(&mut [0]).await.unwrap();
    });
    let report = failure.unwrap_err().to_string();
    for part in [
        "what happened on the network:",
        "the link from `there` to `main` is cut",
        "all links work",
        "`there` crashes",
        "a connection from `main` to `there` is given up",
        "on `there`, woken by main",
        "main, woken by the network, ends",
    ] {
        assert!(report.contains(part), "{part:?} is not in:\n{report}");
    }
}

#[test]
fn a_thread_outside_that_writes_wakes_nobody() {
    Sim::new().schedules(5).allow_threads().check(|| async {
        let there = Host::new("there");
        let listener = listen(&there).await;
        let stream = TcpStream::connect("there:80").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let thread = std::thread::spawn(move || {
            futures::executor::block_on(async { stream.write(b"x").await.unwrap() })
        });
        assert_eq!(accepted.read(&mut [0]).await.unwrap(), 1);
        assert!(sim::elapsed() < SECOND);
        thread.join().unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_that_is_refused_leaves_its_file() {
    let path = std::env::temp_dir().join(format!("gorun-refused-{}.sock", std::process::id()));
    Sim::new().schedules(2).check(async || {
        let refused = gorun::net::UnixListener::bind(&path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert_eq!(kind(gorun::net::UnixDatagram::bind(&path)), ErrorKind::Unsupported);
        assert!(!path.exists());
    });
}

#[test]
fn a_stream_loses_data_from_its_middle() {
    // The latencies are drawn, so that its end may come later than its data.
    Sim::new().schedules(500).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let listener = listen(&there).await;
        let mut stream = TcpStream::connect("there:80").await.unwrap();
        let writes = there.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"A").await.unwrap();
            sleep(sim::rng().below(10) as u32 * MS).await;
            stream.write_all(b"B").await.unwrap();
        });
        sleep(sim::rng().below(20) as u32 * MS).await;
        net::cut(&there, &here);
        sleep(sim::rng().below(20) as u32 * MS).await;
        there.crash();
        sleep(SECOND).await;
        net::heal();
        there.spawn(async {}).await.unwrap();
        let mut text = String::new();
        match stream.read_to_string(&mut text).await {
            Ok(_) => assert_eq!(text, "AB"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                assert!("AB".starts_with(&text), "{text:?}");
            }
        }
        _ = writes.await;
    });
}

#[test]
fn what_a_crashed_host_sent_is_sent_again_if_it_runs_again_in_time() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        set_distance(&here, &there, SECOND);
        let listener = listen(&there).await;
        let mut stream = TcpStream::connect("there:80").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        accepted.write(b"lost").await.unwrap();
        sleep(100 * MS).await;
        there.crash();
        there.spawn(async {}).await.unwrap();
        net::cut(&there, &here);
        sleep(10 * SECOND).await;
        net::heal();
        let mut text = String::new();
        let error = stream.read_to_string(&mut text).await.unwrap_err();
        assert_eq!((error.kind(), &*text), (ErrorKind::ConnectionReset, ""));
    });
}

#[test]
fn a_crashed_host_still_speaks() {
    Sim::new().schedules(20).check(|| async {
        let there = Host::new("there");
        let receiver = UdpSocket::bind("0.0.0.0:53").await.unwrap();
        let speaks = there.spawn(async {
            block_on(async {
                for _ in 0..20 {
                    sleep(SECOND).await;
                    let Ok(socket) = UdpSocket::bind("0.0.0.0:0").await else { continue };
                    socket.send_to(b"alive", "main:53").await.unwrap();
                }
            });
        });
        receiver.recv(&mut [0; 8]).await.unwrap();
        there.crash();
        timeout(5 * SECOND, receiver.recv(&mut [0; 8])).await.unwrap_err();
        // Nor does it when others run there again.
        there.spawn(async {}).await.unwrap();
        timeout(5 * SECOND, receiver.recv(&mut [0; 8])).await.unwrap_err();
        _ = speaks.await;
    });
}

#[test]
fn a_connection_that_is_heard_of_now_and_then_is_given_up() {
    let network = Network::new().latency(Duration::ZERO..=SECOND);
    Sim::new().schedules(50).network(network).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let listener = listen(&there).await;
        let stream = TcpStream::connect("there:80").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let mut last = now();
        for _ in 0..10 {
            net::partition(&[&here], &[&there]);
            sleep(60 * SECOND).await;
            net::heal();
            let (one, other) = (stream.write(b"x").await, accepted.write(b"x").await);
            if one.is_err() || other.is_err() {
                assert!(now() - last >= 90 * SECOND, "after {:?}", now() - last);
                return;
            }
            sleep(500 * MS).await;
            for stream in [&stream, &accepted] {
                if timeout(Duration::ZERO, stream.read(&mut [0; 64])).await.is_ok() {
                    last = now();
                }
            }
        }
    });
}

#[test]
fn a_connect_lasts_as_long_as_links_come_and_go() {
    Sim::new().schedules(20).check(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        set_distance(&here, &there, 5 * MS);
        let _listener = listen(&there).await;
        let start = now();
        let flaps = spawn(async move {
            loop {
                net::partition(&[&here], &[&there]);
                sleep(20 * SECOND).await;
                net::heal();
                sleep(MS).await;
            }
        });
        sleep(MS).await;
        assert_eq!(kind(TcpStream::connect("there:80").await), ErrorKind::TimedOut);
        assert!(now() - start <= 128 * SECOND, "{:?}", now() - start);
        flaps.abort();
        flaps.await.unwrap_err();
    });
}

#[test]
fn a_connection_that_has_failed_is_given_up_once_more() {
    let failure = Sim::new().run(|| async {
        let (here, there) = (Host::current(), Host::new("there"));
        let listener = listen(&there).await;
        let streams = [(); 2].map(|()| TcpStream::connect("there:80"));
        let [first, second] = streams;
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        net::partition(&[&here], &[&there]);
        net::reset(&here, &there);
        net::heal();
        there.crash();
        there.spawn(async {}).await.unwrap();
        assert_eq!(kind(first.read(&mut [0]).await), ErrorKind::ConnectionReset);
        drop(listener);
        let _kept = second;
        pending::<()>().await;
    });
    let report = failure.unwrap_err().to_string();
    assert!(report.contains("a deadlock") && !report.contains("given up"), "{report}");
}

#[test]
fn an_address_of_another_family_is_sent_from() {
    Sim::new().schedules(5).check(|| async {
        let there = Host::new("there");
        let local = UdpSocket::bind("[::1]:0").await.unwrap();
        assert_eq!(kind(local.send_to(b"x", "127.0.0.1:53").await), ErrorKind::InvalidInput);
        let any = UdpSocket::bind("[::]:0").await.unwrap();
        any.send_to(b"x", "127.0.0.1:53").await.unwrap();
        let zero = any.send_to(b"x", (there.name(), 0)).await.unwrap_err();
        assert!(zero.to_string().contains("port 0"), "{zero}");
        #[cfg(unix)]
        {
            let refused = gorun::net::UnixStream::connect("/no/such/file").await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
        }
    });
}
