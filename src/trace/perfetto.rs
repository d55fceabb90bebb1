//! A file of Perfetto's: tracks with slices, instants and counters on them, and flows between these.
//!
//! The format is described at <https://perfetto.dev/docs/reference/synthetic-track-event>. Names are
//! interned: each is in the file once, and has a number from then on.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, Write};

use super::protobuf::Message;
use super::schema;

/// All packets are of one sequence.
const SEQUENCE: u64 = 1;

/// A track in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Track(u64);

/// An arrow from one event to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow(pub(super) u64);

/// What an event of the file is.
#[derive(Clone, Copy)]
pub(super) enum Mark<'a> {
    Begin(&'a str),
    End,
    Instant(&'a str),
    Count(u64),
}

/// Writes a file.
pub(super) struct Perfetto<W> {
    out: W,
    tracks: u64,
    names: HashMap<String, u64>,
    packets: u64,
    /// It leaves events out.
    pub(super) is_muted: bool,
}

impl<W: Write> Perfetto<W> {
    pub(super) fn new(out: W) -> Self {
        Perfetto { out, tracks: 0, names: HashMap::new(), packets: 0, is_muted: false }
    }

    /// The track of the process, which all others are below.
    pub(super) fn process(&mut self, pid: u32, name: &str) -> io::Result<Track> {
        let process = Message::default()
            .number(schema::PROCESS_PID, u64::from(pid))
            .text(schema::PROCESS_NAME, name);
        let track = self.next_track();
        let descriptor = Message::default()
            .number(schema::TRACK_UUID, track.0)
            .message(schema::TRACK_PROCESS, &process)
            .number(schema::TRACK_CHILD_ORDERING, schema::BY_RANK);
        self.put_track(&descriptor)?;
        Ok(track)
    }

    /// A track below `parent`, at the place `rank` among the others there.
    pub(super) fn track(&mut self, parent: Track, name: &str, rank: u64) -> io::Result<Track> {
        let track = self.next_track();
        let descriptor = named(track, parent, name, rank);
        self.put_track(&descriptor.number(schema::TRACK_CHILD_ORDERING, schema::BY_RANK))?;
        Ok(track)
    }

    /// A track for counts.
    pub(super) fn counter(&mut self, parent: Track, name: &str, rank: u64) -> io::Result<Track> {
        let track = self.next_track();
        let descriptor = named(track, parent, name, rank);
        self.put_track(&descriptor.message(schema::TRACK_COUNTER, &Message::default()))?;
        Ok(track)
    }

    pub(super) fn event(
        &mut self,
        track: Track,
        at: u64,
        mark: Mark<'_>,
        flow: Option<Flow>,
        number: Option<(&str, u64)>,
    ) -> io::Result<()> {
        if self.is_muted {
            return Ok(());
        }
        let mut new_name = None;
        let mut event = Message::default().number(schema::EVENT_TRACK, track.0);
        event = match mark {
            Mark::Begin(name) => event
                .number(schema::EVENT_TYPE, schema::BEGIN)
                .number(schema::EVENT_NAME, self.intern(name, &mut new_name)),
            Mark::End => event.number(schema::EVENT_TYPE, schema::END),
            Mark::Instant(name) => event
                .number(schema::EVENT_TYPE, schema::INSTANT)
                .number(schema::EVENT_NAME, self.intern(name, &mut new_name)),
            Mark::Count(count) => {
                event.number(schema::EVENT_TYPE, schema::COUNT).number(schema::EVENT_COUNT, count)
            }
        };
        if let Some(Flow(flow)) = flow {
            event = event.fixed(schema::EVENT_FLOW, flow);
        }
        if let Some((name, number)) = number {
            let annotation = Message::default()
                .text(schema::ANNOTATION_NAME, name)
                .number(schema::ANNOTATION_NUMBER, number);
            event = event.message(schema::EVENT_ANNOTATION, &annotation);
        }
        let mut packet = Message::default().number(schema::PACKET_TIMESTAMP, at);
        if let Some(interned) = new_name {
            packet = packet.message(schema::PACKET_INTERNED_DATA, &interned);
        }
        self.put(packet.message(schema::PACKET_TRACK_EVENT, &event))
    }

    /// How many packets it has written.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.packets)
    }

    /// The number of `name`. If it is new, `data` tells the reader.
    fn intern(&mut self, name: &str, data: &mut Option<Message>) -> u64 {
        if let Some(&number) = self.names.get(name) {
            return number;
        }
        let number = self.names.len() as u64 + 1;
        self.names.insert(name.to_owned(), number);
        let entry = Message::default()
            .number(schema::INTERNED_NUMBER, number)
            .text(schema::INTERNED_NAME, name);
        *data = Some(Message::default().message(schema::INTERNED_EVENT_NAMES, &entry));
        number
    }

    fn next_track(&mut self) -> Track {
        self.tracks += 1;
        Track(self.tracks)
    }

    fn put_track(&mut self, descriptor: &Message) -> io::Result<()> {
        self.put(Message::default().message(schema::PACKET_TRACK_DESCRIPTOR, descriptor))
    }

    fn put(&mut self, packet: Message) -> io::Result<()> {
        let flags = if self.packets == 0 { schema::INTERNS_ANEW } else { schema::NEEDS_INTERNED };
        self.packets += 1;
        let packet = packet
            .number(schema::PACKET_SEQUENCE_ID, SEQUENCE)
            .number(schema::PACKET_SEQUENCE_FLAGS, flags);
        let file = Message::default().message(schema::TRACE_PACKET, &packet);
        self.out.write_all(file.as_bytes())
    }
}

fn named(Track(track): Track, Track(parent): Track, name: &str, rank: u64) -> Message {
    Message::default()
        .number(schema::TRACK_UUID, track)
        .number(schema::TRACK_PARENT, parent)
        .text(schema::TRACK_NAME, name)
        .number(schema::TRACK_RANK, rank)
}
