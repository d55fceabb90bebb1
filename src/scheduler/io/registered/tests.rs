//! Sockets that are registered, and futures that wait for them.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use mio::net::{TcpStream, UnixStream};

use super::*;
use crate::block_on;
use crate::clock;

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

/// Reads and writes until it fails.
async fn serve(stream: Registered<UnixStream>) {
    let mut buf = [0; 16];
    loop {
        let read = |mut stream: &UnixStream| stream.read(&mut buf).map(Attempt::whole);
        match stream.wait_for(Direction::Read, Operation::Read, read).await {
            Ok(1..) => {}
            _ => return,
        }
        // If the peer does not read, the last one waits.
        for _ in 0..if buf[0] == STALLS { 1 << 10 } else { 1 } {
            let write = |mut stream: &UnixStream| stream.write(&[0; 1024]).map(Attempt::whole);
            if stream.wait_for(Direction::Write, Operation::Write, write).await.is_err() {
                return;
            }
        }
    }
}

/// What a peer sends that does not read.
const STALLS: u8 = 1;

#[test]
fn peers_that_stall_or_go_leave_no_slot_and_no_waker_behind() {
    block_on(async {
        let (mut kept, mut tasks, mut served) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..200 {
            let (mut peer, stream) = UnixStream::pair().unwrap();
            let stream = Registered::new(stream).unwrap();
            stream.set_deadline(&[Direction::Read], Some(clock::now() + Duration::from_secs(3600)));
            served.push(stream.source.clone());
            tasks.push(crate::spawn(serve(stream)));
            match number % 5 {
                0 => {}
                1 => peer.write_all(&[STALLS]).unwrap(),
                2 => peer.shutdown(Shutdown::Write).unwrap(),
                3 => peer.write_all(&[2]).unwrap(),
                _ => continue,
            }
            kept.push(peer);
        }
        while served.iter().filter(|source| source.waiting() > 0).count() < 3 * 40 {
            crate::yield_now().await;
        }
        // Those whose peers have gone, or have half gone, go by themselves.
        while sources() > 3 * 40 {
            crate::yield_now().await;
        }
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        assert_eq!(sources(), 0);
        for source in served {
            assert_eq!((source.waiting(), Arc::strong_count(&source)), (0, 1));
        }
        drop(kept);
    });
}
