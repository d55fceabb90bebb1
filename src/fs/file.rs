//! `File`: an open file.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::open_options::OpenOptions;
use super::path_error::with_path;
#[cfg(feature = "tokio-io")]
use crate::blocking::blocking;
use crate::io::in_place;

/// An open file. It is closed when it is dropped.
///
/// Reads, writes and seeks are those of `futures`' extension traits: `read_exact`, `read_to_end`,
/// `write_all`, `seek`, `BufReader`. They implement the traits by value and by shared reference, as
/// `std`'s do; all of them share one position.
///
/// Each blocks the thread, and another worker takes over meanwhile: see the [module](super). There is
/// no buffer. Put a `BufReader` or a `BufWriter` around it for many small reads or writes. Flush or close
/// a `BufWriter`: when one of `futures` is dropped, also by an abort or the end of main, it discards what
/// is in its buffer.
///
/// The drop closes the file on the dropping thread, outside of [`blocking`](crate::blocking()), and an
/// error of that is lost, as in `std`. [`sync_all`](Self::sync_all) reports what has gone wrong before.
///
/// **Cancellation**: a read, write or seek that was polled has happened, since its poll completes it
/// or (to let others run) does nothing.
///
/// Go counterpart: `os.File`.
///
/// # Examples
///
/// ```
/// use std::io::SeekFrom;
/// use futures::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
/// use gorun::fs::{self, File};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-file-{}", std::process::id()));
/// gorun::block_on(async {
///     let mut file = File::options().read(true).write(true).create(true).open(&path).await?;
///     file.write_all(b"hello, world").await?;
///     file.seek(SeekFrom::Start(7)).await?;
///     let mut text = String::new();
///     file.read_to_string(&mut text).await?;
///     assert_eq!(text, "world");
///     file.sync_all().await?;
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
pub struct File {
    file: fs::File,
}

impl File {
    /// Opens a file to read it.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `os.Open`.
    ///
    /// # Errors
    ///
    /// If it does not exist, or may not be read.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::io::BufReader;
    /// use futures::{AsyncBufReadExt, StreamExt};
    /// use gorun::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let mut lines = BufReader::new(File::open("Cargo.toml").await?).lines();
    ///     assert_eq!(lines.next().await.unwrap()?, "[package]");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        let file = with_path("open", path.as_ref(), fs::File::open).await?;
        Ok(File { file })
    }

    /// Opens a file to write it: makes it if it does not exist, and empties it if it does.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `os.Create`.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or may not be written.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::AsyncWriteExt;
    /// use gorun::fs::{self, File};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("gorun-create-{}", std::process::id()));
    /// gorun::block_on(async {
    ///     File::create(&path).await?.write_all(b"hello").await?;
    ///     assert_eq!(fs::read(&path).await?, b"hello");
    ///     fs::remove_file(&path).await
    /// })
    /// # }
    /// ```
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        let file = with_path("create", path.as_ref(), fs::File::create).await?;
        Ok(File { file })
    }

    /// How to open a file in another way.
    ///
    /// Go counterpart: the flags of `os.OpenFile`.
    ///
    /// # Examples
    ///
    /// See [`OpenOptions`].
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// An open file of `std`.
    ///
    /// Go counterpart: `os.NewFile`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let file = File::from_std(std::fs::File::open("Cargo.toml")?);
    /// assert!(gorun::block_on(file.metadata())?.is_file());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_std(file: fs::File) -> File {
        File { file }
    }

    /// The file of `std`. Nothing waits to be written: there is no buffer.
    ///
    /// Go counterpart: `File.Fd`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use gorun::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut file = gorun::block_on(File::open("Cargo.toml"))?.into_std();
    /// file.read_to_string(&mut String::new())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_std(self) -> fs::File {
        self.file
    }

    /// Another handle of the same open file, with the same position.
    ///
    /// Go counterpart: `syscall.Dup`.
    ///
    /// # Errors
    ///
    /// If the system refuses another descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let file = gorun::fs::File::open("Cargo.toml").await?;
    ///     assert_eq!(file.try_clone()?.metadata().await?.len(), file.metadata().await?.len());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn try_clone(&self) -> io::Result<File> {
        Ok(File { file: self.file.try_clone()? })
    }

    /// Waits until the disk has what was written, and what the system knows of the file: its length,
    /// its times.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `File.Sync`.
    ///
    /// # Errors
    ///
    /// If writing has failed, perhaps of what was written long before.
    ///
    /// # Examples
    ///
    /// See [`File`].
    pub async fn sync_all(&self) -> io::Result<()> {
        in_place::run(|| self.file.sync_all()).await
    }

    /// The same without what is not needed to read it again, such as its times.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `syscall.Fdatasync`.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::fs::{self, File};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("gorun-sync-{}", std::process::id()));
    /// gorun::block_on(async {
    ///     File::create(&path).await?.sync_data().await?;
    ///     fs::remove_file(&path).await
    /// })
    /// # }
    /// ```
    pub async fn sync_data(&self) -> io::Result<()> {
        in_place::run(|| self.file.sync_data()).await
    }

    /// Makes it `length` bytes long: cuts off what is behind, or adds zeros. The position stays.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `File.Truncate`.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or there is no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::fs::{self, File};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("gorun-length-{}", std::process::id()));
    /// gorun::block_on(async {
    ///     File::create(&path).await?.set_len(3).await?;
    ///     assert_eq!(fs::read(&path).await?, [0; 3]);
    ///     fs::remove_file(&path).await
    /// })
    /// # }
    /// ```
    pub async fn set_len(&self, length: u64) -> io::Result<()> {
        in_place::run(|| self.file.set_len(length)).await
    }

    /// Seeks without giving way first.
    #[cfg(feature = "tokio-io")]
    pub(crate) fn seek_now(&self, position: SeekFrom) -> io::Result<u64> {
        blocking(|| in_place::until_done(|| (&self.file).seek(position)))
    }

    /// What the system knows of the file: its kind, its length in bytes, its times.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `File.Stat`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        in_place::run(|| self.file.metadata()).await
    }
}

/// Here, since it makes a `File`.
impl OpenOptions {
    /// Opens the file.
    ///
    /// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
    ///
    /// Go counterpart: `os.OpenFile`.
    ///
    /// # Errors
    ///
    /// If the options contradict each other, and those of the system: it does not exist, may not be
    /// opened so, exists already.
    ///
    /// # Examples
    ///
    /// See [`OpenOptions`].
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let file = with_path("open", path.as_ref(), |path| self.as_std().open(path)).await?;
        Ok(File { file })
    }
}

macro_rules! impl_async_io {
    ($file:ty) => {
        impl AsyncRead for $file {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                in_place::poll_io(cx, || (&self.file).read(buf))
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                in_place::poll_io(cx, || (&self.file).read_vectored(bufs))
            }
        }

        impl AsyncWrite for $file {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                in_place::poll_io(cx, || (&self.file).write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                in_place::poll_io(cx, || (&self.file).write_vectored(bufs))
            }

            /// Ready: the system has all that was written.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Ready, and the file stays open until it is dropped.
            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }

        impl AsyncSeek for $file {
            fn poll_seek(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                position: SeekFrom,
            ) -> Poll<io::Result<u64>> {
                in_place::poll_io(cx, || (&self.file).seek(position))
            }
        }
    };
}

impl_async_io!(File);
impl_async_io!(&File);

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
