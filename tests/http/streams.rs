//! Streams of others, read through `FuturesIo`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::AsyncRead;
use gorun::http::FuturesIo;
use hyper::rt::{Read, ReadBuf};

use super::common::*;

/// Has bytes, or only says so.
enum Stranger {
    Honest(&'static [u8]),
    Liar(usize),
}

impl AsyncRead for Stranger {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(match *self {
            Stranger::Honest(bytes) => {
                buf[..bytes.len()].copy_from_slice(bytes);
                bytes.len()
            }
            Stranger::Liar(more) => buf.len() + more,
        }))
    }
}

fn read(stranger: Stranger) -> Vec<u8> {
    let mut memory = [0xff; 16];
    let mut buf = ReadBuf::new(&mut memory);
    let cx = &mut Context::from_waker(Waker::noop());
    let polled = Pin::new(&mut FuturesIo(stranger)).poll_read(cx, buf.unfilled());
    assert!(matches!(polled, Poll::Ready(Ok(()))));
    buf.filled().to_vec()
}

#[test]
fn a_stream_that_claims_bytes_gets_none_of_those_of_others() {
    assert_eq!(read(Stranger::Honest(b"a secret")), b"a secret");
    assert_eq!(read(Stranger::Liar(0)), [0; 16]);
    let seen = panic_of(|| read(Stranger::Liar(1)));
    assert!(seen.message.contains("out of range"), "{seen:?}");
    assert_eq!(read(Stranger::Honest(b"hello")), b"hello");
}

#[test]
fn a_stream_can_be_read_while_its_thread_ends() {
    thread_local! {
        static READS: OnDrop<fn()> = const {
            OnDrop(|| assert_eq!(read(Stranger::Honest(b"late")), b"late"))
        };
    }
    let thread = thread::spawn(|| {
        // It is the first to be made, so it is the last to go.
        READS.with(|_| ());
        read(Stranger::Honest(b"hello"))
    });
    assert_eq!(thread.join().unwrap(), b"hello");
}
