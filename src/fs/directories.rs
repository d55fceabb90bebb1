//! Directories: made and removed.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::path_error::with_path;

/// Makes a directory.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Mkdir`.
///
/// # Errors
///
/// If it exists, or its parent does not, or may not be changed.
///
/// # Examples
///
/// ```
/// use gorun::fs;
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-dir-{}", std::process::id()));
/// gorun::block_on(async {
///     fs::create_dir(&path).await?;
///     let again = fs::create_dir(&path).await.unwrap_err();
///     assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
///     fs::remove_dir(&path).await
/// })
/// # }
/// ```
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    with_path("create directory", path.as_ref(), fs::create_dir).await
}

/// Makes a directory and its parents, as far as they do not exist.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.MkdirAll`.
///
/// # Errors
///
/// If one of them cannot be made. Others may have been.
///
/// # Examples
///
/// ```
/// use gorun::fs;
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-dirs-{}", std::process::id()));
/// gorun::block_on(async {
///     fs::create_dir_all(path.join("a/b")).await?;
///     fs::create_dir_all(path.join("a/b")).await?;
///     fs::remove_dir_all(&path).await
/// })
/// # }
/// ```
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with_path("create directory", path.as_ref(), fs::create_dir_all).await
}

/// Removes an empty directory.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Remove`.
///
/// # Errors
///
/// If it does not exist, is no directory, or is not empty.
///
/// # Examples
///
/// See [`create_dir`].
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    with_path("remove directory", path.as_ref(), fs::remove_dir).await
}

/// Removes a directory and all that is in it. It does not follow symbolic links.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.RemoveAll`, which also removes a file, and does not fail if nothing is there.
///
/// # Errors
///
/// If it does not exist, is no directory, or something in it cannot be removed. Other things may have
/// been.
///
/// # Examples
///
/// See [`create_dir_all`].
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with_path("remove directory", path.as_ref(), fs::remove_dir_all).await
}
