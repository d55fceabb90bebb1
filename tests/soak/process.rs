//! The process as the system sees it, where it tells (Linux).

/// How many threads it has.
pub(crate) fn threads() -> Option<usize> {
    count("/proc/self/task")
}

/// How many files are open.
pub(crate) fn files() -> Option<usize> {
    count("/proc/self/fd")
}

fn count(directory: &str) -> Option<usize> {
    Some(std::fs::read_dir(directory).ok()?.count())
}

/// Resident memory in bytes.
pub(crate) fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}
