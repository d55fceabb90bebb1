//! Where a runtime's trace is to be written, and when.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{self, PathBuf};
use std::sync::{Arc, Mutex};
use std::{process, thread};

use super::report;
use super::variables::variable;
use crate::primitives::lock;
use crate::scheduler::shared::Scheduler;
use crate::trace::{self, Snapshot, TraceSummary};

const VARIABLE: &str = "GORUN_TRACE";

/// So many bytes of a thread's name are in that of a file. Systems allow 255 in all.
const LONGEST_NAME: usize = 100;

/// Room for this many events, if the program does not say how many.
const CAPACITY: usize = 1 << 16;

#[derive(Clone, Default)]
pub(super) struct Tracing {
    /// A power of two.
    pub(super) events: Option<usize>,
    pub(super) file: Option<PathBuf>,
}

#[derive(Clone)]
pub(super) struct TraceFile(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// The environment has asked for it.
    is_told: bool,
    /// What there was when main ended.
    kept: Mutex<Option<io::Result<Snapshot>>>,
    /// Whether that has been written. One after the other writes.
    is_final: Mutex<bool>,
}

impl Tracing {
    /// For how many events each thread has room, and where they are to be written.
    pub(super) fn open(self) -> io::Result<(Option<usize>, Option<TraceFile>)> {
        let (path, is_told) = match (self.file, variable(VARIABLE)) {
            (Some(path), _) => (path, false),
            (None, Some(path)) => (PathBuf::from(path), true),
            (None, None) => return Ok((self.events, None)),
        };
        let source =
            if is_told { "the environment variable `GORUN_TRACE`" } else { "`trace_file`" };
        let refused = |error: io::Error| {
            let text = format!("{source} is {path:?}, which cannot be created: {error}");
            io::Error::new(error.kind(), text)
        };
        // The program may go to another folder.
        let absolute = path::absolute(&path).map_err(refused)?;
        let path = if absolute.is_dir() { absolute.join(own_name()) } else { absolute.clone() };
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            let text =
                format!("{source} is {path:?}, which is neither a file nor a folder; name one");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let file = TraceFile(Arc::new(Inner {
            path,
            is_told,
            kept: Mutex::new(None),
            is_final: Mutex::new(false),
        }));
        // Now, since it would be too late when main has ended.
        let part = file.part();
        File::create(&part).and_then(|_| fs::remove_file(&part)).map_err(refused)?;
        Ok((self.events.or(Some(CAPACITY)), Some(file)))
    }
}

/// The name of a file that no other runtime has, and that says whose it is: a test has its name from its thread.
fn own_name() -> String {
    let thread = thread::current();
    let mut name = thread.name().unwrap_or("thread").replace(|c: char| !c.is_alphanumeric(), "_");
    let end = (0..=LONGEST_NAME).rfind(|end| name.is_char_boundary(*end));
    name.truncate(end.unwrap_or(0));
    format!("{name}-{}.pftrace", unique())
}

/// Programs in several containers may have the same number. And it is not among the choices of the program's, which
/// are the same for a seed with a trace and without.
fn unique() -> String {
    format!("{}-{:08x}", process::id(), RandomState::new().hash_one(0) as u32)
}

impl TraceFile {
    /// Writes what there is now.
    pub(super) fn write(&self, scheduler: &Scheduler) {
        let is_final = lock(&self.0.is_final);
        if !*is_final {
            self.write_snapshot(trace::snapshot(scheduler));
        }
    }

    /// Keeps what there is now, for `write_kept`.
    pub(super) fn keep(&self, scheduler: &Scheduler) {
        *lock(&self.0.kept) = Some(trace::snapshot(scheduler));
    }

    pub(super) fn write_kept(&self) {
        let mut is_final = lock(&self.0.is_final);
        *is_final = true;
        let kept = lock(&self.0.kept).take();
        kept.into_iter().for_each(|snapshot| self.write_snapshot(snapshot));
    }

    fn write_snapshot(&self, snapshot: io::Result<Snapshot>) {
        let path = &self.0.path;
        let text = match snapshot.and_then(|snapshot| self.replace(snapshot)) {
            Ok(written) if self.0.is_told => format!(
                "gorun: {} has {} events of {} goroutines ({} came before); open it at https://ui.perfetto.dev\n",
                path.display(),
                written.events,
                written.goroutines,
                written.lost,
            ),
            Ok(_) => return,
            Err(error) => format!("gorun: the trace cannot be written to {path:?}: {error}\n"),
        };
        report::print_meanwhile(text);
    }

    /// The file is there as a whole or not at all, also if two write it at the same time.
    fn replace(&self, snapshot: Snapshot) -> io::Result<TraceSummary> {
        let part = self.part();
        let written = File::create(&part).and_then(|file| trace::write_snapshot(snapshot, file));
        let written = written.and_then(|written| {
            fs::rename(&part, &self.0.path)?;
            Ok(written)
        });
        written.inspect_err(|_| _ = fs::remove_file(&part))
    }

    /// A name of its own beside the file. The file's may be as long as the system allows.
    fn part(&self) -> PathBuf {
        self.0.path.with_file_name(format!("gorun-{}.pftrace.part", unique()))
    }
}
