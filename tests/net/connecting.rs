//! Connecting, names, and what goes wrong.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use gorun::net::{self, TcpListener, TcpStream, UdpSocket};
#[cfg(target_os = "linux")]
use gorun::time::now;
use gorun::{block_on, spawn};

use super::with_workers;
use crate::common::*;

/// A port at which nobody listens.
fn free_port() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
pub(super) fn the_first_address_that_answers_wins() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let live = listener.local_addr()?;
        let addresses = [free_port(), "[::1]:1".parse().unwrap(), live];
        assert_eq!(TcpStream::connect(&addresses[..]).await?.peer_addr()?, live);
        let none = TcpStream::connect([free_port(), free_port()]).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

/// A listener that answers no more connections: its queue is full.
#[cfg(target_os = "linux")]
fn stalling() -> (socket2::Socket, Vec<socket2::Socket>, SocketAddr) {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let clients = (0..4).map(|_| {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        let _ = client.connect(&address);
        client
    });
    let clients = clients.collect();
    (listener, clients, address.as_socket().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_that_does_not_answer_costs_a_quarter_of_a_second() {
    with_workers(async || {
        let (_listener, _clients, silent) = stalling();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let live = listener.local_addr()?;
        let (start, limit) = (now(), Duration::from_secs(30));
        let stream = TcpStream::connect_timeout([silent, live], limit).await?;
        assert_eq!(stream.peer_addr()?, live);
        let took = now() - start;
        assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(10), "{took:?}");
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_connect_that_takes_too_long_is_given_up() {
    with_workers(async || {
        let (_listener, _clients, silent) = stalling();
        let limit = Duration::from_millis(20);
        let error = TcpStream::connect_timeout(silent, limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains(&silent.to_string()), "{error}");
        Ok(())
    });
}

#[test]
fn the_same_name_is_looked_up_by_many() {
    with_workers(async || {
        let lookups: Vec<_> = (0..50).map(|_| spawn(net::lookup_host("localhost:7"))).collect();
        for lookup in lookups {
            let found = lookup.await.unwrap()?;
            assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7));
        }
        Ok(())
    });
}

/// The texts of the errors that bad input brings.
#[test]
fn errors_say_what_was_wrong_and_what_to_do() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let taken = listener.local_addr()?;
        let refused = free_port();
        for (error, kind, parts) in [
            (
                TcpListener::bind(taken).await.unwrap_err(),
                ErrorKind::AddrInUse,
                [taken.to_string(), "choose another one".to_owned()],
            ),
            (
                TcpListener::bind("192.0.2.1:0").await.unwrap_err(),
                ErrorKind::AddrNotAvailable,
                ["192.0.2.1".to_owned(), "this machine".to_owned()],
            ),
            (
                TcpStream::connect(refused).await.unwrap_err(),
                ErrorKind::ConnectionRefused,
                [refused.to_string(), "cannot connect".to_owned()],
            ),
            (
                TcpStream::connect("localhost").await.unwrap_err(),
                ErrorKind::InvalidInput,
                ["\"localhost\"".to_owned(), "port is missing".to_owned()],
            ),
            (
                UdpSocket::bind(&[][..] as &[SocketAddr]).await.unwrap_err(),
                ErrorKind::InvalidInput,
                ["empty".to_owned(), "at least one".to_owned()],
            ),
        ] {
            assert_eq!(error.kind(), kind, "{error}");
            for part in parts {
                assert!(error.to_string().contains(&part), "{part:?} is not in: {error}");
            }
        }
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_zone_of_an_address_is_kept() {
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap();
    let interfaces = interfaces.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let interfaces: Vec<_> = interfaces.collect();
    with_workers(async || {
        for name in &interfaces {
            let index = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"))?;
            let expected = format!("[fe80::1%{}]:7", index.trim()).parse().unwrap();
            for zone in [name, index.trim()] {
                let text = format!("[fe80::1%{zone}]:7");
                assert_eq!(net::lookup_host(&text[..]).await?, [expected], "{text}");
                let pair = (format!("fe80::1%{zone}"), 7);
                assert_eq!(net::lookup_host(pair).await?, [expected], "{text}");
            }
        }
        let error = net::lookup_host("[fe80::1%nowhere]:7").await.unwrap_err();
        assert!(error.to_string().contains("\"fe80::1%nowhere\""), "{error}");
        Ok(())
    });
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    let _watchdog = watchdog();
    let error = block_on(net::lookup_host("nobody.invalid:80")).unwrap_err();
    assert!(error.to_string().contains("\"nobody.invalid\""), "{error}");
}
