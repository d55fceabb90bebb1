//! Calls of the system that block the thread for a while: files, the standard output.
//!
//! They run where they are polled. A poll that lends a buffer cannot pass it to another thread, and in
//! gorun it need not: another worker takes over meanwhile.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use crate::blocking::blocking;
use crate::scheduler::gate::{self, Operation};

/// Calls `f` in this poll, unless the task has to give way to others first.
pub(crate) fn poll<R>(cx: &mut Context<'_>, f: impl FnOnce() -> R) -> Poll<R> {
    if !gate::enter(Operation::Yield, cx.waker()) {
        return Poll::Pending;
    }
    Poll::Ready(blocking(f))
}

/// The same for `read` and `write`, which a signal may interrupt.
pub(crate) fn poll_io<R>(
    cx: &mut Context<'_>,
    mut f: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    poll(cx, || {
        loop {
            match f() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    })
}

/// Calls `f` when it is first polled.
pub(crate) async fn run<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    poll_fn(|cx| poll(cx, || f.take().expect("it is called once")())).await
}
