//! The waker of rare events: a task that looks for events only when it was raised misses none.
//!
//! Seen to fail, both, with "deadlock": with a `wake` that raises the flag before it locks; with an `is_raised`
//! that clears it after it has unlocked (those two were shipped once); and with a `wake` that does nothing if it
//! finds the flag raised.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::alert::Alert;
use crate::explore::{block, explore};

/// An event, which orders nothing by itself.
struct Event(AtomicBool);

impl Event {
    fn new() -> Arc<Self> {
        Arc::new(Event(AtomicBool::new(false)))
    }

    /// In a thread of its own.
    fn comes(self: &Arc<Self>, alert: &Alert) -> thread::JoinHandle<()> {
        let (event, waker) = (self.clone(), alert.waker().clone());
        thread::spawn(move || {
            event.0.store(true, Ordering::Relaxed);
            waker.wake();
        })
    }

    fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A task, with what it has seen of the events.
struct Task {
    alert: Alert,
    events: Vec<Arc<Event>>,
    seen: Vec<bool>,
}

impl Task {
    fn new(count: usize) -> Self {
        let events = (0..count).map(|_| Event::new()).collect();
        Task { alert: Alert::new(), events, seen: vec![false; count] }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        if self.alert.is_raised(&mut Context::from_waker(waker)) {
            self.seen = self.events.iter().map(|event| event.has_come()).collect();
        }
        if self.seen.iter().all(|seen| *seen) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn no_event_is_missed_beside_another_one() {
    explore(Some(3), || {
        let mut task = Task::new(2);
        let events = task.events.clone();
        let threads: Vec<_> = events.iter().map(|event| event.comes(&task.alert)).collect();
        block(|waker| task.poll(waker));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// As when the connection moves to another task, or the same one makes its wakers anew.
#[test]
fn no_event_is_missed_when_the_task_changes() {
    explore(Some(3), || {
        let mut task = Task::new(2);
        let events = task.events.clone();
        assert!(task.poll(Waker::noop()).is_pending());
        let threads: Vec<_> = events.iter().map(|event| event.comes(&task.alert)).collect();
        let _ = task.poll(Waker::noop());
        block(|waker| task.poll(waker));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
