//! What a shutdown does not wait for, and where a server refuses to begin.

use std::future::pending;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::http::{self, FuturesIo};
use gorun::net::{TcpListener, TcpStream};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;

use super::client::*;
use super::common::*;

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_handler_that_blocks_its_thread_does_not_hold_up_the_end() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            for connect in [false, true] {
                let (begun, is_begun) = gorun::channel(1);
                let release = flag();
                let server = server({
                    let release = release.clone();
                    move |_| {
                        let (begun, release) = (begun.clone(), release.clone());
                        async move {
                            begun.send(()).await.unwrap();
                            while !release.load(SeqCst) {
                                thread::sleep(Duration::from_millis(1));
                            }
                            text("late")
                        }
                    }
                });
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let serves = gorun::spawn({
                    let server = server.clone();
                    async move { server.serve(listener).await }
                });
                let request = gorun::spawn(async move {
                    match connect {
                        false => connect1(address).await.send_request(get("/")).await.is_ok(),
                        true => connect2(address).await.send_request(get("/")).await.is_ok(),
                    }
                });
                is_begun.recv().await.unwrap();
                server.shutdown(SHORT).await.unwrap_err();
                serves.await.unwrap().unwrap();
                release.store(true, SeqCst);
                // It may have answered before its connection was closed.
                let _ = request.await.unwrap();
            }
        });
    }
}

#[test]
fn of_two_shutdowns_the_shorter_limit_holds() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let (begun, is_begun) = gorun::channel(1);
            let server = server(move |_| {
                let begun = begun.clone();
                async move {
                    begun.send(()).await.unwrap();
                    pending().await
                }
            });
            let mut stream = TcpStream::connect(start(&server).await).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            is_begun.recv().await.unwrap();
            let (long, short) = futures::join!(server.shutdown(HOUR), server.shutdown(SHORT));
            long.expect("all connections have ended");
            short.unwrap_err();
            server.shutdown(HOUR).await.expect("there is nothing left");
            assert_eq!(rest(stream).await, "");
        });
    }
}

#[test]
fn a_listener_is_closed_also_while_no_more_connections_are_allowed() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|_| async { text("hello") }).max_connections(1);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let closes = listener.clone();
            let serves = gorun::spawn(async move { server.serve(listener).await });
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            closes.close();
            serves.await.unwrap().unwrap();
            drop(stream);
        });
    }
}

#[test]
fn a_deadline_of_the_listener_ends_serve_also_then() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") }).max_connections(1);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limited = listener.clone();
        let serves = gorun::spawn(async move { server.serve(listener).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
        limited.set_deadline(gorun::time::now());
        let error = serves.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        drop(stream);
    });
}

#[test]
fn a_server_is_not_awaited_outside_a_runtime() {
    let _watchdog = watchdog();
    let listener = || run(1, TcpListener::bind("127.0.0.1:0")).unwrap();
    let hello = || service_fn(|_: Request<Incoming>| async { text("hello") });
    let server = server(|_| async { text("hello") });
    let panics = [
        panic_of(|| {
            let listener = listener();
            futures::executor::block_on(async { server.serve(listener).await })
        }),
        panic_of(|| {
            let listener = listener();
            futures::executor::block_on(async { http::serve(listener, hello()).await })
        }),
        panic_of(|| {
            let (_near, far) = gorun::io::duplex();
            futures::executor::block_on(async { server.serve_connection(FuturesIo(far)).await })
        }),
    ];
    for seen in panics {
        assert_eq!(seen.file, file!(), "{seen:?}");
        assert!(seen.message.contains("no gorun runtime"), "{seen:?}");
    }
}

/// More clients than descriptors.
#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_a_server_goes_on_when_there_are_some() {
    if !is_child() {
        let test = "bounds::without_descriptors_a_server_goes_on_when_there_are_some";
        let output = child(test, &[], "ulimit -n 64");
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("a connection waits"), "{}", stderr(&output));
        return;
    }
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut streams = Vec::new();
        while let Ok(stream) = TcpStream::connect(address).await {
            streams.push(stream);
        }
        gorun::go!(async move { server.serve(listener).await.unwrap() });
        gorun::time::sleep(SHORT).await;
        // The server has one descriptor.
        streams.pop();
        for mut stream in streams {
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            assert!(rest(stream).await.ends_with("hello"));
        }
    });
}
