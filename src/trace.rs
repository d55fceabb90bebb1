//! What has happened in a runtime, as a picture: who ran where and when, who woke whom, who waited for what.
//!
//! [`Builder::trace`](crate::Builder::trace) makes a runtime record its last events, and [`Handle::write_trace`] writes them, in the format
//! of [Perfetto](https://ui.perfetto.dev), which opens the file in a browser. Nothing is sent anywhere. To see a program
//! that does not know of this, set an environment variable: `GORUN_TRACE=my.pftrace my-program` writes the file when
//! main ends, and at a deadlock.
//!
//! # What is on the picture
//!
//! | track | what it shows |
//! |---|---|
//! | main, each worker | each poll, named after the place where the goroutine was spawned; in it what it spawned and woke, and whether it blocks its thread. Between polls sleeps, timers that have fired, sockets that became ready, goroutines stolen from another worker |
//! | monitor, other threads | what they spawned and woke; workers that the monitor has found stuck |
//! | goroutines | for each goroutine when it ran, when it was queued for a worker, and what it waited for, with the place of the `.await`. Ten thousand have a track |
//! | counts | goroutines, those that wait for a worker, workers that are awake; every 10 ms while something moves |
//!
//! An arrow leads from a wake or a spawn to the poll that it caused. A goroutine that is woken while it runs seems to
//! wake itself at the end of that poll: that is when its worker notices.
//!
//! # Bounds
//!
//! Each thread keeps its last events. The picture begins where all threads still have theirs; how many came before
//! is in the [`TraceSummary`]. So memory is limited by [`Builder::trace`](crate::Builder::trace), however long the program runs: this is a
//! flight recorder. Times are those of the runtime, in nanoseconds since it began. Of goroutines that are spawned one
//! after the other up to eight have the same time, that of the first.
//!
//! # Costs
//!
//! An event takes some nanoseconds, and the clock, which is read about twice for a poll, some thirty. `docs/benchmarks.md`
//! has figures. Without a trace goroutines pay nothing.
//!
//! Go counterpart: package `runtime/trace`, and its `FlightRecorder`.

#![forbid(unsafe_code)]

mod lanes;
mod lives;
mod perfetto;
mod protobuf;
mod recorded;
mod schema;
mod sites;
mod timeline;

use std::io::{self, BufWriter, Write};

use crate::handle::Handle;
use crate::scheduler::shared::Scheduler;
use recorded::Recorded;
use timeline::Timeline;

/// What [`Handle::write_trace`] has written.
///
/// # Examples
///
/// See [`Handle::write_trace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceSummary {
    /// How many events are in the file.
    pub events: u64,
    /// How many came before, and have been overwritten, or are left out because another thread's have been.
    pub lost: u64,
    /// How many goroutines these events are about.
    pub goroutines: u64,
    /// How many packets the file has.
    pub packets: u64,
}

impl Handle {
    /// Writes what the runtime has recorded, as a file for [Perfetto](https://ui.perfetto.dev): see the
    /// [module](crate::trace). It waits for no goroutine, and all may go on meanwhile. What they do meanwhile is
    /// in the file or not.
    ///
    /// Writing blocks the calling thread, for about half a second a million events; inside a goroutine call it in
    /// [`blocking`](crate::blocking).
    ///
    /// Go counterpart: `trace.FlightRecorder.WriteTo`.
    ///
    /// # Errors
    ///
    /// - `Unsupported`: this runtime records nothing. Set [`Builder::trace`](crate::Builder::trace).
    /// - What `out` reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{Builder, Handle, blocking, go};
    ///
    /// Builder::new().trace(1 << 10).block_on(async {
    ///     for n in 0..10 {
    ///         go!(async move { n * n }).await.unwrap();
    ///     }
    ///     let mut file = Vec::new(); // or a `std::fs::File`
    ///     let summary = Handle::current().write_trace(&mut file).unwrap();
    ///     assert_eq!((summary.goroutines, summary.lost), (10, 0));
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_trace(&self, out: impl Write) -> io::Result<TraceSummary> {
        write(self.scheduler(), out)
    }
}

pub(crate) fn write(scheduler: &Scheduler, out: impl Write) -> io::Result<TraceSummary> {
    let trace = scheduler.trace.as_ref().ok_or_else(|| {
        let advice = "this runtime records no trace; set `Builder::trace`, or `GORUN_TRACE=file`";
        io::Error::new(io::ErrorKind::Unsupported, advice)
    })?;
    let recorded = Recorded::of(trace);
    let mut timeline = Timeline::new(BufWriter::new(out))?;
    timeline.write(&recorded)?;
    let goroutines = timeline.goroutines();
    let packets = timeline.finish()?;
    let events = recorded.complete().len() as u64;
    Ok(TraceSummary { events, lost: recorded.lost(), goroutines, packets })
}
