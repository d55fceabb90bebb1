//! Values that know where they may be dropped.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

/// What came of the values, and of everything else that was not to happen.
#[derive(Default)]
pub(crate) struct Ledger {
    alive: Arc<()>,
    wrong: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn value(self: &Arc<Self>) -> Value {
        Value { fate: Arc::default(), ledger: self.clone(), _alive: self.alive.clone() }
    }

    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.alive) - 1
    }

    pub(crate) fn note(&self, what: impl Into<String>) {
        self.wrong.lock().unwrap().push(what.into());
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

pub(crate) struct Value {
    fate: Arc<Fate>,
    ledger: Arc<Ledger>,
    _alive: Arc<()>,
}

/// Where a value is.
#[derive(Default)]
pub(crate) struct Fate(AtomicU8);

/// With its sender, or in the channel.
const FLYING: u8 = 0;
/// A send has said `Ok`.
const SENT: u8 = 1;
const RECEIVED: u8 = 2;
/// Its sender has it again.
const RETURNED: u8 = 3;
/// Its sender is being dropped.
const LEAVING: u8 = 4;

impl Value {
    pub(crate) fn fate(&self) -> Arc<Fate> {
        self.fate.clone()
    }

    pub(crate) fn receive(self) {
        match self.fate.0.swap(RECEIVED, Ordering::SeqCst) {
            FLYING | SENT | LEAVING => {}
            _ => self.ledger.note("a value was received that was not sent"),
        }
    }

    /// By a send that says that it has not sent it.
    pub(crate) fn come_back(self) {
        if self.fate.0.swap(RETURNED, Ordering::SeqCst) != FLYING {
            self.ledger.note("a value came back that had been sent");
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        match self.fate.0.load(Ordering::SeqCst) {
            FLYING => self.ledger.note("a value was lost"),
            SENT => self.ledger.note("a value was lost whose send had said Ok"),
            _ => {}
        }
    }
}

impl Fate {
    pub(crate) fn sent(&self) {
        self.change(FLYING, SENT);
    }

    /// Calls `leave`, which drops a send, with its value unless that was sent.
    pub(crate) fn leave(fates: &[Arc<Fate>], leave: impl FnOnce()) {
        fates.iter().for_each(|fate| fate.change(FLYING, LEAVING));
        leave();
        fates.iter().for_each(|fate| fate.change(LEAVING, FLYING));
    }

    fn change(&self, from: u8, to: u8) {
        let _ = self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
    }
}
