//! `read_dir`: the entries of a directory.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, DirEntry};
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::path_error::with_path;
use crate::io::in_place;

/// How many entries one call fetches.
const BATCH: usize = 64;

/// The entries of a directory, without `.` and `..`, in no particular order.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.ReadDir`, which sorts them.
///
/// # Errors
///
/// If it is no directory, or may not be read.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let mut entries = gorun::fs::read_dir("src").await?;
///     let mut names = Vec::new();
///     while let Some(entry) = entries.next_entry().await? {
///         names.push(entry.file_name());
///     }
///     assert!(names.iter().any(|name| name == "lib.rs"));
///     Ok(())
/// })
/// # }
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let entries = with_path("read directory", path.as_ref(), fs::read_dir).await?;
    Ok(ReadDir { entries, fetched: VecDeque::new() })
}

/// The entries of a directory, made by [`read_dir`]. It is a [`Stream`], too.
///
/// # Examples
///
/// See [`read_dir`].
pub struct ReadDir {
    entries: fs::ReadDir,
    fetched: VecDeque<io::Result<DirEntry>>,
}

impl ReadDir {
    /// The next entry; `None` after the last one.
    ///
    /// The entry is `std`'s. Its `file_type` is known at once on most systems; its `metadata` asks the
    /// system: call that inside [`blocking`](crate::blocking()).
    ///
    /// **Cancellation**: dropping the future loses no entry.
    ///
    /// # Errors
    ///
    /// Those of the system. Later entries may follow.
    ///
    /// # Examples
    ///
    /// See [`read_dir`].
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await.transpose()
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ReadDir { entries, fetched } = self.get_mut();
        if fetched.is_empty() {
            ready!(in_place::poll(cx, || fetched.extend(entries.take(BATCH))));
        }
        Poll::Ready(fetched.pop_front())
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}
