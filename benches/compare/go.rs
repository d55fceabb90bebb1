//! The twin in Go: found, built, and run in a process of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A `go` command and the program it has built.
pub(crate) struct Go {
    pub(crate) version: String,
    pub(crate) program: PathBuf,
}

/// `Err` says why there is none.
pub(crate) fn build() -> Result<Go, String> {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    std::fs::create_dir_all(&into).map_err(|error| format!("{into:?}: {error}"))?;
    let go = env::var_os("GO").unwrap_or_else(|| "go".into());
    let version = Command::new(&go).arg("version").output();
    let version = match version {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(output) => return Err(format!("{go:?} version: {}", output.status)),
        Err(error) => return Err(format!("no `go` command ({error}); GO=/path/to/go names one")),
    };
    let program = into.join("go-twin");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
    let built = Command::new(&go)
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(source)
        .output()
        .map_err(|error| format!("{go:?} build: {error}"))?;
    if !built.status.success() {
        return Err(format!("{go:?} build: {}", String::from_utf8_lossy(&built.stderr)));
    }
    let version = version.split_whitespace().nth(2).unwrap_or("go").to_owned();
    Ok(Go { version, program })
}
