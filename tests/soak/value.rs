//! What channels carry: each value knows what has become of it.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use super::failure::{demand, fail};

const SENT: u8 = 1;
const RECEIVED: u8 = 2;
const REFUSED: u8 = 4;
const DROPPED: u8 = 8;
/// Its channel may end with values in it, which are dropped then.
const MAY_GO_DOWN: u8 = 16;

const CHUNK: usize = 1 << 12;
const CHUNKS: usize = 1 << 11;

/// The fates of all values of a round.
pub(crate) struct Fates {
    chunks: Box<[OnceLock<Box<[AtomicU8]>>]>,
    next: AtomicUsize,
}

impl Fates {
    pub(crate) fn new() -> Arc<Self> {
        let chunks = (0..CHUNKS).map(|_| OnceLock::new()).collect();
        Arc::new(Fates { chunks, next: AtomicUsize::new(0) })
    }

    pub(crate) fn value(self: &Arc<Self>) -> Value {
        self.make(0)
    }

    /// For a channel that does not last as long as the round.
    pub(crate) fn perishable(self: &Arc<Self>) -> Value {
        self.make(MAY_GO_DOWN)
    }

    fn make(self: &Arc<Self>, flags: u8) -> Value {
        let id = self.next.fetch_add(1, SeqCst);
        demand!(id < CHUNK * CHUNKS, "the round has made too many values");
        self.of(id).store(flags, SeqCst);
        Value { fates: self.clone(), id }
    }

    fn of(&self, id: usize) -> &AtomicU8 {
        let chunk =
            self.chunks[id / CHUNK].get_or_init(|| (0..CHUNK).map(|_| AtomicU8::new(0)).collect());
        &chunk[id % CHUNK]
    }

    fn note(&self, id: usize, fate: u8, forbidden: u8) {
        let before = self.of(id).fetch_or(fate, SeqCst);
        demand!(
            before & (forbidden | fate) == 0,
            "value {id} was {}, and now {}",
            names(before),
            names(fate)
        );
    }

    pub(crate) fn sent(&self, id: usize) {
        self.note(id, SENT, REFUSED);
    }

    /// Its send has elapsed: it was not sent, and never arrives.
    pub(crate) fn elapsed(&self, id: usize) {
        self.note(id, REFUSED, SENT | RECEIVED);
    }

    pub(crate) fn made(&self) -> usize {
        self.next.load(SeqCst)
    }

    /// When nobody has any value any more.
    pub(crate) fn check(&self) {
        for id in 0..self.made() {
            let fate = self.of(id).load(SeqCst);
            demand!(fate & DROPPED != 0, "value {id} is left somewhere: {}", names(fate));
            demand!(
                fate & (SENT | RECEIVED | MAY_GO_DOWN) != SENT,
                "value {id} was lost: {}",
                names(fate)
            );
        }
    }
}

fn names(fate: u8) -> String {
    let all = [
        (SENT, "sent"),
        (RECEIVED, "received"),
        (REFUSED, "refused"),
        (DROPPED, "dropped"),
        (MAY_GO_DOWN, "with leave to go down with its channel"),
    ];
    let names = all.iter().filter(|(bit, _)| fate & bit != 0).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(", ")
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "value {}", self.id)
    }
}

pub(crate) struct Value {
    fates: Arc<Fates>,
    id: usize,
}

impl Value {
    /// Values that one goroutine makes have increasing numbers.
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn receive(self) {
        self.fates.note(self.id, RECEIVED, REFUSED | DROPPED);
    }

    /// A send has given it back.
    pub(crate) fn refuse(self) {
        self.fates.note(self.id, REFUSED, SENT | RECEIVED | DROPPED);
    }

    /// As if a receiver had it twice.
    pub(crate) fn receive_twice(self) {
        self.fates.note(self.id, RECEIVED, REFUSED | DROPPED);
        self.receive();
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.fates.note(self.id, DROPPED, 0);
    }
}
