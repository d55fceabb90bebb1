//! Reports to the user about goroutines that block.
//!
//! Callbacks are user code: they may panic, or block, even on a lock that the reported goroutine
//! holds. So each batch of reports runs on its own thread. If the system refuses one, the reports
//! wait for the monitor's next sample. Reports are few: a spawn site is reported once.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::panics;
use crate::scheduler::deadlock::outsiders::Counted;

/// A goroutine that held its worker for too long in a single poll, without
/// [`blocking`](crate::blocking): see [`Builder::on_blocked`](crate::Builder::on_blocked).
///
/// It displays as a sentence.
///
/// Go counterpart: none; in Go every function may block.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// let (tell, told) = mpsc::channel();
/// gorun::Builder::new()
///     .on_blocked(move |blocked| tell.send(blocked.clone()).unwrap())
///     .block_on(async move {
///         gorun::spawn(async { std::thread::sleep(Duration::from_millis(300)) });
///         let blocked = told.recv().unwrap();
///         assert!(blocked.spawned_at.file().ends_with(".rs"));
///         assert!(blocked.held_for >= Duration::from_millis(100));
///         println!("{blocked}");
///     })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Blocked {
    /// Where the goroutine was spawned.
    pub spawned_at: &'static Location<'static>,
    /// How long it had held its worker when the monitor noticed.
    pub held_for: Duration,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the goroutine spawned at {} has held its worker thread for {} ms; run what blocks there \
             inside `gorun::blocking`, or let it `.await`",
            self.spawned_at,
            self.held_for.as_millis(),
        )
    }
}

#[derive(Clone)]
pub(crate) struct Callback(pub(crate) Arc<dyn Fn(&Blocked) + Send + Sync>);

/// gorun catches its panics; the callback answers for any state it leaves behind.
impl UnwindSafe for Callback {}
impl RefUnwindSafe for Callback {}

/// A callback, and its threshold.
#[derive(Clone)]
pub(crate) struct Listener {
    /// It wants to know of polls that last longer than this.
    pub(crate) after: Duration,
    pub(crate) tell: Callback,
}

impl Listener {
    /// Writes to standard error, and ignores a failure to do so.
    pub(crate) fn standard_error(after: Duration) -> Self {
        let tell = |blocked: &Blocked| {
            let _ = writeln!(std::io::stderr(), "gorun: {blocked}");
        };
        Listener { after, tell: Callback(Arc::new(tell)) }
    }
}

/// The reports of one runtime.
pub(crate) struct Reports {
    listeners: Vec<(Listener, HashSet<Location<'static>>)>,
    due: Vec<(Listener, Blocked)>,
}

impl Reports {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        let listeners = listeners.into_iter().map(|listener| (listener, HashSet::new()));
        Reports { listeners: listeners.collect(), due: Vec::new() }
    }

    /// Whether any listener wants to know of a poll that has lasted this long.
    pub(crate) fn concern(&self, held_for: Duration) -> bool {
        self.listeners.iter().any(|(listener, _)| held_for > listener.after)
    }

    /// Notes a goroutine that has been in a poll for this long.
    pub(crate) fn note(&mut self, blocked: &Blocked) {
        for (listener, told) in &mut self.listeners {
            if blocked.held_for > listener.after && told.insert(*blocked.spawned_at) {
                self.due.push((listener.clone(), blocked.clone()));
            }
        }
    }

    /// Sends what has been noted.
    pub(crate) fn send(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let due = self.due.clone();
        let may_wake = Counted::may_wake();
        let tell_all = move || {
            may_wake.until_thread_ends();
            due.iter().for_each(tell);
        };
        let started = thread::Builder::new().name("gorun-report".to_owned()).spawn(tell_all);
        if started.is_ok() {
            self.due.clear();
        }
    }

    pub(crate) fn are_wanted(&self) -> bool {
        !self.listeners.is_empty()
    }
}

/// Calls one listener. If it panics, the panic hook reports that.
fn tell((listener, blocked): &(Listener, Blocked)) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (listener.tell.0)(blocked))) {
        panics::discard(payload);
    }
}
