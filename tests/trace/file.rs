//! A trace's file, as whoever knows Protocol Buffers and Perfetto's schema reads it.

use std::collections::HashMap;

/// A track, by its name and that of its parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Track {
    pub(crate) parent: Option<u64>,
    pub(crate) name: String,
    pub(crate) is_counter: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Begin,
    End,
    Instant,
    Count(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) track: u64,
    pub(crate) at: u64,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) flows: Vec<u64>,
    pub(crate) numbers: Vec<(String, u64)>,
}

#[derive(Default)]
pub(crate) struct File {
    pub(crate) packets: u64,
    pub(crate) tracks: HashMap<u64, Track>,
    pub(crate) events: Vec<Event>,
}

/// What a slice of a track was, in the order of their ends. `None`: it has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) name: String,
    pub(crate) end: Option<u64>,
    pub(crate) depth: usize,
}

impl File {
    pub(crate) fn parse(bytes: &[u8]) -> File {
        let mut file = File::default();
        let mut names = HashMap::new();
        for (number, packet) in fields(bytes) {
            assert_eq!(number, 1, "a trace has packets");
            let packet = Fields::of(packet);
            file.packets += 1;
            assert_eq!(packet.number(10), Some(1), "one sequence");
            let flags = if file.packets == 1 { 1 } else { 2 };
            assert_eq!(packet.number(13), Some(flags), "whether names are known");
            if let Some(interned) = packet.message(12) {
                for name in interned.messages(2) {
                    let new = names.insert(name.number(1).unwrap(), name.text(2).unwrap());
                    assert_eq!(new, None, "a name has one number");
                }
            }
            if let Some(track) = packet.message(60) {
                file.add_track(&track);
            }
            if let Some(event) = packet.message(11) {
                file.add_event(packet.number(8).unwrap(), &event, &names);
            }
        }
        file
    }

    fn add_track(&mut self, track: &Fields<'_>) {
        let parent = track.number(5);
        assert!(parent.is_none_or(|parent| self.tracks.contains_key(&parent)));
        let name = track.text(2).or_else(|| track.message(3)?.text(6)).unwrap();
        let is_counter = track.message(8).is_some();
        let new = self.tracks.insert(track.number(1).unwrap(), Track { parent, name, is_counter });
        assert_eq!(new, None, "a track has one number");
    }

    fn add_event(&mut self, at: u64, event: &Fields<'_>, names: &HashMap<u64, String>) {
        let track = event.number(11).unwrap();
        let kind = match event.number(9).unwrap() {
            1 => Kind::Begin,
            2 => Kind::End,
            3 => Kind::Instant,
            4 => Kind::Count(event.number(30).unwrap()),
            other => panic!("type {other}"),
        };
        assert_eq!(self.tracks[&track].is_counter, matches!(kind, Kind::Count(_)));
        let name = event.number(10).map(|number| names[&number].clone()).unwrap_or_default();
        assert_eq!(name.is_empty(), matches!(kind, Kind::End | Kind::Count(_)), "{kind:?}");
        let number =
            |annotation: Fields<'_>| (annotation.text(10).unwrap(), annotation.number(3).unwrap());
        let numbers = event.messages(4).map(number).collect();
        let flows = event.fixed(47);
        self.events.push(Event { track, at, kind, name, flows, numbers });
    }

    /// The tracks with this name.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u64> + 'a {
        self.tracks.iter().filter(move |(_, track)| track.name == name).map(|(track, _)| *track)
    }

    /// The tracks below that with this name.
    pub(crate) fn below<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u64> + 'a {
        let parent = self.named(name).next();
        self.tracks
            .iter()
            .filter(move |(_, track)| parent.is_some() && track.parent == parent)
            .map(|(track, _)| *track)
    }

    pub(crate) fn instants<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Event> + 'a {
        self.events
            .iter()
            .filter(move |event| event.kind == Kind::Instant && event.name.starts_with(name))
    }

    /// The slices of a track, in the order of their begins. Panics if an end has no begin, or time goes back.
    pub(crate) fn slices(&self, track: u64) -> Vec<Slice> {
        slices(self.events.iter().filter(|event| event.track == track))
    }

    /// Those of each track below that with this name.
    pub(crate) fn slices_below<'a>(&'a self, name: &'a str) -> Vec<Vec<Slice>> {
        let mut by_track: HashMap<u64, Vec<&Event>> =
            self.below(name).map(|track| (track, Vec::new())).collect();
        for event in &self.events {
            by_track.entry(event.track).and_modify(|events| events.push(event));
        }
        by_track.into_values().map(slices).collect()
    }

    /// The begins of polls of goroutines that this test has spawned, on workers.
    pub(crate) fn polls(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| {
            let is_on_worker = self.tracks[&event.track].name.starts_with("worker ");
            is_on_worker && event.kind == Kind::Begin && event.name.starts_with("tests/trace.rs:")
        })
    }

    pub(crate) fn all_slices(&self) -> Vec<Slice> {
        let mut by_track = HashMap::<u64, Vec<&Event>>::new();
        self.events.iter().for_each(|event| by_track.entry(event.track).or_default().push(event));
        by_track.into_values().flat_map(slices).collect()
    }
}

fn slices<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Slice> {
    let (mut slices, mut open, mut last) = (Vec::<Slice>::new(), Vec::new(), 0);
    for event in events {
        assert!(event.at >= last, "time goes back on a track: {event:?} after {last}");
        last = event.at;
        match event.kind {
            Kind::Begin => {
                open.push(slices.len());
                let (name, depth) = (event.name.clone(), open.len());
                slices.push(Slice { name, end: None, depth });
            }
            Kind::End => {
                let slice: usize = open.pop().expect("an end has a begin");
                slices[slice].end = Some(event.at);
            }
            Kind::Instant | Kind::Count(_) => {}
        }
    }
    slices
}

/// The fields of a message.
struct Fields<'a>(Vec<(u64, &'a [u8])>);

impl<'a> Fields<'a> {
    fn of(message: &'a [u8]) -> Self {
        Fields(fields(message))
    }

    fn of_number(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |field| field.0 == number).map(|field| field.1)
    }

    fn one(&self, number: u64) -> Option<&'a [u8]> {
        let mut values = self.of_number(number);
        let first = values.next();
        assert!(values.next().is_none(), "field {number} is there once");
        first
    }

    fn number(&self, number: u64) -> Option<u64> {
        self.one(number).map(|mut value| varint(&mut value))
    }

    fn fixed(&self, number: u64) -> Vec<u64> {
        self.of_number(number).map(|value| u64::from_le_bytes(value.try_into().unwrap())).collect()
    }

    fn text(&self, number: u64) -> Option<String> {
        self.one(number).map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    fn message(&self, number: u64) -> Option<Fields<'a>> {
        self.one(number).map(Fields::of)
    }

    fn messages(&self, number: u64) -> impl Iterator<Item = Fields<'a>> {
        self.of_number(number).map(Fields::of)
    }
}

/// Each field's number, and its bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => message.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1,
            1 => 8,
            2 => varint(&mut message) as usize,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = message.split_at(length);
        fields.push((key >> 3, value));
        message = rest;
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a number ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
