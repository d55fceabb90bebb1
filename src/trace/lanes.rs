//! The tracks of threads: what each did, one inside the other.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, Write};

use super::perfetto::{Flow, Mark, Perfetto, Track};
use super::recorded::Thread;
use crate::scheduler::trace::event::Event;

/// Where the monitor stands among the tracks, behind all workers.
const AFTER_WORKERS: u64 = 1 << 20;

/// What a thread does for a while.
pub(super) struct Slice {
    pub(super) kind: SliceKind,
    pub(super) name: String,
    pub(super) since: u64,
    /// If it is a poll of a goroutine, which one.
    pub(super) poll: Option<Poll>,
    /// The address of what is polled, or of a span's name.
    pub(super) subject: usize,
}

/// A poll: the number of the life that it belongs to, and its own in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Poll {
    pub(super) life: u64,
    pub(super) number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SliceKind {
    Poll,
    Drive,
    /// Between two polls of what it drives.
    DriveWait,
    Sleep,
    Blocking,
    Call,
    Span,
}

impl SliceKind {
    /// A future is polled, or waits for that.
    fn is_poll(self) -> bool {
        matches!(self, SliceKind::Poll | SliceKind::Drive | SliceKind::DriveWait)
    }
}

struct Lane {
    track: Track,
    open: Vec<Slice>,
}

pub(super) struct Lanes {
    process: Track,
    lanes: HashMap<Thread, Lane>,
}

impl Lanes {
    pub(super) fn new(process: Track) -> Self {
        Lanes { process, lanes: HashMap::new() }
    }

    pub(super) fn open<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        thread: Thread,
        slice: Slice,
        flow: Option<Flow>,
    ) -> io::Result<()> {
        let lane = self.lane(file, thread)?;
        file.event(lane.track, slice.since, Mark::Begin(&slice.name), flow, None)?;
        lane.open.push(slice);
        Ok(())
    }

    /// Ends the innermost slice that is so, and what is inside it. `None`: it began before all events that are
    /// left.
    pub(super) fn close<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        thread: Thread,
        is_so: impl Fn(&Slice) -> bool,
        at: u64,
    ) -> io::Result<Option<Slice>> {
        let lane = self.lane(file, thread)?;
        let Some(place) = lane.open.iter().rposition(is_so) else { return Ok(None) };
        for _ in place..lane.open.len() {
            file.event(lane.track, at, Mark::End, None, None)?;
        }
        Ok(lane.open.drain(place..).next())
    }

    /// Ends a span in the innermost poll. What has begun in it and goes on begins anew: spans need not be inside one
    /// another.
    pub(super) fn close_span<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        thread: Thread,
        event: &Event,
    ) -> io::Result<()> {
        let lane = self.lane(file, thread)?;
        let is_poll = |slice: &Slice| slice.kind.is_poll();
        let poll = lane.open.iter().rposition(is_poll).map_or(0, |poll| poll + 1);
        let is_it = |slice: &Slice| slice.kind == SliceKind::Span && slice.subject == event.subject;
        let Some(place) = lane.open[poll..].iter().rposition(is_it) else { return Ok(()) };
        let place = poll + place;
        for _ in place..lane.open.len() {
            file.event(lane.track, event.at, Mark::End, None, None)?;
        }
        lane.open.remove(place);
        for slice in &mut lane.open[place..] {
            slice.since = event.at;
            file.event(lane.track, event.at, Mark::Begin(&slice.name), None, None)?;
        }
        Ok(())
    }

    pub(super) fn instant<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        thread: Thread,
        at: u64,
        name: &str,
        flow: Option<Flow>,
        number: Option<(&str, u64)>,
    ) -> io::Result<()> {
        let track = self.lane(file, thread)?.track;
        file.event(track, at, Mark::Instant(name), flow, number)
    }

    /// Whether the thread does that at present.
    pub(super) fn has_open(&self, thread: Thread, kind: SliceKind) -> bool {
        let lane = self.lanes.get(&thread);
        lane.is_some_and(|lane| lane.open.iter().any(|slice| slice.kind == kind))
    }

    /// Writes the begins of those that have not ended.
    pub(super) fn write_open<W: Write>(&self, file: &mut Perfetto<W>) -> io::Result<()> {
        for lane in self.lanes.values() {
            for slice in &lane.open {
                file.event(lane.track, slice.since, Mark::Begin(&slice.name), None, None)?;
            }
        }
        Ok(())
    }

    fn lane<W: Write>(&mut self, file: &mut Perfetto<W>, thread: Thread) -> io::Result<&mut Lane> {
        if !self.lanes.contains_key(&thread) {
            let (name, rank) = match thread {
                Thread::Main => ("main".to_owned(), 1),
                Thread::Worker(index) => (format!("worker {index}"), 2 + index as u64),
                Thread::Monitor => ("monitor".to_owned(), AFTER_WORKERS),
                Thread::Other(number) => (format!("thread {number}"), AFTER_WORKERS + 1),
            };
            let track = file.track(self.process, &name, rank)?;
            self.lanes.insert(thread, Lane { track, open: Vec::new() });
        }
        Ok(self.lanes.get_mut(&thread).expect("it is there now"))
    }
}
