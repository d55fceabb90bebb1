//! Where a runtime's trace is to be written, and when.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::variables::variable;
use crate::scheduler::shared::Scheduler;
use crate::trace;

const VARIABLE: &str = "GORUN_TRACE";

/// Room for this many events, if the program does not say how many.
const CAPACITY: usize = 1 << 16;

#[derive(Clone, Default)]
pub(super) struct Tracing {
    /// A power of two.
    pub(super) events: Option<usize>,
    pub(super) file: Option<PathBuf>,
}

#[derive(Clone)]
pub(super) struct TraceFile {
    path: Arc<PathBuf>,
    /// The environment has asked for it.
    is_told: bool,
}

impl Tracing {
    /// For how many events each thread has room, and where they are to be written.
    pub(super) fn open(self) -> io::Result<(Option<usize>, Option<TraceFile>)> {
        let (path, is_told) = match (self.file, variable(VARIABLE)) {
            (Some(path), _) => (path, false),
            (None, Some(path)) => (PathBuf::from(path), true),
            (None, None) => return Ok((self.events, None)),
        };
        // Now, since it would be too late when main has ended.
        if let Err(error) = File::create(&path) {
            let source = if is_told {
                format!("the environment variable {VARIABLE}")
            } else {
                "`trace_file`".to_owned()
            };
            return Err(io::Error::new(
                error.kind(),
                format!("{source} is {path:?}, which cannot be created: {error}"),
            ));
        }
        Ok((self.events.or(Some(CAPACITY)), Some(TraceFile { path: Arc::new(path), is_told })))
    }
}

impl TraceFile {
    pub(super) fn write(&self, scheduler: &Scheduler) {
        let path = &self.path;
        let text = match File::create(&**path).and_then(|file| trace::write(scheduler, file)) {
            Ok(written) if self.is_told => format!(
                "gorun: {} has {} events of {} goroutines ({} came before); open it at https://ui.perfetto.dev\n",
                path.display(),
                written.events,
                written.goroutines,
                written.lost,
            ),
            Ok(_) => return,
            Err(error) => format!("gorun: the trace cannot be written to {path:?}: {error}\n"),
        };
        // Nobody is there to be told of a failure.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}
