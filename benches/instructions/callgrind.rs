//! Counting the instructions of this program, run again under callgrind.

use std::path::Path;
use std::process::Command;
use std::{fs, thread};

/// Of the thread that is busiest: the others only wait for it, some of them by the clock. With options that
/// make valgrind write earlier than at the end, what it has counted by then.
pub(crate) fn total(name: &str, arguments: &[usize], options: &[&str]) -> Result<u64, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-{name}"));
    let failed = |why: String| format!("{name} under valgrind: {why}");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).map_err(|error| failed(error.to_string()))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .args(options)
        .arg(format!("--callgrind-out-file={}/of", directory.display()))
        .arg(std::env::current_exe().expect("this program's path"))
        .args(["--one", name])
        .args(arguments.iter().map(usize::to_string))
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!(
            "{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    let files = fs::read_dir(&directory).map_err(|error| failed(error.to_string()))?;
    let is_early = !options.is_empty();
    let of_thread = |file: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(file.path()).ok()?;
        if is_early && !text.contains("Trigger: --dump-before") {
            return None;
        }
        let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "))?;
        total.trim().parse().ok()
    };
    files
        .filter_map(|file| of_thread(file.ok()?))
        .max()
        .ok_or_else(|| failed("no totals in what it wrote".to_owned()))
}

/// Two at a time, for those who have two cores.
pub(crate) fn in_two_halves<T: Sync, R: Send>(
    all: &[T],
    count: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let (left, right) = all.split_at(all.len() / 2);
    let count = |some: &[T]| some.iter().map(&count).collect::<Result<Vec<_>, _>>();
    let (left, right) = thread::scope(|scope| {
        let right = scope.spawn(|| count(right));
        (count(left), right.join().unwrap())
    });
    let mut left = left?;
    left.extend(right?);
    Ok(left)
}
