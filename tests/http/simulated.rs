//! Servers and clients on the network of a simulation, as they are.

use std::time::Duration;

use futures::AsyncReadExt;
use gorun::http::{HttpService, Server};
use gorun::net::{TcpListener, TcpStream};
use gorun::sim::net::{self, Host, Network};
use gorun::sim::{Sim, Strategy};
use gorun::time::{now, sleep, timeout};
use gorun::{Handle, spawn};
use hyper::client::conn::{http1, http2};

use super::client::*;

const SECOND: Duration = Duration::from_secs(1);

/// A server on a host of its own, which answers with the path after some time.
async fn remote(host: &Host) -> Server<impl HttpService + Sync + use<>> {
    let server = server(|request| async move {
        sleep(SECOND).await;
        text(request.uri().path().to_owned())
    });
    let listener = host.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap();
    let serving = server.clone();
    host.spawn(async move { serving.serve(listener).await.unwrap() }).detach();
    server
}

#[test]
fn a_server_or_a_client_has_to_be_changed_for_a_simulation() {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        Sim::new().strategy(strategy).schedules(100).check(|| async {
            let host = Host::new("server");
            let server = remote(&host).await;
            let first = spawn(async {
                let stream = TcpStream::connect("server:80").await.unwrap();
                let (mut client, connection) = http1::handshake(stream).await.unwrap();
                let connection = spawn(connection);
                for path in ["/a", "/b"] {
                    let answer = client.send_request(get(path)).await.unwrap();
                    assert_eq!(read(answer).await, (200, path.to_owned()));
                }
                drop(client);
                connection.await.unwrap().unwrap();
            });
            let second = spawn(async {
                let stream = TcpStream::connect("server:80").await.unwrap();
                let (client, connection) =
                    http2::handshake(Handle::current(), stream).await.unwrap();
                let connection = spawn(connection);
                let start = now();
                let asked = ["/c", "/d", "/e"].map(|path| {
                    let mut client = client.clone();
                    spawn(async move {
                        let answer = client.send_request(get(path)).await.unwrap();
                        assert_eq!(read(answer).await, (200, path.to_owned()));
                    })
                });
                for asked in asked {
                    asked.await.unwrap();
                }
                // Beside each other.
                assert!(now() - start < 2 * SECOND);
                drop(client);
                connection.await.unwrap().unwrap();
            });
            first.await.unwrap();
            second.await.unwrap();
            server.shutdown(SECOND).await.unwrap();
            let refused = TcpStream::connect("server:80").await.unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        });
    }
}

#[test]
fn a_client_that_is_cut_off_waits_for_ever() {
    Sim::new().schedules(100).check(|| async {
        let host = Host::new("server");
        let server = remote(&host).await;
        let stream = TcpStream::connect("server:80").await.unwrap();
        let (mut client, connection) = http1::handshake(stream).await.unwrap();
        let connection = spawn(connection);
        let asked = spawn(async move { client.send_request(get("/")).await });
        sleep(SECOND / 2).await;
        net::partition(&[&Host::current()], &[&host]);
        server.shutdown(151 * SECOND).await.unwrap();
        assert!(asked.await.unwrap().is_err());
        // That the request got.
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn faults_leave_requests_without_an_end() {
    let network = Network::new().resets(30).outages(30, 10 * SECOND);
    Sim::new().network(network).schedules(200).check(|| async {
        let host = Host::new("server");
        let server = remote(&host).await;
        let mut answers = 0;
        for _ in 0..5 {
            let ask = async {
                let mut stream = TcpStream::connect("server:80").await.ok()?;
                let request = b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                futures::AsyncWriteExt::write_all(&mut stream, request).await.ok()?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.ok()?;
                answer.ends_with("/x").then_some(())
            };
            answers += usize::from(matches!(timeout(60 * SECOND, ask).await, Ok(Some(()))));
        }
        assert!(answers <= 5);
        server.shutdown(200 * SECOND).await.unwrap();
    });
}
