//! Connecting to a host that has several addresses: the first to answer wins.
//!
//! Addresses of both families take turns, in the order of the resolver, and an attempt begins when the
//! one before has failed or has taken a quarter of a second. So a host that is reachable by IPv4 alone
//! costs a quarter of a second, and not the minutes until an attempt by IPv6 fails. ("Happy
//! eyeballs", RFC 8305.)

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::lack::advice_if_lack;
use super::socket::Socket;
use super::tcp_socket::TcpSocket;
use crate::scheduler::io::registered::Attempt;
use crate::scheduler::io::surroundings;
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::Direction;
use crate::system_error::failed_with_advice;
use crate::time::{Sleep, sleep};

/// How long an attempt is alone.
const HEAD_START: Duration = Duration::from_millis(250);

type Connecting = Pin<Box<dyn Future<Output = io::Result<Socket<TcpSocket>>> + Send>>;

/// At least one address.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<Socket<TcpSocket>> {
    surroundings::surrounding()?;
    if let [only] = addresses[..] {
        return connect_to(only).await;
    }
    let mut race = Race {
        waiting: in_turn(addresses),
        attempts: Vec::new(),
        head_start: None,
        first_error: None,
    };
    poll_fn(|cx| race.poll(cx)).await
}

/// The families take turns; the first address stays the first.
fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let is_v6 = addresses[0].is_ipv6();
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_v6);
    let mut all = VecDeque::new();
    while !(first.is_empty() && second.is_empty()) {
        all.extend(first.pop_front());
        all.extend(second.pop_front());
    }
    all
}

struct Race {
    waiting: VecDeque<SocketAddr>,
    attempts: Vec<Connecting>,
    /// Of the last attempt.
    head_start: Option<Sleep>,
    first_error: Option<io::Error>,
}

impl Race {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Socket<TcpSocket>>> {
        loop {
            let mut place = 0;
            while let Some(attempt) = self.attempts.get_mut(place) {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => place += 1,
                    Poll::Ready(Ok(socket)) => return Poll::Ready(Ok(socket)),
                    Poll::Ready(Err(error)) => {
                        self.first_error.get_or_insert(error);
                        drop(self.attempts.remove(place));
                        self.head_start = None;
                    }
                }
            }
            let is_over = match &mut self.head_start {
                Some(sleep) => Pin::new(sleep).poll(cx).is_ready(),
                None => true,
            };
            if !is_over {
                return Poll::Pending;
            }
            let Some(address) = self.waiting.pop_front() else {
                return match self.attempts.is_empty() {
                    true => Poll::Ready(Err(self.first_error.take().expect("one has failed"))),
                    false => Poll::Pending,
                };
            };
            self.attempts.push(Box::pin(connect_to(address)));
            // The last one has nobody to make way for.
            self.head_start = (!self.waiting.is_empty()).then(|| sleep(HEAD_START));
        }
    }
}

/// How often a connection to itself is tried again. Its port is then taken for a while, so the system
/// chooses another one.
const RETRIES: usize = 3;

async fn connect_to(address: SocketAddr) -> io::Result<Socket<TcpSocket>> {
    to_another(|| attempt(address)).await
}

async fn to_another<F>(attempt: impl Fn() -> F) -> io::Result<Socket<TcpSocket>>
where
    F: Future<Output = io::Result<Socket<TcpSocket>>>,
{
    let mut result = attempt().await;
    for _ in 0..RETRIES {
        if !result.as_ref().is_ok_and(|socket| is_to_itself(socket.get())) {
            break;
        }
        drop(result);
        result = attempt().await;
    }
    result
}

/// If nobody listens at a port, the system may choose the very same one for this end. Then TCP lets the
/// two connect, as peers that dial each other at the same time do.
fn is_to_itself(stream: &TcpSocket) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(here), Ok(there)) if here == there)
}

async fn attempt(address: SocketAddr) -> io::Result<Socket<TcpSocket>> {
    let connected = async {
        let socket = Socket::open(TcpSocket::connect(address)?)?;
        let is_connected = |stream: &TcpSocket| stream.peer_if_connected().map(Attempt::whole);
        let registered = socket.registered();
        registered.wait_for(Direction::Write, Operation::Connect, is_connected).await?;
        Ok(socket)
    };
    connected.await.map_err(|error: io::Error| {
        let advice = advice_if_lack(&error);
        failed_with_advice(format!("cannot connect to {address}"), error, advice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection to itself.
    #[cfg(target_os = "linux")]
    fn itself() -> io::Result<Socket<TcpSocket>> {
        use socket2::{Domain, Type};
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.connect(&socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Socket::open(TcpSocket::System(mio::net::TcpStream::from_std(socket.into())))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_to_itself_is_tried_again_but_not_for_ever() {
        crate::block_on(async {
            for (of_itself, expected) in [(0, 1), (2, 3), (100, 1 + RETRIES)] {
                let attempts = std::cell::Cell::new(0);
                let result = to_another(|| {
                    attempts.set(attempts.get() + 1);
                    std::future::ready(match attempts.get() <= of_itself {
                        true => itself(),
                        false => Err(io::ErrorKind::ConnectionRefused.into()),
                    })
                });
                assert_eq!((result.await.is_ok(), attempts.get()), (of_itself == 100, expected));
            }
        });
    }

    /// The system chooses ports more or less in turn, even ones first. So one of many dials to such a
    /// port would come from there.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_dial_to_a_port_at_which_nobody_listens_does_not_reach_itself() {
        use std::net::TcpListener as StdListener;
        const DIALS: usize = if cfg!(debug_assertions) { 3_000 } else { 60_000 };
        let free = std::iter::repeat_with(|| {
            let any = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            StdListener::bind(("127.0.0.1", any.port() & !1)).ok()?.local_addr().ok()
        });
        let free = free.flatten().next().unwrap();
        crate::block_on(async {
            for _ in 0..DIALS {
                let error = connect_to(free).await.err().expect("nobody listens there");
                assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
            }
        });
    }

    #[test]
    fn the_families_take_turns() {
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|text| text.parse().unwrap()).collect()
        };
        let mixed = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let in_order = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turn(mixed), in_order);
    }
}
