//! From the events of a runtime to the tracks of a file.
//!
//! There are two kinds of tracks. That of a thread shows what ran there: polls, named after the place where the
//! goroutine was spawned, and sleeps. That of a goroutine shows what it did: it ran, it waited for an operation,
//! it waited for a worker. An arrow leads from a wake, or a spawn, to the poll that it caused.
//!
//! The file begins where the events of all threads are complete. What had begun before on a thread and goes on
//! is shown as well: one that holds its thread is what one looks for.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, Write};

use super::lanes::{Lanes, Poll, Slice, SliceKind};
use super::lives::Lives;
use super::perfetto::{Flow, Mark, Perfetto, Track};
use super::recorded::{Recorded, Thread};
use super::sites::{self, Sites};
use crate::scheduler::trace::event::{Event, EventKind};

/// Where these stand among the tracks.
const COUNTS: u64 = 1 << 21;
const GOROUTINES: u64 = 1 << 22;

pub(super) struct Timeline<W> {
    file: Perfetto<W>,
    process: Track,
    lanes: Lanes,
    lives: Lives,
    counts: HashMap<&'static str, Track>,
    sites: Sites,
    flows: u64,
}

impl<W: Write> Timeline<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut file = Perfetto::new(out);
        let program = std::env::args_os().next().unwrap_or_default();
        let process = file.process(std::process::id(), &program.to_string_lossy())?;
        let goroutines = file.track(process, "goroutines", GOROUTINES)?;
        Ok(Timeline {
            file,
            process,
            lanes: Lanes::new(process),
            lives: Lives::new(goroutines),
            counts: HashMap::new(),
            sites: Sites::default(),
            flows: 0,
        })
    }

    pub(super) fn write(&mut self, recorded: &Recorded) -> io::Result<()> {
        self.file.is_muted = true;
        for (thread, event) in recorded.incomplete() {
            self.add(*thread, event)?;
        }
        self.file.is_muted = false;
        self.lives.begin(&mut self.file, &mut self.sites, recorded.begin())?;
        self.lanes.write_open(&mut self.file)?;
        for (thread, event) in recorded.complete() {
            self.add(*thread, event)?;
        }
        Ok(())
    }

    /// How many goroutines the file has.
    pub(super) fn goroutines(&self) -> u64 {
        self.lives.written
    }

    /// Returns how many packets the file has.
    pub(super) fn finish(self) -> io::Result<u64> {
        self.file.finish()
    }

    fn add(&mut self, thread: Thread, event: &Event) -> io::Result<()> {
        match event.kind {
            EventKind::Spawned => self.spawned(thread, event),
            EventKind::Woken => self.woken(thread, event),
            EventKind::PollBegins => self.poll_begins(thread, event),
            EventKind::PollGoesOn => match self.lanes.has_open(thread, SliceKind::Poll) {
                true => Ok(()),
                false => self.poll_begins(thread, event),
            },
            EventKind::PollEnds => self.poll_ends(thread, event),
            EventKind::PollCompletes => self.poll_completes(thread, event),
            EventKind::Panicked => self.instant(thread, event, "panic", None),
            EventKind::Cancelled => self.instant(thread, event, "cancelled", None),
            EventKind::DrivePollBegins => {
                let has_waited = self.close_drive(thread, SliceKind::DriveWait, event)?;
                // Before its first poll nobody has woken it, but another one perhaps that was there.
                let flow = self.lives.of(event).flow.take().filter(|_| has_waited);
                self.open_drive(thread, event, flow)
            }
            EventKind::DriveGoesOn => match self.lanes.has_open(thread, SliceKind::Drive) {
                true => Ok(()),
                false => self.open_drive(thread, event, None),
            },
            EventKind::DrivePollEnds => {
                self.close_drive(thread, SliceKind::Drive, event)?;
                let name = sites::wait(event.activity);
                self.open(thread, SliceKind::DriveWait, event, &name, None)
            }
            EventKind::DriveEnds => {
                self.lives.end(&mut self.file, event)?;
                if !self.close_drive(thread, SliceKind::Drive, event)? {
                    self.close_drive(thread, SliceKind::DriveWait, event)?;
                }
                Ok(())
            }
            EventKind::SleepBegins => {
                let name = if event.subject == 1 { "sleep, as the poller" } else { "sleep" };
                self.open(thread, SliceKind::Sleep, event, name, None)
            }
            EventKind::SleepEnds => self.close(thread, SliceKind::Sleep, event),
            EventKind::BlockingBegins => {
                self.open(thread, SliceKind::Blocking, event, "blocking", None)
            }
            EventKind::BlockingEnds => self.close(thread, SliceKind::Blocking, event),
            EventKind::CallBegins => self.open(thread, SliceKind::Call, event, "wakers", None),
            EventKind::CallEnds => self.close(thread, SliceKind::Call, event),
            EventKind::Stolen => self.instant(thread, event, "steal", Some("goroutines")),
            EventKind::TimersFired => self.instant(thread, event, "timers", Some("count")),
            EventKind::IoReady => self.instant(thread, event, "sockets ready", Some("count")),
            EventKind::WrittenOff => self.instant(thread, event, "stuck", Some("worker")),
            EventKind::ThreadBegins => self.instant(thread, event, "thread begins", None),
            EventKind::ThreadEnds => self.instant(thread, event, "thread ends", None),
            EventKind::SpanBegins => {
                let name = self.sites.given(event.subject).to_owned();
                self.open(thread, SliceKind::Span, event, &name, None)
            }
            EventKind::SpanEnds => self.lanes.close_span(&mut self.file, thread, event),
            EventKind::Noted => {
                let name = self.sites.given(event.subject).to_owned();
                self.instant(thread, event, &name, None)
            }
            EventKind::Clock => unreachable!("it is not passed on"),
            EventKind::Goroutines => self.count("number of goroutines", event),
            EventKind::Queued => self.count("goroutines that wait for a worker", event),
            EventKind::Awake => self.count("workers awake", event),
        }
    }

    fn spawned(&mut self, thread: Thread, event: &Event) -> io::Result<()> {
        let flow = self.start_flow(thread, event, "spawn")?;
        self.lives.spawned(&mut self.file, &mut self.sites, event, flow)
    }

    fn woken(&mut self, thread: Thread, event: &Event) -> io::Result<()> {
        let flow = self.start_flow(thread, event, "wake")?;
        let life = self.lives.of(event);
        life.flow = Some(flow);
        if life.is_running {
            life.was_woken = true;
            return Ok(());
        }
        self.change(event, "queued")
    }

    fn poll_begins(&mut self, thread: Thread, event: &Event) -> io::Result<()> {
        self.lives.end_former(&mut self.file, event)?;
        let life = self.lives.of(event);
        life.site = event.site;
        if life.is_running && life.was_woken {
            // The end of its last poll comes later, from another worker.
            self.change(event, "queued")?;
        }
        let life = self.lives.of(event);
        (life.is_running, life.was_woken) = (true, false);
        life.polls += 1;
        let flow = life.flow.take();
        let poll = Some(Poll { life: life.number, number: life.polls });
        self.change(event, "running")?;
        let name = self.sites.name(event.site).to_owned();
        let (since, subject) = (event.at, event.subject);
        let slice = Slice { kind: SliceKind::Poll, name, since, poll, subject };
        self.lanes.open(&mut self.file, thread, slice, flow)
    }

    fn poll_ends(&mut self, thread: Thread, event: &Event) -> io::Result<()> {
        if !self.close_poll(thread, event)? {
            return Ok(());
        }
        let life = self.lives.of(event);
        life.is_running = false;
        match life.was_woken {
            true => self.change(event, "queued"),
            false => self.change(event, &sites::wait(event.activity)),
        }
    }

    fn poll_completes(&mut self, thread: Thread, event: &Event) -> io::Result<()> {
        match self.close_poll(thread, event)? {
            true => self.lives.end(&mut self.file, event),
            false => Ok(()),
        }
    }

    /// Returns whether it was the last one of the goroutine that is at the address now. Another worker may
    /// have begun the next one before this end is recorded.
    fn close_poll(&mut self, thread: Thread, event: &Event) -> io::Result<bool> {
        let is_so = |slice: &Slice| slice.kind == SliceKind::Poll;
        let closed = self.lanes.close(&mut self.file, thread, is_so, event.at)?;
        let poll = closed.and_then(|slice| slice.poll);
        Ok(poll.is_none_or(|poll| self.lives.is_last(event, poll)))
    }

    /// An arrow begins at what a thread does.
    fn start_flow(&mut self, thread: Thread, event: &Event, what: &str) -> io::Result<Flow> {
        self.flows += 1;
        let flow = Flow(self.flows);
        let name = match event.site {
            0 => what.to_owned(),
            site => format!("{what} {}", self.sites.name(site)),
        };
        self.lanes.instant(&mut self.file, thread, event.at, &name, Some(flow), None)?;
        Ok(flow)
    }

    fn open_drive(&mut self, thread: Thread, event: &Event, flow: Option<Flow>) -> io::Result<()> {
        let is_inner = self.lanes.has_open(thread, SliceKind::Drive);
        let is_main = thread == Thread::Main && !is_inner;
        let name = if is_main { "main" } else { "block_on" };
        self.open(thread, SliceKind::Drive, event, name, flow)
    }

    fn change(&mut self, event: &Event, name: &str) -> io::Result<()> {
        self.lives.change(&mut self.file, &mut self.sites, event, name)
    }

    fn open(
        &mut self,
        thread: Thread,
        kind: SliceKind,
        event: &Event,
        name: &str,
        flow: Option<Flow>,
    ) -> io::Result<()> {
        let (since, subject) = (event.at, event.subject);
        let slice = Slice { kind, name: name.to_owned(), since, poll: None, subject };
        self.lanes.open(&mut self.file, thread, slice, flow)
    }

    fn close(&mut self, thread: Thread, kind: SliceKind, event: &Event) -> io::Result<()> {
        self.lanes.close(&mut self.file, thread, |slice| slice.kind == kind, event.at)?;
        Ok(())
    }

    /// Returns whether the driver was in that.
    fn close_drive(&mut self, thread: Thread, kind: SliceKind, event: &Event) -> io::Result<bool> {
        let is_so = |slice: &Slice| slice.kind == kind && slice.subject == event.subject;
        Ok(self.lanes.close(&mut self.file, thread, is_so, event.at)?.is_some())
    }

    fn instant(
        &mut self,
        thread: Thread,
        event: &Event,
        name: &str,
        number: Option<&str>,
    ) -> io::Result<()> {
        let number = number.map(|what| (what, event.subject as u64));
        self.lanes.instant(&mut self.file, thread, event.at, name, None, number)
    }

    fn count(&mut self, name: &'static str, event: &Event) -> io::Result<()> {
        let track = match self.counts.get(name) {
            Some(track) => *track,
            None => self.file.counter(self.process, name, COUNTS + self.counts.len() as u64)?,
        };
        self.counts.insert(name, track);
        self.file.event(track, event.at, Mark::Count(event.subject as u64), None, None)
    }
}
