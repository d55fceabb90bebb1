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

use mio::net::TcpStream;

use super::lack::advice_if_lack;
use super::options;
use super::socket::Socket;
use crate::scheduler::gate::Operation;
use crate::scheduler::io::registered::{self, Attempt};
use crate::scheduler::reactor::source::Direction;
use crate::time::{Sleep, sleep};

/// How long an attempt is alone.
const HEAD_START: Duration = Duration::from_millis(250);

type Connecting = Pin<Box<dyn Future<Output = io::Result<Socket<TcpStream>>> + Send>>;

/// At least one address.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<Socket<TcpStream>> {
    registered::surrounding()?;
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
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Socket<TcpStream>>> {
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

async fn connect_to(address: SocketAddr) -> io::Result<Socket<TcpStream>> {
    let connected = async {
        let stream = TcpStream::connect(address)?;
        // Some systems refuse that once the connection has failed, which is found out below.
        let _ = options::set_defaults(&stream);
        let socket = Socket::new(stream)?;
        let is_connected = |stream: &TcpStream| {
            // So that on Windows another event comes if it is not.
            stream.try_io(|| peer_if_connected(stream)).map(Attempt::whole)
        };
        let registered = socket.registered();
        registered.wait_for(Direction::Write, Operation::Connect, is_connected).await?;
        Ok(socket)
    };
    connected.await.map_err(|error: io::Error| {
        let advice = advice_if_lack(&error);
        io::Error::new(error.kind(), format!("cannot connect to {address}: {error}{advice}"))
    })
}

fn peer_if_connected(stream: &TcpStream) -> io::Result<SocketAddr> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.peer_addr().map_err(|error| match error.kind() {
        io::ErrorKind::NotConnected => io::ErrorKind::WouldBlock.into(),
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
