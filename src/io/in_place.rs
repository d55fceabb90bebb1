//! Calls of the system that block the thread for a while: files, the standard output.
//!
//! They run where they are polled. A poll that lends a buffer cannot pass it to another thread, and in
//! gorun it need not: another worker takes over meanwhile.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use crate::blocking::blocking;
use crate::scheduler::gate;

const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Calls `f` in this poll, unless the task has to give way to others first.
pub(crate) fn poll<R>(cx: &mut Context<'_>, f: impl FnOnce() -> R) -> Poll<R> {
    if !gate::enter(cx.waker()) {
        return Poll::Pending;
    }
    Poll::Ready(blocking(f))
}

/// The same for `read` and `write`.
pub(crate) fn poll_io<R>(
    cx: &mut Context<'_>,
    f: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    poll(cx, || until_done(f))
}

/// Blocks until a `read` or a `write` is done. A signal may interrupt it. And whoever shares the open
/// file, another process for example, may have made it nonblocking: nothing tells then when it is ready.
pub(crate) fn until_done<R>(mut f: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    let mut pause = SHORTEST_PAUSE;
    loop {
        match f() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(pause);
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

/// Calls `f` when it is first polled, or later if it has to give way first.
pub(crate) async fn run<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    poll_fn(|cx| poll(cx, || f.take().expect("it is called once")())).await
}
