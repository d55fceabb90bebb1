//! Peers that misuse HTTP/2: `hyper` has limits, and so has the server. The connection ends, others go on.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, io};
use gorun::WaitGroup;
use gorun::net::TcpStream;

use super::client::*;
use super::common::*;
use super::frames::*;

async fn is_served(address: SocketAddr) {
    let mut client = connect2(address).await;
    assert_eq!(read(client.send_request(get("/")).await.unwrap()).await.0, 200);
}

/// Reads on, whatever comes, so that the other side is not held up.
fn drain(stream: &TcpStream) {
    let mut stream = stream.clone();
    gorun::go!(async move { io::copy(&mut stream, &mut io::sink()).await.map_or(0, |n| n) });
}

#[test]
fn requests_that_are_reset_at_once_leave_no_handler_behind() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let handlers = WaitGroup::new();
            let server = server({
                let handlers = handlers.clone();
                move |request| {
                    let handlers = handlers.clone();
                    async move {
                        handlers.add(1);
                        let _on_drop = OnDrop(move || handlers.done());
                        if request.uri().authority().is_some_and(|name| name == "x") {
                            std::future::pending::<()>().await;
                        }
                        text("hello")
                    }
                }
            });
            let address = start(&server).await;
            let mut stream = begin(address, &[]).await;
            drain(&stream);
            for n in 0..scaled(20_000, 2_000) as u32 {
                let begins = frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, GET);
                let ends = frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8]);
                if stream.write_all(&[begins, ends].concat()).await.is_err() {
                    break;
                }
            }
            is_served(address).await;
            drop(stream);
            handlers.wait().await;
            server.shutdown(HOUR).await.unwrap();
        });
    }
}

#[test]
fn a_head_of_endless_continuations_is_refused() {
    let _watchdog = watchdog();
    run(2, async {
        let server = server(|_| async { text("hello") });
        let address = start(&server).await;
        let mut stream = begin(address, &[]).await;
        drain(&stream);
        stream.write_all(&frame(HEADERS, END_STREAM, 1, GET)).await.unwrap();
        let part = frame(CONTINUATION, 0, 1, &[0; 16 << 10]);
        let mut sent = 0;
        while stream.write_all(&part).await.is_ok() {
            sent += part.len();
            assert!(sent < 100 << 20, "the server reads on");
        }
        is_served(address).await;
    });
}

/// And nobody reads the answers.
#[test]
fn a_flood_of_pings_ends_at_the_limit_for_idle_connections() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let server = server(|_| async { text("hello") });
            let address = start(&server.idle_timeout(Duration::from_millis(50))).await;
            let mut stream = begin(address, &[]).await;
            let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET);
            stream.write_all(&request).await.unwrap();
            stream.read_exact(&mut [0; 9]).await.unwrap();
            let pings = frame(PING, 0, 0, &[7; 8]).repeat(1_000);
            while stream.write_all(&pings).await.is_ok() {}
            is_served(address).await;
        });
    }
}
