//! Entries of directories, whatever they are: removed, renamed, described.

#![forbid(unsafe_code)]

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use super::path_error::{with_path, with_paths};

/// Removes a file, or a symbolic link.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Remove`.
///
/// # Errors
///
/// If it does not exist, is a directory, or its directory may not be changed.
///
/// # Examples
///
/// See [`write`](super::write()).
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    with_path("remove", path.as_ref(), fs::remove_file).await
}

/// Gives a file or a directory another name. A file that has it already is replaced.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Rename`.
///
/// # Errors
///
/// If it does not exist, or the names are on different file systems.
///
/// # Examples
///
/// ```
/// use gorun::fs;
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-rename-{}", std::process::id()));
/// gorun::block_on(async {
///     // A reader of `path` sees the old text, or all of the new one.
///     let new = path.with_extension("new");
///     fs::write(&new, "all of it").await?;
///     fs::rename(&new, &path).await?;
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    with_paths("rename", from.as_ref(), to.as_ref(), fs::rename).await
}

/// What the system knows of a file or a directory: its kind, its length in bytes, its times. Of a
/// symbolic link, what is known of its target.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Stat`.
///
/// # Errors
///
/// If it does not exist, or its directory may not be searched.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     assert!(gorun::fs::metadata("src").await?.is_dir());
///     Ok(())
/// })
/// # }
/// ```
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with_path("look at", path.as_ref(), fs::metadata).await
}

/// The same, of a symbolic link itself.
///
/// **Cancellation**: see the [module](super). Dropped before its first poll, it has done nothing.
///
/// Go counterpart: `os.Lstat`.
///
/// # Errors
///
/// As [`metadata`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     assert!(!gorun::fs::symlink_metadata("src").await?.is_symlink());
///     Ok(())
/// })
/// # }
/// ```
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with_path("look at", path.as_ref(), fs::symlink_metadata).await
}
