//! Errors that say which path they are about.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::io::in_place;

/// In an `io::Error` of the same kind.
#[derive(Debug)]
struct PathError {
    /// What failed: "read", "open".
    action: &'static str,
    path: PathBuf,
    /// And another one, for what has two.
    to: Option<PathBuf>,
    source: io::Error,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {:?}", self.action, self.path)?;
        if let Some(to) = &self.to {
            write!(f, " to {to:?}")?;
        }
        write!(f, ": {}", self.source)
    }
}

impl Error for PathError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn wrap(
    action: &'static str,
    path: &Path,
    to: Option<&Path>,
) -> impl FnOnce(io::Error) -> io::Error {
    move |source| {
        let (path, to) = (path.to_owned(), to.map(Path::to_owned));
        io::Error::new(source.kind(), PathError { action, path, to, source })
    }
}

/// Calls `f` with the path when it is first polled.
pub(super) async fn with_path<'a, R>(
    action: &'static str,
    path: &'a Path,
    f: impl FnOnce(&'a Path) -> io::Result<R>,
) -> io::Result<R> {
    in_place::run(|| f(path)).await.map_err(wrap(action, path, None))
}

/// The same with two paths.
pub(super) async fn with_paths<'a, R>(
    action: &'static str,
    from: &'a Path,
    to: &'a Path,
    f: impl FnOnce(&'a Path, &'a Path) -> io::Result<R>,
) -> io::Result<R> {
    in_place::run(|| f(from, to)).await.map_err(wrap(action, from, Some(to)))
}
