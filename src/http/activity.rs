//! What a connection does, as far as its time limits need to know.
//!
//! A request must not cost a timer, nor a look at the clock. So the connection's goroutine looks here
//! from time to time, and the rest only leaves notes. A limit is exceeded when several looks in a row have
//! found none: between one and one and a half times the limit after the last thing that was done.
//!
//! As long as a handler, or the body of its answer, has something to do, there is no limit. When `hyper`
//! has what they have made, and does not ask for more, then it is the peer's turn, which has to take it:
//! then bytes have to leave. So an answer of any size arrives at any speed, and a peer that takes none of
//! it for too long is not waited for.
//!
//! What belongs to a head is a guess: bytes that come after a request without a body, with HTTP/1. If
//! the beginning of a head comes together with the request before it, or after one with a body, the
//! connection counts as idle.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Looks within a limit.
const LOOKS: u32 = 2;

/// With HTTP/2, a shorter write has perhaps only answered a ping.
const LONGEST_PONG: usize = 64;

/// Only `in_work` is changed by other goroutines than the connection's, with HTTP/2.
pub(super) struct Activity {
    /// Handlers and bodies of answers that have something to do.
    in_work: AtomicUsize,
    /// There was a request.
    has_begun: AtomicBool,
    /// Since the last look the connection has been used.
    is_used: AtomicBool,
    /// Bytes that come may belong to the head of a request.
    is_before_head: AtomicBool,
    /// Such bytes have come.
    is_in_head: AtomicBool,
    /// A write of more bytes than this is part of an answer.
    negligible: AtomicUsize,
}

/// A request, as far as it says what comes after it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// HTTP/1, without a body.
    Whole,
    /// HTTP/1. The body may be read longer than the answer is written.
    WithBody,
    /// HTTP/2.
    Stream,
    /// HTTP/2, to a stream of bytes for any purpose.
    Tunnel,
}

/// A handler, then the body of its answer.
pub(super) struct Work {
    activity: Arc<Activity>,
    /// It has something to do.
    is_on: bool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Activity {
            in_work: AtomicUsize::new(0),
            has_begun: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            is_before_head: AtomicBool::new(true),
            is_in_head: AtomicBool::new(false),
            negligible: AtomicUsize::new(usize::MAX),
        }
    }

    /// A request has come, by the connection's goroutine.
    pub(super) fn begin(self: &Arc<Self>, kind: Kind) -> Work {
        self.has_begun.store(true, Relaxed);
        self.is_used.store(true, Relaxed);
        self.is_in_head.store(false, Relaxed);
        self.is_before_head.store(matches!(kind, Kind::Whole), Relaxed);
        match kind {
            // A tunnel stays, whatever comes beside it.
            Kind::Stream if self.negligible.load(Relaxed) == 0 => {}
            Kind::Stream => self.negligible.store(LONGEST_PONG, Relaxed),
            Kind::Whole | Kind::WithBody | Kind::Tunnel => self.negligible.store(0, Relaxed),
        }
        // As long as an earlier answer has not left, `hyper` does not ask the handler: it is the peer's turn.
        Work { activity: self.clone(), is_on: false }
    }

    /// Bytes have come.
    pub(super) fn note_read(&self) {
        if self.is_before_head.load(Relaxed) {
            self.is_in_head.store(true, Relaxed);
        } else if self.negligible.load(Relaxed) == 0 {
            self.is_used.store(true, Relaxed);
        }
    }

    /// The peer takes so many bytes.
    pub(super) fn note_written(&self, count: usize) {
        if count > self.negligible.load(Relaxed) {
            self.is_used.store(true, Relaxed);
        }
    }
}

impl Work {
    /// It has something to do again.
    pub(super) fn go_on(&mut self) {
        if !mem::replace(&mut self.is_on, true) {
            self.activity.in_work.fetch_add(1, Relaxed);
        }
    }

    /// It has done what it was asked for.
    pub(super) fn rest(&mut self) {
        if mem::replace(&mut self.is_on, false) {
            self.activity.in_work.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.rest();
    }
}

/// How long a connection may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For the head of a request, from the first byte, and for the first request, from the start.
    pub(super) header: Option<Duration>,
    /// Without being used.
    pub(super) idle: Option<Duration>,
}

impl Limits {
    /// The time between two looks, if there is a limit.
    pub(super) fn interval(&self) -> Option<Duration> {
        let shortest = self.header.into_iter().chain(self.idle).min()?;
        Some((shortest / LOOKS).max(Duration::from_millis(1)))
    }
}

/// Looks at a connection in intervals.
pub(super) struct Observer {
    activity: Arc<Activity>,
    limits: Limits,
    interval: Duration,
    /// As of the last look.
    was_in_head: bool,
    /// So many looks have seen nothing.
    quiet: u32,
    /// A limit was exceeded.
    is_closing: bool,
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoesOn,
    /// It has exceeded a limit, and should end politely.
    Closes,
    /// It has not done so.
    Ends,
}

impl Observer {
    pub(super) fn new(activity: Arc<Activity>, limits: Limits, interval: Duration) -> Self {
        Observer { activity, limits, interval, was_in_head: false, quiet: 0, is_closing: false }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn look(&mut self) -> Verdict {
        let activity = &self.activity;
        let has_begun = activity.has_begun.load(Relaxed);
        let is_in_head = activity.is_in_head.load(Relaxed);
        let is_new_head = is_in_head && !self.was_in_head && has_begun;
        self.was_in_head = is_in_head;
        let is_used = activity.is_used.swap(false, Relaxed);
        if activity.in_work.load(Relaxed) > 0 || is_used || is_new_head {
            self.quiet = 0;
            return Verdict::GoesOn;
        }
        if self.is_closing {
            return Verdict::Ends;
        }
        self.quiet += 1;
        let Limits { header, idle } = self.limits;
        let limit = if has_begun && !is_in_head { idle } else { header.or(idle) };
        self.is_closing =
            limit.is_some_and(|limit| self.interval.saturating_mul(self.quiet) >= limit);
        if self.is_closing { Verdict::Closes } else { Verdict::GoesOn }
    }
}

#[cfg(test)]
mod tests;
