//! Sockets that are registered, and futures that wait for them.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::pin::pin;

use mio::net::{TcpStream, UnixStream};

use super::*;
use crate::block_on;

fn sources() -> usize {
    context::with_inside(|inside| {
        inside.expect("in main").scheduler.reactor().map_or(0, |reactor| reactor.count())
    })
}

#[test]
fn a_registration_that_fails_leaves_nothing_behind() {
    block_on(async {
        let (left, _right) = UnixStream::pair().unwrap();
        let registered = Registered::new(left).unwrap();
        assert_eq!(sources(), 1);
        // The system reports no events of files.
        let file = std::fs::File::open("Cargo.toml").unwrap();
        assert!(Registered::new(TcpStream::from(OwnedFd::from(file))).is_err());
        assert_eq!(sources(), 1);
        drop(registered);
        assert_eq!(sources(), 0);
    });
}

#[test]
fn a_future_that_goes_takes_its_waker_with_it() {
    block_on(async {
        let (left, _right) = UnixStream::pair().unwrap();
        let registered = Registered::new(left).unwrap();
        for direction in [Direction::Read, Direction::Write] {
            let attempt = |_: &UnixStream| Err(io::ErrorKind::WouldBlock.into());
            let attempt = attempt as fn(&_) -> io::Result<Attempt<()>>;
            let mut first = pin!(registered.wait_for(direction, Operation::Read, attempt));
            {
                let second = pin!(registered.wait_for(direction, Operation::Read, attempt));
                let both = std::future::poll_fn(|cx| {
                    assert!(first.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                });
                both.await;
                let mut cx = Context::from_waker(Waker::noop());
                assert!(second.poll(&mut cx).is_pending());
            }
            // The second one has gone.
            assert!(registered.source.waiting() <= 1);
        }
        assert_eq!(registered.source.waiting(), 0);
    });
}
