//! `Builder`'s settings for traces.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::Builder;

/// The fewest events that a thread keeps, and the most: half a gigabyte.
const LEAST: usize = 1 << 6;
const MOST: usize = 1 << 24;

impl Builder {
    /// Makes the runtime record what happens, for [`Handle::write_trace`](crate::Handle::write_trace): of each
    /// thread the last `events`, rounded up to a power of two, less one. See [`trace`](mod@crate::trace) for what is
    /// recorded, and what that costs.
    ///
    /// An event takes 32 bytes. Main and the monitor have such a memory, each worker, and each thread that has stood
    /// in for one at some time ([`max_threads`](Self::max_threads) limits them, but for 64 that the end of main may
    /// need); all others share four. A thread for which the system has no memory to spare shares these, too. All
    /// this is kept as long as the runtime, or a [`Handle`](crate::Handle) of it, also when it has ended. To write a file
    /// takes three times as much again for a moment.
    ///
    /// Go counterpart: `trace.NewFlightRecorder`.
    ///
    /// # Panics
    ///
    /// If `events` is 0, or more than 2²⁴.
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
        self.trace.events = Some(events.next_power_of_two().max(LEAST));
        self
    }

    /// Writes a [trace](mod@crate::trace) to this file: what there was when main ended, and at a
    /// [deadlock](crate::OnDeadlock) or a [stall](Self::on_stall) that is reported. Each time the file is replaced; a
    /// symbolic link there, too, rather than what it leads to. A program that ends by `process::exit`, or is killed,
    /// writes none; if it does so while it writes, it leaves a part of one behind, `gorun-….pftrace.part`. Without [`trace`](Self::trace) each thread keeps
    /// its last 65,535 events.
    ///
    /// The file belongs to one runtime. If `path` is a folder, each runtime has a file of its own there, whose name
    /// begins with that of main's thread: in a test, the test's.
    ///
    /// The environment variable `GORUN_TRACE` does the same without a change to the program, and says on standard
    /// error what it has written. Other programs that this one starts inherit it.
    ///
    /// # Errors
    ///
    /// [`block_on`](Self::block_on) reports it if it cannot create a file there. A failure later is reported on
    /// standard error.
    ///
    /// # Examples
    ///
    /// ```
    /// let file = std::env::temp_dir().join(format!("{}.pftrace", std::process::id()));
    /// gorun::Builder::new().trace_file(&file).block_on(async {
    ///     gorun::spawn(async { 1 }).await
    /// })?;
    /// assert!(std::fs::metadata(&file)?.len() > 0); // open it at https://ui.perfetto.dev
    /// # std::fs::remove_file(file)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn trace_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trace.file = Some(path.into());
        self
    }
}
