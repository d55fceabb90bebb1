//! The tracks of goroutines: what each did from its first event to its last.
//!
//! An event names a goroutine by its address, which another one may have when that has ended. Times do not quite
//! separate the two: the allocation is free a moment before the end of the last poll is recorded. So the lives of an
//! address are in a line. The first ends when the poll completes that had begun for it, or when a poll begins and
//! it is in one already.

#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};

use super::lanes::Poll;
use super::perfetto::{Flow, Mark, Perfetto, Track};
use super::sites::Sites;
use crate::scheduler::trace::event::Event;

/// So many goroutines have tracks of their own. A viewer becomes slow with many more.
const MOST_TRACKS: u64 = 10_000;

/// A goroutine, or a driver, which has no site and no track.
pub(super) struct Life {
    pub(super) number: u64,
    pub(super) site: usize,
    /// From the first change on that is written, if there are not too many.
    track: Option<Track>,
    is_written: bool,
    pub(super) is_running: bool,
    /// How many polls it has had.
    pub(super) polls: u64,
    pub(super) was_woken: bool,
    /// From its last wake.
    pub(super) flow: Option<Flow>,
}

pub(super) struct Lives {
    parent: Track,
    by_address: HashMap<usize, VecDeque<Life>>,
    /// How many there have been.
    born: u64,
    /// How many of them the file has.
    pub(super) written: u64,
}

impl Lives {
    pub(super) fn new(parent: Track) -> Self {
        Lives { parent, by_address: HashMap::new(), born: 0, written: 0 }
    }

    /// A goroutine is spawned.
    pub(super) fn spawned<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        sites: &mut Sites,
        event: &Event,
        flow: Flow,
    ) -> io::Result<()> {
        // A driver that had this address is gone. Its waker may be left, and have been called.
        if self.by_address.get(&event.subject).is_some_and(|line| line[0].site == 0) {
            self.by_address.remove(&event.subject);
        }
        let mut life = self.born(event.site);
        life.flow = Some(flow);
        self.written += life.change(file, sites, self.parent, self.written, event.at, "queued")?;
        self.by_address.entry(event.subject).or_default().push_back(life);
        Ok(())
    }

    /// Who is at the address of the event.
    pub(super) fn of(&mut self, event: &Event) -> &mut Life {
        if self.by_address.get(&event.subject).is_none_or(VecDeque::is_empty) {
            let life = self.born(event.site);
            self.by_address.entry(event.subject).or_default().push_back(life);
        }
        let line = self.by_address.get_mut(&event.subject).expect("it is there now");
        line.front_mut().expect("somebody is there now")
    }

    /// Whether that poll is the last of whom is there.
    pub(super) fn is_last(&self, event: &Event, poll: Poll) -> bool {
        let first = self.by_address.get(&event.subject).and_then(VecDeque::front);
        first.is_some_and(|life| life.number == poll.life && life.polls == poll.number)
    }

    /// Before a poll: if the first in the line is in one, that is over.
    pub(super) fn end_former<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        event: &Event,
    ) -> io::Result<()> {
        let is_over = |line: &VecDeque<Life>| line.len() > 1 && line[0].is_running;
        match self.by_address.get(&event.subject).is_some_and(is_over) {
            true => self.end(file, event),
            false => Ok(()),
        }
    }

    /// The file begins. Forgets those of whom it is not known whether they have ended.
    pub(super) fn begin<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        sites: &mut Sites,
        at: u64,
    ) -> io::Result<()> {
        self.by_address.values_mut().for_each(|line| line.retain(|life| life.is_running));
        self.by_address.retain(|_, line| !line.is_empty());
        for life in self.by_address.values_mut().flatten() {
            // It begins at what is not in the file.
            life.flow = None;
            self.written += life.change(file, sites, self.parent, self.written, at, "running")?;
        }
        Ok(())
    }

    /// What the goroutine does from now on.
    pub(super) fn change<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        sites: &mut Sites,
        event: &Event,
        name: &str,
    ) -> io::Result<()> {
        let (parent, written) = (self.parent, self.written);
        self.written += self.of(event).change(file, sites, parent, written, event.at, name)?;
        Ok(())
    }

    pub(super) fn end<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        event: &Event,
    ) -> io::Result<()> {
        let Some(line) = self.by_address.get_mut(&event.subject) else { return Ok(()) };
        let ended = line.pop_front();
        if line.is_empty() {
            self.by_address.remove(&event.subject);
        }
        match ended.and_then(|life| life.track) {
            Some(track) => file.event(track, event.at, Mark::End, None, None),
            None => Ok(()),
        }
    }

    fn born(&mut self, site: usize) -> Life {
        self.born += 1;
        Life {
            number: self.born,
            site,
            track: None,
            is_written: false,
            is_running: false,
            polls: 0,
            was_woken: false,
            flow: None,
        }
    }
}

impl Life {
    /// Returns how many goroutines have come into the file: one or none. There are `written` so far.
    fn change<W: Write>(
        &mut self,
        file: &mut Perfetto<W>,
        sites: &mut Sites,
        parent: Track,
        written: u64,
        at: u64,
        name: &str,
    ) -> io::Result<u64> {
        if file.is_muted || self.site == 0 {
            return Ok(0);
        }
        let is_new = !std::mem::replace(&mut self.is_written, true);
        if is_new && written < MOST_TRACKS {
            let name = format!("{} #{}", sites.name(self.site), written + 1);
            self.track = Some(file.track(parent, &name, written + 1)?);
        } else if let Some(track) = self.track {
            file.event(track, at, Mark::End, None, None)?;
        }
        if let Some(track) = self.track {
            file.event(track, at, Mark::Begin(name), None, None)?;
        }
        Ok(u64::from(is_new))
    }
}
