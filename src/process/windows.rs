//! Pipes to a child: they block, as `std`'s.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::thread;

use futures_io::AsyncRead;

use crate::io::in_place;
use crate::system_error::no_thread;

/// Where a pipe is written.
pub(super) struct Writes<T>(T);

impl<T: Write> Writes<T> {
    pub(super) fn new(pipe: T) -> io::Result<Self> {
        Ok(Writes(pipe))
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        in_place::poll_io(cx, || self.0.write(buf))
    }
}

/// Where a pipe is read.
pub(super) struct Reads<T>(T);

impl<T: Read + Into<Stdio>> Reads<T> {
    pub(super) fn new(pipe: T) -> io::Result<Self> {
        Ok(Reads(pipe))
    }

    pub(super) fn into_stdio(self) -> io::Result<Stdio> {
        Ok(self.0.into())
    }
}

impl<T: Read + Unpin> AsyncRead for Reads<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        in_place::poll_io(cx, || self.0.read(buf))
    }
}

/// All that comes from each of them. On two threads: the child may fill either.
pub(super) async fn read_both(
    stdout: Option<Reads<impl Read>>,
    stderr: Option<Reads<impl Read + Send>>,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    in_place::run(|| {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("gorun-child".to_owned());
            let errors = thread
                .spawn_scoped(scope, || read_all(stderr))
                .map_err(|error| no_thread("reads the errors of a child", error))?;
            let bytes = read_all(stdout)?;
            Ok((bytes, errors.join().expect("it does not panic")?))
        })
    })
    .await
}

fn read_all(pipe: Option<Reads<impl Read>>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(Reads(mut pipe)) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
