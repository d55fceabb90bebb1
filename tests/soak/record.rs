//! What the program itself knows of each goroutine, and of the runtime it belongs to.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use gorun::Handle;

use super::event::{self, Event, Step};
use super::failure::{demand, fail};

/// A runtime.
pub(crate) struct Home {
    pub(crate) handle: Handle,
    pub(crate) number: usize,
    /// Its `block_on` has returned.
    pub(crate) is_over: AtomicBool,
}

/// How a goroutine is to end, if it is not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Finish,
    PanicInPoll,
    PanicInDrop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ends by itself.
    Active,
    /// Goes on until its channel is closed.
    Resident,
    /// A thread that is not the runtime's.
    Thread,
}

pub(crate) struct Record {
    pub(crate) id: u32,
    pub(crate) plan: Plan,
    pub(crate) kind: Kind,
    spawned_at: &'static Location<'static>,
    home: Arc<Home>,
    /// The last event.
    last: AtomicU64,
    has_begun: AtomicBool,
    is_aborted: AtomicBool,
    is_dropped: AtomicBool,
}

impl Record {
    pub(crate) fn at(&self, step: Step, number: u32) {
        if self.kind != Kind::Thread {
            demand!(!self.home.is_over.load(SeqCst), "{self}, after block_on has returned");
        }
        let event = Event { step, who: self.id, number };
        self.last.store(event.pack(), SeqCst);
        event::note(event);
    }

    pub(crate) fn begin(&self) {
        self.at(Step::Runs, 0);
        demand!(!self.has_begun.swap(true, SeqCst), "{self}: it has begun twice");
        demand!(!self.is_dropped(), "{self}: it has begun after it was dropped");
    }

    /// Before the goroutine is aborted.
    pub(crate) fn will_be_aborted(&self) {
        self.is_aborted.store(true, SeqCst);
        event::note(Event { step: Step::Aborts, who: self.id, number: self.id });
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted.load(SeqCst)
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped.load(SeqCst)
    }

    pub(crate) fn drop_it(&self) {
        let is_late = self.home.is_over.load(SeqCst) && self.has_begun.load(SeqCst);
        let is_thread = self.kind == Kind::Thread;
        demand!(is_thread || !is_late, "{self}: it was dropped after block_on has returned");
        event::note(Event { step: Step::Dropped, who: self.id, number: 0 });
        demand!(!self.is_dropped.swap(true, SeqCst), "{self}: it was dropped twice");
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { plan, kind, spawned_at, .. } = self;
        let what = match self.is_dropped() {
            true => format!("goroutine {} was dropped", self.id),
            false => Event::unpack(self.last.load(SeqCst)).to_string(),
        };
        write!(f, "{what} ({kind:?}, {plan:?}, runtime {}", self.home.number)?;
        write!(f, ", spawned at {spawned_at}")?;
        f.write_str(if self.is_aborted() { ", aborted)" } else { ")" })
    }
}

/// All goroutines of a round.
#[derive(Default)]
pub(crate) struct Table {
    records: Mutex<Vec<Arc<Record>>>,
}

impl Table {
    #[track_caller]
    pub(crate) fn enter(&self, home: &Arc<Home>, kind: Kind, plan: Plan) -> Arc<Record> {
        let spawned_at = Location::caller();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let id = records.len() as u32;
        let last = AtomicU64::new(Event { step: Step::Queued, who: id, number: 0 }.pack());
        let record = Arc::new(Record {
            id,
            plan,
            kind,
            spawned_at,
            home: home.clone(),
            last,
            has_begun: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
            is_dropped: AtomicBool::new(false),
        });
        records.push(record.clone());
        record
    }

    pub(crate) fn len(&self) -> usize {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn left(&self) -> Vec<Arc<Record>> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().filter(|record| !record.is_dropped()).cloned().collect()
    }
}
