//! Pipes to a child, as sources of the reactor.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::process::Stdio;
use std::task::{Context, Poll};

use futures_io::AsyncRead;
use mio::event;
use mio::unix::pipe::{Receiver, Sender};

use crate::io::copy;
use crate::scheduler::entered;
use crate::scheduler::io::registered::{Attempt, Registered};
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::{Direction, WaiterId};

/// Whether somebody would wait for the events of a pipe.
pub(super) fn check_runtime() -> io::Result<()> {
    match entered::surrounding() {
        Some(_) => Ok(()),
        None => Err(io::Error::other(
            "a pipe to a child was asked for on a thread that belongs to no gorun runtime, so nobody would \
             wait for its events; start the process inside `gorun::block_on`, or while the thread has \
             entered a runtime with `Handle::enter`",
        )),
    }
}

fn registered<S: event::Source>(pipe: S) -> io::Result<Registered<S>> {
    check_runtime()?;
    Registered::new(pipe)
}

/// Where a pipe of `std`'s type `T` is written.
pub(super) struct Writes<T> {
    pipe: Registered<Sender>,
    _of: PhantomData<T>,
}

impl<T: Into<OwnedFd>> Writes<T> {
    pub(super) fn new(pipe: T) -> io::Result<Self> {
        let sender = Sender::from(pipe.into());
        // Of this end alone: the child's does not change.
        sender.set_nonblocking(true)?;
        Ok(Writes { pipe: registered(sender)?, _of: PhantomData })
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return self.pipe.poll_empty(cx, Direction::Write);
        }
        let id = &mut Some(WaiterId::POLLED);
        self.pipe.poll(cx, Direction::Write, Operation::Write, id, |mut pipe| {
            Ok(Attempt::bytes(pipe.write(buf)?, buf.len()))
        })
    }
}

/// Where a pipe of `std`'s type `T` is read.
pub(super) struct Reads<T> {
    pipe: Registered<Receiver>,
    _of: PhantomData<T>,
}

impl<T: Into<OwnedFd>> Reads<T> {
    pub(super) fn new(pipe: T) -> io::Result<Self> {
        let receiver = Receiver::from(pipe.into());
        receiver.set_nonblocking(true)?;
        Ok(Reads { pipe: registered(receiver)?, _of: PhantomData })
    }

    pub(super) fn into_stdio(self) -> io::Result<Stdio> {
        let receiver = self.pipe.into_inner();
        receiver.set_nonblocking(false)?;
        Ok(Stdio::from(OwnedFd::from(receiver)))
    }
}

impl<T: Unpin> AsyncRead for Reads<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return self.pipe.poll_empty(cx, Direction::Read);
        }
        let id = &mut Some(WaiterId::POLLED);
        self.pipe.poll(cx, Direction::Read, Operation::Read, id, |mut pipe| {
            // A read may also end behind a packet, if the child has made the pipe one of packets.
            Ok(Attempt::whole(pipe.read(buf)?))
        })
    }
}

/// All that comes from each of them. At the same time: the child may fill either.
pub(super) async fn read_both(
    stdout: Option<Reads<impl Unpin>>,
    stderr: Option<Reads<impl Unpin>>,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut stdout, mut stderr) = (pin!(read_all(stdout)), pin!(read_all(stderr)));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(bytes) = stdout.as_mut().poll(cx)
        {
            first = Some(bytes?);
        }
        if second.is_none()
            && let Poll::Ready(bytes) = stderr.as_mut().poll(cx)
        {
            second = Some(bytes?);
        }
        match (&mut first, &mut second) {
            (Some(first), Some(second)) => {
                Poll::Ready(Ok((std::mem::take(first), std::mem::take(second))))
            }
            _ => Poll::Pending,
        }
    })
    .await
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        copy(pipe, &mut bytes).await?;
    }
    Ok(bytes)
}
