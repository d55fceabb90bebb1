//! `stdin`: a thread reads, so that goroutines can wait.
//!
//! A read of a terminal may last for ever, and cannot be interrupted. So it runs on a thread of its own,
//! not in a goroutine: that one stays suspended, can be dropped, and does not hold up exit. The thread
//! starts with the first read, and reads only when somebody asks: what nobody asks for is left to
//! others, a child process for example. But a read that was dropped has asked: the thread takes what
//! comes next all the same, and it stays for the next reader.
//!
//! The thread belongs to the process, not to a runtime, as the standard input does. It calls the wakers
//! of those who wait. No runtime has workers for that: one of another executor that blocks holds up all
//! who read.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead};
use std::mem;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, ready};
use std::thread;

use futures_io::{AsyncBufRead, AsyncRead};

use super::in_place;
use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::Key;
use crate::sync::wait_until::poll_until;
use crate::sync::waitable::Waitable;
use crate::system_error::no_thread;

static INPUT: Waitable<Input> =
    Waitable::new(Input { bytes: Vec::new(), ended: None, is_reading: false });

/// Asks the thread to read once.
static REQUESTS: OnceLock<Sender<Counted>> = OnceLock::new();

struct Input {
    /// What was read, and nobody has taken yet.
    bytes: Vec<u8>,
    /// After these bytes: the end, or an error. A later read tries again, as a terminal goes on after
    /// its end.
    ended: Option<io::Result<()>>,
    is_reading: bool,
}

/// The standard input of the process.
///
/// Waiting for it suspends the goroutine, so `select!`, [`timeout`](crate::time::timeout), abort and the
/// end of main work as for a socket: none waits for a key to be pressed. A thread of the process does
/// the reading. It starts with the first read, and stays.
///
/// It has a buffer; `lines()` and `read_until` of `futures`' [`AsyncBufReadExt`] work on it directly.
/// What a dropped handle has not used is left for the next one. Two handles at the same time share the
/// input at random, as do this and [`std::io::stdin`].
///
/// **Cancellation**: a read that is dropped loses nothing. If the thread has begun to read for it, it
/// goes on: what comes next is kept for the next handle. Neither a child process nor [`std::io::stdin`]
/// gets that, and the latter waits until it has come.
///
/// Go counterpart: `os.Stdin`, with a `bufio.Reader` around it. A goroutine that reads it and sends
/// lines to a channel is not needed.
///
/// [`AsyncBufReadExt`]: https://docs.rs/futures/latest/futures/io/trait.AsyncBufReadExt.html
///
/// # Errors
///
/// Reads fail if the system refuses the thread, and with the errors of the system's `read`.
///
/// # Examples
///
/// ```no_run
/// use futures::{AsyncBufReadExt, StreamExt};
/// use gorun::io::stdin;
/// use gorun::{context::Context, select};
///
/// async fn serve(ctx: &Context) -> std::io::Result<()> {
///     let mut lines = stdin().lines();
///     loop {
///         select! {
///             line = lines.next() => match line {
///                 Some(line) => println!("> {}", line?),
///                 None => return Ok(()),
///             },
///             _ = ctx.done() => return Ok(()),
///         }
///     }
/// }
/// # gorun::block_on(serve(&Context::background())).unwrap();
/// ```
pub fn stdin() -> Stdin {
    Stdin { chunk: Vec::new(), used: 0, key: None }
}

/// A handle of the standard input of the process, made by [`stdin`].
///
/// # Examples
///
/// See [`stdin`].
pub struct Stdin {
    /// What this handle has taken, and how much of it was used.
    chunk: Vec<u8>,
    used: usize,
    /// The waiter of the last read that waited.
    key: Option<Key>,
}

impl Stdin {
    /// The next bytes of the process's input; none at its end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let requests = requests()?;
        poll_until(&INPUT, Operation::Read, &mut self.key, cx.waker(), |attempt| {
            let input = attempt.state;
            if !input.bytes.is_empty() {
                return Some(Ok(mem::take(&mut input.bytes)));
            }
            if let Some(ended) = input.ended.take() {
                return Some(ended.map(|()| Vec::new()));
            }
            if attempt.will_wait && !mem::replace(&mut input.is_reading, true) {
                requests.send(Counted::may_wake()).expect("the thread never ends");
            }
            None
        })
    }
}

/// The thread, started if this is the first use.
fn requests() -> io::Result<&'static Sender<Counted>> {
    if let Some(requests) = REQUESTS.get() {
        return Ok(requests);
    }
    let (requests, asked) = channel();
    let thread = thread::Builder::new().name("gorun-stdin".to_owned());
    let refused = |error| no_thread("reads the standard input", error);
    thread.spawn(|| serve(asked)).map_err(refused)?;
    // If another thread was faster, the one started here ends with its channel.
    Ok(REQUESTS.get_or_init(|| requests))
}

fn serve(asked: Receiver<Counted>) {
    let _quiet = Counted::quiet();
    while let Ok(_may_wake) = asked.recv() {
        let chunk = read_chunk();
        INPUT.with(|inner, wakes| {
            let input = &mut inner.state;
            input.is_reading = false;
            match chunk {
                Ok(bytes) if bytes.is_empty() => input.ended = Some(Ok(())),
                Ok(bytes) => input.bytes.extend(bytes),
                Err(error) => input.ended = Some(Err(error)),
            }
            wakes.release_all(&mut inner.queue);
        });
    }
}

fn read_chunk() -> io::Result<Vec<u8>> {
    let mut input = io::stdin().lock();
    in_place::until_done(|| {
        let chunk = input.fill_buf()?.to_vec();
        input.consume(chunk.len());
        Ok(chunk)
    })
}

impl AsyncBufRead for Stdin {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.used == this.chunk.len() {
            this.chunk = ready!(this.poll_chunk(cx))?;
            this.used = 0;
        }
        Poll::Ready(Ok(&this.chunk[this.used..]))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        assert!(count <= this.chunk.len() - this.used, "more was consumed than there was");
        this.used += count;
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Poll::Ready(Ok(count))
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            INPUT.cancel(key, |_, _, _| {});
        }
        let rest = self.chunk.split_off(self.used);
        if !rest.is_empty() {
            INPUT.with(|inner, wakes| {
                inner.state.bytes.splice(0..0, rest);
                wakes.release_all(&mut inner.queue);
            });
        }
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}
