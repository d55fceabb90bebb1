//! `pipe`: bytes from a goroutine that writes to one that reads.
//!
//! A rendezvous, as a channel without a buffer: a write is *committed* to a read that waits, of whose
//! size it knows, and leaves its bytes for it. So a write that has not completed has written
//! nothing, and a read that is dropped later loses nothing: the bytes stay for the next one. What is
//! on its way is at most one read's worth.
//!
//! A writer that waits in `poll_write` cannot leave its bytes there, as in Go: it may be dropped, or
//! come back with other bytes.
//!
//! `wanted` is above zero exactly if a read waits, or one did whose future was dropped. As the queue
//! has at most one task of each end, all of it is let go at each change.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::Key;
use crate::sync::wait_until::poll_until;
use crate::sync::waitable::{Attempt, Waitable};

/// How many bytes pass at once.
const MOST: usize = 8 * 1024;

/// Makes a pipe in memory: what is written at one end is read at the other.
///
/// There is no buffer. A write waits for a read, and passes as many bytes as that has room for, at
/// most 8 KiB; `write_all` goes on until all bytes have been passed. `flush` waits until the reader
/// has taken them.
///
/// Dropping or closing the writer is the end of the stream for the reader, once it has read what was
/// passed. Dropping the reader makes writes fail, those that wait too. So does a goroutine that is
/// aborted or that panics, since it drops its end: let one whose output must be complete end it by
/// [`close_with_error`](PipeWriter::close_with_error) unless it has succeeded.
///
/// It works on any executor, and outside a runtime. A pipe takes no descriptor.
///
/// Go counterpart: `io.Pipe`. For both directions, [`duplex`](super::duplex()).
///
/// # Errors
///
/// Writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe) when the reader has gone, unless it left
/// another error, and after `close`. Reads fail only with an error that the writer left.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use gorun::{block_on, go, io};
///
/// # fn main() -> std::io::Result<()> {
/// block_on(async {
///     let (mut reader, mut writer) = io::pipe();
///     go!(async move { writer.write_all(b"some bytes").await.unwrap() });
///     let mut text = String::new();
///     reader.read_to_string(&mut text).await?;
///     assert_eq!(text, "some bytes");
///     Ok(())
/// })
/// # }
/// ```
pub fn pipe() -> (PipeReader, PipeWriter) {
    let (writer, reader) = (End::Open, End::Open);
    let state = State { bytes: Vec::new(), taken: 0, wanted: 0, writer, reader };
    let shared = Arc::new(Waitable::new(state));
    (PipeReader { shared: shared.clone(), key: None }, PipeWriter { shared, key: None })
}

struct State {
    /// What was passed to a read, and how much of it was taken.
    bytes: Vec<u8>,
    taken: usize,
    /// How many bytes a read that waits has room for.
    wanted: usize,
    writer: End,
    reader: End,
}

enum End {
    Open,
    Closed,
    Failed(Failure),
}

/// Why an end was closed. `io::Error`s cannot be cloned: the first report has the error itself.
struct Failure {
    error: Option<io::Error>,
    kind: io::ErrorKind,
    text: String,
}

impl Failure {
    fn report(&mut self) -> io::Error {
        self.error.take().unwrap_or_else(|| io::Error::new(self.kind, self.text.clone()))
    }
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, text)
}

impl State {
    /// What a write learns of the ends.
    fn check_open(&mut self) -> io::Result<()> {
        match &mut self.reader {
            End::Failed(failure) => Err(failure.report()),
            End::Closed => Err(broken("the reader of this pipe has been dropped")),
            End::Open if !matches!(self.writer, End::Open) => {
                Err(broken("this writer of a pipe has been closed"))
            }
            End::Open => Ok(()),
        }
    }
}

fn read(attempt: Attempt<'_, State>, buf: &mut [u8], withdraws: bool) -> Option<io::Result<usize>> {
    let state = attempt.state;
    let rest = &state.bytes[state.taken..];
    if !rest.is_empty() {
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        state.taken += count;
        if state.taken == state.bytes.len() {
            state.bytes.clear();
            state.taken = 0;
            // A flush may wait for that.
            attempt.wakes.release_all(attempt.queue);
        }
        return Some(Ok(count));
    }
    match &mut state.writer {
        End::Open => {}
        End::Closed => return Some(Ok(0)),
        End::Failed(failure) => return Some(Err(failure.report())),
    }
    if withdraws {
        state.wanted = 0;
    } else if attempt.will_wait {
        if state.wanted == 0 {
            // So this read is not in the queue itself.
            attempt.wakes.release_all(attempt.queue);
        }
        state.wanted = buf.len();
    }
    None
}

fn write(attempt: Attempt<'_, State>, buf: &[u8]) -> Option<io::Result<usize>> {
    let state = attempt.state;
    if let Err(error) = state.check_open() {
        return Some(Err(error));
    }
    if state.wanted == 0 {
        return None;
    }
    // A read waits, so nothing is left of what was passed before.
    let count = buf.len().min(state.wanted).min(MOST);
    state.bytes.extend_from_slice(&buf[..count]);
    state.wanted = 0;
    attempt.wakes.release_all(attempt.queue);
    Some(Ok(count))
}

fn flush(attempt: Attempt<'_, State>) -> Option<io::Result<()>> {
    match attempt.state.bytes.is_empty() {
        true => Some(Ok(())),
        false if matches!(attempt.state.reader, End::Open) => None,
        false => Some(attempt.state.check_open()),
    }
}

/// Closes an end, for the reason given, unless it is closed already.
fn close(shared: &Waitable<State>, end: fn(&mut State) -> &mut End, reason: End) {
    let unused = shared.with(|inner, wakes| {
        wakes.release_all(&mut inner.queue);
        let end = end(&mut inner.state);
        match end {
            End::Open => mem::replace(end, reason),
            _ => reason,
        }
    });
    // Its destructor may be a user's.
    drop(unused);
}

fn failed(error: io::Error) -> End {
    let (kind, text) = (error.kind(), error.to_string());
    End::Failed(Failure { error: Some(error), kind, text })
}

fn reader_end(state: &mut State) -> &mut End {
    &mut state.reader
}

fn writer_end(state: &mut State) -> &mut End {
    &mut state.writer
}

/// The end of a [`pipe`] that reads.
///
/// **Cancellation**: a read that is dropped loses nothing. Bytes that were passed to it stay for the
/// next one.
///
/// Go counterpart: `io.PipeReader`.
///
/// # Examples
///
/// See [`pipe`].
pub struct PipeReader {
    shared: Arc<Waitable<State>>,
    /// The waiter of the last read that waited.
    key: Option<Key>,
}

impl PipeReader {
    /// Closes this end. Writes fail with `error`. (Of several, only the first gets the error itself;
    /// later ones get its kind and text.)
    ///
    /// Go counterpart: `PipeReader.CloseWithError`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use futures::AsyncWriteExt;
    ///
    /// let (reader, mut writer) = gorun::io::pipe();
    /// reader.close_with_error(Error::from(ErrorKind::StorageFull));
    /// let error = gorun::block_on(writer.write_all(b"more")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::StorageFull);
    /// ```
    pub fn close_with_error(self, error: io::Error) {
        close(&self.shared, reader_end, failed(error));
    }
}

impl AsyncRead for PipeReader {
    /// Waits for a write, unless `buf` is empty. Returns zero at the end of the stream.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let PipeReader { shared, key } = self.get_mut();
        let withdraws = gate::is_withdrawing(cx.waker());
        poll_until(shared, Operation::Read, key, cx.waker(), |attempt| {
            read(attempt, buf, withdraws)
        })
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.shared.cancel(key, |_, _, _| {});
        }
        close(&self.shared, reader_end, End::Closed);
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeReader").finish_non_exhaustive()
    }
}

/// The end of a [`pipe`] that writes.
///
/// **Cancellation**: a write that is dropped before it is done has written nothing. (`write_all` may
/// have written a part.)
///
/// Go counterpart: `io.PipeWriter`.
///
/// # Examples
///
/// See [`pipe`].
pub struct PipeWriter {
    shared: Arc<Waitable<State>>,
    /// The waiter of the last operation that waited.
    key: Option<Key>,
}

impl PipeWriter {
    /// Closes this end. When the reader has read what was passed, it gets `error` instead of the end
    /// of the stream. (Of several reads, only the first gets the error itself; later ones get its
    /// kind and text.)
    ///
    /// Go counterpart: `PipeWriter.CloseWithError`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use futures::AsyncReadExt;
    ///
    /// let (mut reader, writer) = gorun::io::pipe();
    /// writer.close_with_error(Error::from(ErrorKind::InvalidData));
    /// let error = gorun::block_on(reader.read_to_end(&mut Vec::new())).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidData);
    /// ```
    pub fn close_with_error(self, error: io::Error) {
        close(&self.shared, writer_end, failed(error));
    }
}

/// Of kind [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the reader is gone, unless it left an error.
impl AsyncWrite for PipeWriter {
    /// Waits for a read, unless `buf` is empty.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let PipeWriter { shared, key } = self.get_mut();
        poll_until(shared, Operation::Write, key, cx.waker(), |attempt| write(attempt, buf))
    }

    /// Waits until the reader has taken what was passed to it.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let PipeWriter { shared, key } = self.get_mut();
        poll_until(shared, Operation::Write, key, cx.waker(), flush)
    }

    /// The end of the stream. It does not wait: the reader still gets what was passed to it.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.shared, writer_end, End::Closed);
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.shared.cancel(key, |_, _, _| {});
        }
        close(&self.shared, writer_end, End::Closed);
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeWriter").finish_non_exhaustive()
    }
}
