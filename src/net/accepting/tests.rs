//! Pauses, with a listener whose failures a test chooses.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Mutex, mpsc};
use std::task::Waker;

use futures::executor;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use super::super::tcp_socket::TcpSocket;
use super::*;
use crate::block_on;
use crate::primitives::lock;
use crate::time::now;

/// Fails as long as there are errors left.
struct Failing {
    listener: TcpListener,
    errors: Mutex<Vec<io::Error>>,
}

impl Failing {
    fn acceptor(errors: Vec<io::Error>) -> Acceptor<Failing> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let socket = Socket::new(Failing { listener, errors: Mutex::new(errors) }).unwrap();
        Acceptor::new(socket, true)
    }
}

impl Source for Failing {
    fn register(&mut self, r: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.listener.register(r, token, interests)
    }

    fn reregister(&mut self, r: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.listener.reregister(r, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.listener.deregister(registry)
    }
}

impl Listener for Failing {
    type Connection = TcpSocket;
    type Stream = Socket<TcpSocket>;
    type Address = SocketAddr;

    fn accept(&self) -> io::Result<(TcpSocket, SocketAddr)> {
        match lock(&self.errors).pop() {
            Some(error) => Err(error),
            None => {
                let (stream, peer) = self.listener.accept()?;
                Ok((TcpSocket::System(stream), peer))
            }
        }
    }

    fn stream(connection: Socket<TcpSocket>) -> Socket<TcpSocket> {
        connection
    }

    fn shut(&self) {}

    fn set_options(_: &TcpSocket) {}
}

#[cfg(unix)]
fn lacks() -> Vec<io::Error> {
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::ENOSPC];
    codes.map(io::Error::from_raw_os_error).into()
}

#[cfg(not(unix))]
fn lacks() -> Vec<io::Error> {
    vec![io::Error::from_raw_os_error(10024), io::Error::from_raw_os_error(10055)]
}

fn lack() -> io::Error {
    lacks().remove(0)
}

/// The next pause lasts as long as any.
fn pause_long(acceptor: &Acceptor<Failing>) {
    acceptor.failures.store(16, Ordering::Relaxed);
}

fn poll_once<R>(future: &mut (impl Future<Output = R> + Unpin)) -> Poll<R> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn each_lack_pauses_twice_as_long_as_the_one_before() {
    block_on(async {
        let count = lacks().len();
        let acceptor = Failing::acceptor(lacks());
        let mut expected = FIRST_PAUSE;
        for _ in 0..count {
            let start = now();
            let error = acceptor.accept().await.err().expect("it fails");
            assert!(error.to_string().contains("ulimit"), "{error}");
            assert!(now() - start >= expected, "{error}: {:?}", now() - start);
            expected *= 2;
        }
        let address = acceptor.socket.get().listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        acceptor.accept().await.expect("there is one");
        // From the beginning.
        assert_eq!(acceptor.pause(), FIRST_PAUSE);
        pause_long(&acceptor);
        assert_eq!(acceptor.pause(), LONGEST_PAUSE);
    });
}

#[test]
fn a_pause_ends_when_the_listener_is_closed() {
    block_on(async {
        let acceptor = Failing::acceptor(vec![lack(), lack()]);
        pause_long(&acceptor);
        let mut accept = pin!(acceptor.accept());
        let mut incoming = Incoming::new(&acceptor);
        assert!(poll_once(&mut accept).is_pending());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut incoming).poll_next(&mut cx).is_pending());
        acceptor.socket.registered().close();
        let error = accept.await.err().expect("it fails");
        assert!(error.to_string().contains("has been closed"), "{error}");
        assert!(matches!(Pin::new(&mut incoming).poll_next(&mut cx), Poll::Ready(None)));
    });
}

#[test]
fn a_close_and_a_deadline_wake_who_pauses() {
    block_on(async {
        let acceptor = std::sync::Arc::new(Failing::acceptor(vec![lack(), lack()]));
        for closes in [false, true] {
            pause_long(&acceptor);
            let start = now();
            let accepting = crate::spawn({
                let acceptor = acceptor.clone();
                async move { acceptor.accept().await.err().expect("it fails").kind() }
            });
            while lock(&acceptor.socket.get().errors).len() > usize::from(!closes) {
                crate::yield_now().await;
            }
            match closes {
                true => acceptor.socket.registered().close(),
                false => acceptor.socket.set_deadline(&[Direction::Read], Some(now())),
            }
            let expected = if closes { io::ErrorKind::Other } else { io::ErrorKind::TimedOut };
            assert_eq!(accepting.await.unwrap(), expected);
            assert!(now() - start < LONGEST_PAUSE, "{:?}", now() - start);
            acceptor.socket.set_deadline(&[Direction::Read], None);
        }
    });
}

#[test]
fn a_deadline_that_passes_ends_a_pause() {
    block_on(async {
        let acceptor = Failing::acceptor(vec![lack()]);
        pause_long(&acceptor);
        acceptor.socket.set_deadline(&[Direction::Read], Some(now() + FIRST_PAUSE));
        let error = acceptor.accept().await.err().expect("it fails");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn the_end_of_the_runtime_ends_a_pause() {
    let (send, receive) = mpsc::channel();
    let outside = std::thread::spawn(move || {
        let acceptor: Acceptor<Failing> = receive.recv().unwrap();
        executor::block_on(acceptor.accept()).err().expect("it fails").to_string()
    });
    block_on(async {
        let acceptor = Failing::acceptor(vec![lack()]);
        pause_long(&acceptor);
        send.send(acceptor).unwrap();
        crate::time::sleep(FIRST_PAUSE).await;
    });
    let error = outside.join().unwrap();
    assert!(error.contains("has ended"), "{error}");
}

#[test]
fn on_a_thread_without_a_runtime_a_pause_and_a_connection_are_of_the_listener_s() {
    block_on(async {
        let acceptor = Failing::acceptor(vec![lack()]);
        let address = acceptor.socket.get().listener.local_addr().unwrap();
        let outside = std::thread::spawn(move || {
            let error = executor::block_on(acceptor.accept()).err().expect("it fails");
            assert!(error.to_string().contains("ulimit"), "{error}");
            let client = std::net::TcpStream::connect(address).unwrap();
            let (connection, _) = executor::block_on(acceptor.accept()).expect("there is one");
            // Its events come.
            std::io::Write::write_all(&mut &client, b"hello").unwrap();
            executor::block_on(connection.read(&mut [0; 8])).unwrap()
        });
        while !outside.is_finished() {
            crate::yield_now().await;
        }
        assert_eq!(outside.join().unwrap(), 5);
    });
}

/// Of its connections the system reports no events.
struct Unwatched(TcpListener);

impl Source for Unwatched {
    fn register(&mut self, r: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.0.register(r, token, interests)
    }

    fn reregister(&mut self, r: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.0.reregister(r, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }
}

/// A connection that cannot be registered.
struct Excess(#[expect(dead_code, reason = "its drop closes it")] TcpStream);

impl Source for Excess {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        unreachable!("it was not registered")
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        unreachable!("it was not registered")
    }
}

impl Listener for Unwatched {
    type Connection = Excess;
    type Stream = Socket<Excess>;
    type Address = SocketAddr;

    fn accept(&self) -> io::Result<(Excess, SocketAddr)> {
        self.0.accept().map(|(stream, peer)| (Excess(stream), peer))
    }

    fn stream(connection: Socket<Excess>) -> Socket<Excess> {
        connection
    }

    fn shut(&self) {}

    fn set_options(_: &Excess) {}
}

#[test]
fn a_connection_that_cannot_be_registered_is_not_said_to_wait() {
    block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = Acceptor::new(Socket::new(Unwatched(listener)).unwrap(), true);
        let mut expected = FIRST_PAUSE;
        for _ in 0..3 {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            let start = now();
            let error = acceptor.accept().await.err().expect("it fails");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            let text = error.to_string();
            assert!(text.contains("closed") && text.contains("max_user_watches"), "{text}");
            assert!(!text.contains("waits") && !text.contains("ulimit"), "{text}");
            // It pauses like any other lack.
            assert!(now() - start >= expected, "{:?}", now() - start);
            expected *= 2;
            assert_eq!(std::io::Read::read(&mut client, &mut [0]).unwrap(), 0, "it was closed");
        }
    });
}

/// As Linux reports them.
#[cfg(target_os = "linux")]
#[test]
fn what_became_of_a_connection_is_no_error_of_the_listener() {
    const CODES: [i32; 10] = [
        libc::ECONNABORTED,
        libc::ECONNRESET,
        libc::EPROTO,
        libc::ENOPROTOOPT,
        libc::EOPNOTSUPP,
        libc::ENETDOWN,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::EHOSTUNREACH,
        libc::ENONET,
    ];
    block_on(async {
        let acceptor = Failing::acceptor(CODES.map(io::Error::from_raw_os_error).into());
        let address = acceptor.socket.get().listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        acceptor.accept().await.expect("there is one behind them");
        assert!(lock(&acceptor.socket.get().errors).is_empty());
    });
}

/// By a firewall, for one connection or for all.
#[cfg(target_os = "linux")]
#[test]
fn a_listener_goes_on_after_a_connection_that_it_must_not_have() {
    block_on(async {
        let forbidden = || io::Error::from_raw_os_error(libc::EPERM);
        let acceptor = Failing::acceptor(vec![forbidden(), forbidden()]);
        let address = acceptor.socket.get().listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let start = now();
        let error = acceptor.accept().await.err().expect("it fails");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(now() - start >= FIRST_PAUSE, "it would fail again at once");
        let mut incoming = Incoming::new(&acceptor);
        let next = poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)).await;
        next.expect("it goes on").expect("it passes over it");
    });
}
