//! What has happened in a runtime, as a picture: who ran where and when, who woke whom, who waited for what.
//!
//! [`Builder::trace`](crate::Builder::trace) makes a runtime record its last events, and [`Handle::write_trace`] writes
//! them, in the format of [Perfetto](https://ui.perfetto.dev), which opens the file in a browser. Nothing is sent
//! anywhere. To see a program that does not know of this, set an environment variable:
//! `GORUN_TRACE=my.pftrace my-program` writes what there was when main ended, or at a deadlock
//! ([`Builder::trace_file`](crate::Builder::trace_file)).
//!
//! # What is on the picture
//!
//! | track | what it shows |
//! |---|---|
//! | each worker | each poll, named after the place where the goroutine was spawned; in it what it spawned and woke, `blocking` and `block_on`. Between polls sleeps, timers that have fired, sockets that became ready, goroutines stolen from another worker |
//! | main | when it ran, and what it waited for. What it drives by [`spawn_local`](crate::spawn_local()) is a part of it |
//! | monitor, other threads | what they spawned and woke, `block_on`; workers that the monitor has found stuck |
//! | goroutines | for each that began or ended to do something: when it ran, when it was queued for a worker, and what it waited for, with the place of the `.await`. Ten thousand have a track |
//! | counts | goroutines, those that wait for a worker, workers that are awake; every 10 ms while something moves |
//!
//! An arrow leads from a wake or a spawn to the poll that it caused. A goroutine that is woken while it runs seems to
//! wake itself at the end of that poll: that is when its worker notices.
//!
//! By the feature `tracing` the spans and events of that crate are bars and marks as well: see `Layer`. With that feature
//! each goroutine is also in a span of its own, of the level and target `gorun=trace`, which says where it was spawned, for
//! other subscribers.
//!
//! # Bounds
//!
//! Each thread keeps its last events. The picture begins where all threads still have theirs, and ends when it was
//! asked for; how many events came before is in the [`TraceSummary`]. A poll, or whatever else goes on since before
//! the begin, is there from when it began, if that is still known. So memory is limited by
//! [`Builder::trace`](crate::Builder::trace), however long the program runs: this is a flight recorder. Times are
//! nanoseconds since the runtime began.
//!
//! # Costs
//!
//! An event takes some nanoseconds, and its time some more; where the processor has no counter that the system uses as
//! its clock, thirty. `docs/benchmarks.md` has figures. Without a trace goroutines pay a branch for each poll, spawn and wake.
//!
//! Go counterpart: package `runtime/trace`, and its `FlightRecorder`.

#![forbid(unsafe_code)]

mod lanes;
#[cfg(feature = "tracing")]
mod layer;
mod lives;
mod perfetto;
mod protobuf;
mod recorded;
mod schema;
mod sites;
mod timeline;

use std::io::{self, BufWriter, Write};

#[cfg(feature = "tracing")]
pub use layer::Layer;

use crate::handle::Handle;
use crate::scheduler::shared::Scheduler;
use recorded::Recorded;
pub(crate) use recorded::Snapshot;
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
    /// - `OutOfMemory`: there is no memory for a copy of what the runtime has recorded.
    /// - What `out` reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{Builder, Handle, spawn};
    ///
    /// Builder::new().trace(1 << 10).block_on(async {
    ///     for n in 0..10 {
    ///         spawn(async move { n * n }).await.unwrap();
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
    write_snapshot(snapshot(scheduler)?, out)
}

/// A copy of what the runtime has recorded.
pub(crate) fn snapshot(scheduler: &Scheduler) -> io::Result<Snapshot> {
    let trace = scheduler.trace.as_deref().ok_or_else(|| {
        let advice = "this runtime records no trace; set `Builder::trace`, or `GORUN_TRACE=file`";
        io::Error::new(io::ErrorKind::Unsupported, advice)
    })?;
    Snapshot::of(trace)
}

pub(crate) fn write_snapshot(snapshot: Snapshot, out: impl Write) -> io::Result<TraceSummary> {
    let recorded = Recorded::of(snapshot)?;
    let mut timeline = Timeline::new(BufWriter::new(out))?;
    timeline.write(&recorded)?;
    let goroutines = timeline.goroutines();
    let packets = timeline.finish()?;
    Ok(TraceSummary { events: recorded.len(), lost: recorded.lost(), goroutines, packets })
}
