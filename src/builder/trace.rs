//! `Builder`'s settings for traces.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::Builder;

/// The fewest and the most events that a thread keeps.
const LEAST: usize = 1 << 6;
const MOST: usize = 1 << 28;

impl Builder {
    /// Makes the runtime record what happens, for [`Handle::write_trace`](crate::Handle::write_trace): of
    /// each worker, and of main, the last `events`, or a few more. An event takes 32 bytes. See [`trace`](mod@crate::trace) for what is recorded, and
    /// what it costs.
    ///
    /// Go counterpart: `trace.NewFlightRecorder`.
    ///
    /// # Panics
    ///
    /// If `events` is 0, or more than 2²⁸.
    ///
    /// # Examples
    ///
    /// See [`Handle::write_trace`](crate::Handle::write_trace).
    #[track_caller]
    pub fn trace(mut self, events: usize) -> Self {
        assert!(
            (1..=MOST).contains(&events),
            "`trace({events})`: each thread keeps between 1 and {MOST} events, of 32 bytes; 65536 is a good start"
        );
        // A ring keeps one less than it has room for.
        self.trace.events = Some((events + 1).next_power_of_two().max(LEAST));
        self
    }

    /// Writes a [trace](mod@crate::trace) to this file when main ends, before its goroutines are cancelled, and at a
    /// [deadlock](crate::OnDeadlock) or a [stall](Self::on_stall). Each time the file is written anew. Without
    /// [`trace`](Self::trace) each thread keeps its last 65,535 events.
    ///
    /// The environment variable `GORUN_TRACE` does the same without a change to the program, and says on standard
    /// error what it has written.
    ///
    /// # Errors
    ///
    /// [`block_on`](Self::block_on) reports it if it cannot create the file. A failure later is reported on standard
    /// error.
    ///
    /// # Examples
    ///
    /// ```
    /// let file = std::env::temp_dir().join(format!("{}.pftrace", std::process::id()));
    /// gorun::Builder::new().trace_file(&file).block_on(async {
    ///     gorun::spawn(async { 1 }).await
    /// })?;
    /// assert!(std::fs::metadata(&file)?.len() > 0); // open it at https://ui.perfetto.dev
    /// # std::fs::remove_file(file)
    /// ```
    pub fn trace_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trace.file = Some(path.into());
        self
    }
}
