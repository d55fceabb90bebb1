//! Bytes on their way from a reader to a writer, in steps.

#![forbid(unsafe_code)]

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::scheduler::gate;

/// The size of the buffer. It lies on the heap, so that the future stays small.
const SIZE: usize = 8 * 1024;

/// What the writer learns at the end.
#[derive(Clone, Copy)]
pub(super) enum AtEnd {
    Flush,
    Close,
}

pub(super) struct Transfer {
    buffer: Box<[u8]>,
    /// What was read and is not yet written.
    rest: Range<usize>,
    /// Bytes written.
    copied: u64,
    at_end: AtEnd,
    phase: Phase,
    /// Something was written since the last flush.
    needs_flush: bool,
    /// The last poll could not go on.
    has_waited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Copying,
    /// The reader is at its end.
    Ending,
    Done,
}

impl Transfer {
    pub(super) fn new(at_end: AtEnd) -> Self {
        Transfer {
            buffer: vec![0; SIZE].into_boxed_slice(),
            rest: 0..0,
            copied: 0,
            at_end,
            phase: Phase::Copying,
            needs_flush: false,
            has_waited: false,
        }
    }

    /// Goes on until the end. When it is done, it is ready again and again.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut impl AsyncRead>,
        mut writer: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<u64>> {
        while self.phase != Phase::Done {
            // Ends that are always ready, and not gorun's, would never give way by themselves.
            let Some(step) = gate::enter_outer(cx.waker(), self.has_waited) else {
                return Poll::Pending;
            };
            let polled = self.poll_step(cx, reader.as_mut(), writer.as_mut());
            self.has_waited = polled.is_pending();
            ready!(polled)?;
            step.finish();
        }
        Poll::Ready(Ok(self.copied))
    }

    /// Reads once and writes all of it, or ends.
    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        reader: Pin<&mut impl AsyncRead>,
        mut writer: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        if self.phase == Phase::Ending {
            ready!(match self.at_end {
                AtEnd::Flush => writer.poll_flush(cx),
                AtEnd::Close => writer.poll_close(cx),
            })?;
            self.phase = Phase::Done;
            return Poll::Ready(Ok(()));
        }
        if self.rest.is_empty() {
            match reader.poll_read(cx, &mut self.buffer) {
                Poll::Ready(Ok(0)) => self.phase = Phase::Ending,
                Poll::Ready(Ok(count)) => self.rest = 0..count,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // Whoever the reader waits for may wait for what the writer keeps.
                    if self.needs_flush {
                        ready!(writer.poll_flush(cx))?;
                        self.needs_flush = false;
                    }
                    return Poll::Pending;
                }
            }
        }
        while !self.rest.is_empty() {
            let count =
                match ready!(writer.as_mut().poll_write(cx, &self.buffer[self.rest.clone()])) {
                    Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                    Err(error) => return Poll::Ready(Err(error)),
                };
            self.rest.start += count;
            self.copied += count as u64;
            self.needs_flush = true;
        }
        Poll::Ready(Ok(()))
    }
}
