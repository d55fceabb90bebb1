//! Exit, and sockets that outlive their runtime.

use std::future::pending;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use futures::{AsyncWriteExt, StreamExt};
use gorun::net::{TcpListener, TcpStream};
use gorun::{Builder, spawn};

#[cfg(target_os = "linux")]
use super::hostile::{ROOM, dial, listen};
use super::{WORKERS, connected, round_trip, spawn_echo};
use crate::common::*;

#[cfg(target_os = "linux")]
#[test]
fn exit_closes_open_connections_and_is_bounded() {
    if is_child() {
        return WORKERS.into_iter().for_each(end_with_open_connections);
    }
    child_passes("endings::exit_closes_open_connections_and_is_bounded", &[], ROOM);
}

#[cfg(target_os = "linux")]
fn end_with_open_connections(workers: usize) {
    let _watchdog = watchdog();
    let before = descriptors();
    let connections = scaled(10_000, 800).min(most_connections());
    let (mut clients, mut moved_out) = (Vec::new(), Vec::new());
    let start = run(workers, async {
        let (listener, address) = listen().await;
        let writing = Arc::new(AtomicUsize::new(0));
        for number in 0..connections {
            // Peers that neither read nor write.
            clients.push(dial(address));
            let (stream, _) = listener.accept().await.unwrap();
            if number % 100 < 2 {
                moved_out.push(stream.clone());
            }
            let writing = writing.clone();
            spawn(async move {
                if number % 2 == 0 {
                    let _ = stream.read(&mut [0]).await;
                    return;
                }
                // In pieces, since the whole would take memory.
                (&stream).write_all(&[0; 1024]).await.unwrap();
                writing.fetch_add(1, SeqCst);
                while (&stream).write_all(&[0; 1024]).await.is_ok() {}
            })
            .detach();
        }
        // They are in the middle of it.
        yield_until(|| writing.load(SeqCst) == connections / 2).await;
        gorun::time::sleep(Duration::from_millis(20)).await;
        Instant::now()
    });
    let took = start.elapsed();
    println!("{workers} workers: exit with {connections} connections took {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    // Three are the reactor's, which lives as long as a socket of it.
    assert_eq!(descriptors(), before + clients.len() + moved_out.len() + 3);
    for stream in moved_out {
        let mut buf = [0];
        for result in [
            futures::executor::block_on(stream.read(&mut buf)),
            futures::executor::block_on(stream.write(b"late")),
        ] {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("has ended"), "{error}");
        }
        stream.into_std().unwrap();
    }
    // On a busy machine a thread of the runtime may take a while to end.
    wait_until(|| descriptors() == before + clients.len());
    // The peers learn of it, and read what had been sent.
    for client in &mut clients {
        let mut all = Vec::new();
        let _ = client.read_to_end(&mut all);
        assert!(all.iter().all(|byte| *byte == 0));
    }
}

#[cfg(all(feature = "signal", target_os = "linux"))]
#[test]
fn a_signal_ends_a_program_with_open_connections_within_the_grace() {
    use gorun::signal::{Signal, notify};

    const GRACE: Duration = Duration::from_secs(2);
    if !is_child() {
        let test = "endings::a_signal_ends_a_program_with_open_connections_within_the_grace";
        return child_passes(test, &[], ROOM);
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        let connections = scaled(1_000, 200);
        let mut clients = Vec::new();
        let main = async {
            let signals = notify([Signal::Term]);
            let (listener, address) = listen().await;
            for number in 0..connections {
                clients.push(dial(address));
                let (stream, _) = listener.accept().await.unwrap();
                spawn(async move {
                    match number % 2 {
                        0 => _ = stream.read(&mut [0]).await,
                        _ => while (&stream).write_all(&[0; 1024]).await.is_ok() {},
                    }
                })
                .detach();
            }
            std::thread::spawn(|| nix::sys::signal::raise(nix::sys::signal::SIGTERM).unwrap());
            let start = Instant::now();
            signals.recv().await.unwrap();
            start
        };
        let builder = Builder::new().worker_threads(workers).exit_grace(GRACE);
        let took = builder.block_on(main).unwrap().elapsed();
        println!("{workers} workers: the signal and the exit took {took:?}");
        assert!(took < GRACE + Duration::from_secs(5), "{took:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_sockets_there_is_no_descriptor_and_no_thread() {
    if is_child() {
        let before = (descriptors(), threads());
        let inside = run(2, async { (descriptors(), threads()) });
        // Two workers and the monitor.
        return assert_eq!(inside, (before.0, before.1 + 3));
    }
    child_passes("endings::without_sockets_there_is_no_descriptor_and_no_thread", &[], "");
}

#[cfg(target_os = "linux")]
#[test]
fn with_sockets_there_is_no_thread_and_afterwards_no_descriptor() {
    if is_child() {
        let before = (descriptors(), threads());
        let inside = run(2, async {
            let (client, server) = connected().await.unwrap();
            spawn_echo(server);
            round_trip(&client, b"hello").await.unwrap();
            threads()
        });
        assert_eq!(inside, before.1 + 3);
        // As above.
        return wait_until(|| descriptors() == before.0);
    }
    child_passes("endings::with_sockets_there_is_no_thread_and_afterwards_no_descriptor", &[], "");
}

#[test]
fn a_socket_that_outlives_its_runtime_says_so_and_can_be_taken_out() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (client, server) = run(workers, connected()).unwrap();
        for result in [
            futures::executor::block_on(client.read(&mut [0])),
            futures::executor::block_on(client.write(&[0])),
            run(workers, client.read(&mut [0])),
        ] {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("has ended"), "{error}");
            assert!(error.to_string().contains("into_std"), "{error}");
        }
        let (mut client, mut server) = (client.into_std().unwrap(), server.into_std().unwrap());
        client.write_all(b"still").unwrap();
        server.set_nonblocking(false).unwrap();
        let mut buf = [0; 5];
        server.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"still");
        // A new runtime takes it.
        run(workers, async {
            let client = TcpStream::from_std(client).unwrap();
            spawn_echo(TcpStream::from_std(server).unwrap());
            round_trip(&client, b"again").await.unwrap();
        });
    }
}

#[test]
fn who_waits_outside_is_told_that_the_runtime_has_ended() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (send, receive) = std::sync::mpsc::channel();
        let waits = std::thread::spawn(move || {
            let (client, _server): (TcpStream, TcpStream) = receive.recv().unwrap();
            // In another runtime.
            let other = spawn_in_another(client.clone());
            let here = futures::executor::block_on(client.read(&mut [0]));
            (here, other.join().unwrap())
        });
        run(workers, async {
            send.send(connected().await.unwrap()).unwrap();
            gorun::time::sleep(Duration::from_millis(10)).await;
        });
        let (here, other) = waits.join().unwrap();
        for result in [here, other] {
            assert!(result.unwrap_err().to_string().contains("has ended"));
        }
    }
}

#[test]
fn incoming_connections_end_once_the_runtime_has() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let listener = run(workers, TcpListener::bind("127.0.0.1:0")).unwrap();
        let all: Vec<_> = futures::executor::block_on(listener.incoming().collect());
        let [Err(error)] = &all[..] else { panic!("{all:?}") };
        assert!(error.to_string().contains("has ended"), "{error}");
    }
}

fn spawn_in_another(client: TcpStream) -> std::thread::JoinHandle<std::io::Result<usize>> {
    std::thread::spawn(move || {
        run(1, async { spawn(async move { client.read(&mut [0]).await }).await.unwrap() })
    })
}

#[test]
fn a_goroutine_that_is_left_behind_with_a_socket_does_no_harm() {
    let _watchdog = watchdog();
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let (done, is_done) = std::sync::mpsc::channel();
    let grace = Duration::from_millis(10);
    let main = async {
        let (client, server) = connected().await.unwrap();
        let (begin, has_begun) = gorun::channel(1);
        spawn(async move {
            begin.send(()).await.unwrap();
            // Neither returns nor suspends.
            let _ = receive.recv();
            done.send(client.into_std().is_ok()).unwrap();
        })
        .detach();
        has_begun.recv().await.unwrap();
        drop(server);
    };
    Builder::new().worker_threads(2).exit_grace(grace).block_on(main).unwrap();
    drop(send);
    assert!(is_done.recv().unwrap());
}

#[test]
pub(super) fn an_aborted_goroutine_closes_its_socket() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..scaled(500, 50) {
                let (client, server) = connected().await.unwrap();
                let holds = spawn(async move {
                    let _server = server;
                    pending::<()>().await
                });
                gorun::yield_now().await;
                holds.abort();
                assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
            }
        });
    }
}

#[test]
fn a_goroutine_whose_io_is_always_ready_gives_way_and_ends_with_main() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Without spares, so that it is the goroutine that has to give way.
        run_without_spares(workers, async {
            for _ in 0..workers {
                spawn(async {
                    let socket = gorun::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    let itself = socket.local_addr().unwrap();
                    loop {
                        let _ = socket.send_to(b"again and again", itself).await;
                    }
                })
                .detach();
            }
            gorun::yield_now().await;
            for _ in 0..10 {
                spawn(gorun::yield_now()).await.unwrap();
            }
        });
    }
}
