//! Errors that say which path they are about.

#![forbid(unsafe_code)]

use std::io;
use std::path::Path;

use crate::io::in_place;
use crate::system_error::failed;

/// Calls `f` with the path. `action` says what fails then: "read", "open".
pub(super) async fn with_path<'a, R>(
    action: &str,
    path: &'a Path,
    f: impl FnOnce(&'a Path) -> io::Result<R>,
) -> io::Result<R> {
    let result = in_place::run(|| f(path)).await;
    result.map_err(|error| failed(format!("cannot {action} {path:?}"), error))
}

/// The same with two paths.
pub(super) async fn with_paths<'a, R>(
    action: &str,
    from: &'a Path,
    to: &'a Path,
    f: impl FnOnce(&'a Path, &'a Path) -> io::Result<R>,
) -> io::Result<R> {
    let result = in_place::run(|| f(from, to)).await;
    result.map_err(|error| failed(format!("cannot {action} {from:?} to {to:?}"), error))
}
