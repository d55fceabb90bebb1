//! What a connection does, as far as its time limits need to know.
//!
//! A request must not cost a timer, nor a look at the clock. So the connection's goroutine looks here
//! from time to time, and the requests only count. A limit is exceeded when several looks in a row have
//! seen nothing. So a connection ends between one and one and a half times the limit after the last
//! thing that it did.
//!
//! What belongs to a head is a guess: bytes that come while no request is in work, with HTTP/1. If the
//! beginning of a head comes together with the request before it, the connection counts as idle.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Looks within a limit.
const LOOKS: u32 = 2;

#[derive(Default)]
pub(super) struct Activity {
    /// Requests whose answers are not complete.
    in_work: AtomicUsize,
    /// Requests so far.
    begun: AtomicUsize,
    /// Bytes have come that may belong to the head of a request.
    in_head: AtomicBool,
    is_http2: AtomicBool,
}

/// A request, until its answer is complete.
pub(super) struct Work(Arc<Activity>);

impl Activity {
    pub(super) fn begin(self: &Arc<Self>, is_http2: bool) -> Work {
        self.in_work.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        self.in_head.store(false, Relaxed);
        self.is_http2.store(is_http2, Relaxed);
        Work(self.clone())
    }

    /// Bytes have come.
    pub(super) fn note_bytes(&self) {
        if !self.in_head.load(Relaxed) {
            self.in_head.store(true, Relaxed);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Bytes of the request's body.
        self.0.in_head.store(false, Relaxed);
        self.0.in_work.fetch_sub(1, Relaxed);
    }
}

/// How long a connection may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For the head of a request, from the first byte, and for the first request, from the start.
    pub(super) header: Option<Duration>,
    /// Without a request.
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
    /// Requests at the last look.
    begun: usize,
    /// So many looks have seen nothing.
    quiet: u32,
}

impl Observer {
    pub(super) fn new(activity: Arc<Activity>, limits: Limits, interval: Duration) -> Self {
        Observer { activity, limits, interval, begun: 0, quiet: 0 }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether the connection has exceeded a limit.
    pub(super) fn look(&mut self) -> bool {
        let activity = &self.activity;
        let begun = activity.begun.load(Relaxed);
        if activity.in_work.load(Relaxed) > 0 || begun != self.begun {
            (self.begun, self.quiet) = (begun, 0);
            return false;
        }
        self.quiet += 1;
        // Frames of HTTP/2 are not always heads.
        let is_in_head = activity.in_head.load(Relaxed) && !activity.is_http2.load(Relaxed);
        let limit = if begun == 0 || is_in_head { self.limits.header } else { self.limits.idle };
        limit.is_some_and(|limit| self.interval * self.quiet > limit)
    }
}
