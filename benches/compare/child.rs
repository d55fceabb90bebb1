//! A process that measures something and prints the figures, a line each.

use std::ops::RangeBounds;
use std::process::Command;

use crate::go::Go;
use crate::peer::Peer;

/// What runs a workload for a peer: Go's twin, or this program itself with `option`.
pub(crate) fn program_of(peer: Peer, go: Option<&Go>, option: &str) -> Command {
    if let (Peer::Go, Some(go)) = (peer, go) {
        return Command::new(&go.program);
    }
    let mut command = Command::new(std::env::current_exe().expect("this program's path"));
    command.args([option, peer.name()]);
    command
}

/// Runs it, and says what it printed; or why there are not so many figures `of` something as `expected`.
pub(crate) fn figures(
    command: &mut Command,
    of: &str,
    expected: impl RangeBounds<usize>,
) -> Result<Vec<f64>, String> {
    let failed = |why: String| format!("\n{of}: {why}");
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}\n{stderr}", output.status)));
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<_> = stdout.lines().map_while(|line| line.parse().ok()).collect();
    if !expected.contains(&figures.len()) {
        return Err(failed(format!("it printed {stdout:?}")));
    }
    Ok(figures)
}
