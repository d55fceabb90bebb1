//! Whole files: read, written, copied.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::path_error::{with_path, with_paths};

/// The bytes of a file.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.ReadFile`.
///
/// # Errors
///
/// If the file does not exist, or cannot be read.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let bytes = gorun::fs::read("Cargo.toml").await?;
///     assert!(bytes.starts_with(b"[package]"));
///     Ok(())
/// })
/// # }
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    with_path("read", path.as_ref(), fs::read).await
}

/// The text of a file.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.ReadFile`, and a conversion to `string`.
///
/// # Errors
///
/// If the file does not exist, or cannot be read. Of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let text = gorun::fs::read_to_string("Cargo.toml").await?;
///     assert!(text.starts_with("[package]"));
///     Ok(())
/// })
/// # }
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    with_path("read", path.as_ref(), fs::read_to_string).await
}

/// Writes a file: makes it if it does not exist, and replaces what is in it if it does.
///
/// The system has the bytes afterwards; [`File::sync_all`](super::File::sync_all) makes sure that the
/// disk has them.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.WriteFile`.
///
/// # Errors
///
/// If the file cannot be made or written. A part may have been written.
///
/// # Examples
///
/// ```
/// use gorun::fs;
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-write-{}", std::process::id()));
/// gorun::block_on(async {
///     fs::write(&path, "hello").await?;
///     assert_eq!(fs::read(&path).await?, b"hello");
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
pub async fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    with_path("write", path.as_ref(), |path| fs::write(path, bytes.as_ref())).await
}

/// Copies the bytes and the permissions of a file to another one, which it makes, or replaces.
/// Returns the number of bytes.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Open`, `os.Create` and `io.Copy`.
///
/// # Errors
///
/// If `from` is not a file that can be read, or `to` cannot be written.
///
/// # Examples
///
/// ```
/// use gorun::fs;
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-copy-{}", std::process::id()));
/// gorun::block_on(async {
///     let count = fs::copy("Cargo.toml", &path).await?;
///     assert_eq!(count, fs::metadata(&path).await?.len());
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    with_paths("copy", from.as_ref(), to.as_ref(), fs::copy).await
}
