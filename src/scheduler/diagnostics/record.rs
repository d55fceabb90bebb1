//! Whether a goroutine waits and nobody can wake it, without a lock and without asking it.
//!
//! A goroutine's future has one waker, and holds one handle to it itself. All other handles are clones, so who can
//! wake the goroutine holds one while it does so. The exceptions are `abort` and exit, which have a waker of
//! another kind.
//!
//! # Protocol
//!
//! 1. Who polls the goroutine notes the number of the poll here, and then a release fence, before the future is polled.
//! 2. After the poll it stores in the goroutine's own word that this waits. If the goroutine was woken meanwhile,
//!    it queues it. If not, and only then, it adds to the number that the goroutine *waits*, unless another poll has
//!    begun.
//! 3. Who wakes a goroutine that waits stores in its word that it is queued, pushes it, and drops his handle,
//!    in this order.
//! 4. Who looks reads the number, the count of handles, the goroutine's word, and the number again, with
//!    acquire fences between them. *Nobody can wake it* if it waits, the count is one, the word says that it waits, and
//!    the number is the same.
//!
//! # Why it is certain
//!
//! Let the number be that of poll `n`. By 2. the goroutine was not woken in poll `n`, and the reader sees all that the
//! poller did with handles. Where the count is one, nobody but the goroutine has a handle; it gives others out only in
//! its polls. Suppose that this count was reached before poll `n + 1` began. Had anybody woken the goroutine since poll
//! `n`, he dropped his handle before, or the count would be two. The reader has acquired that drop, so it sees
//! the word that he stored before, or a later one: not that of poll `n`. A word of a later poll, or a count that was
//! reached in one, comes after the release fence of that poll: the reader sees another number. So nobody has woken the
//! goroutine, and nobody ever will.
//!
//! # Rejected
//!
//! - To look at the count alone: a wake by value has dropped its handle before the goroutine is queued, if it comes
//!   in a poll; the poller queues it afterwards.
//! - A mark of the waker that it has woken: whether that belongs to the present poll, or to the one before, only
//!   `async-task` knows.
//! - Only `async-task`'s count: it is private, and counts the registry and handles, too.
//! - To have wakers clear a list: `futures` keep clones that they never use.
//!
//! Modelled in `tests/models/orphans.rs`.

#![forbid(unsafe_code)]

use crate::primitives::{AtomicU64, Ordering, fence};

pub(crate) struct Record {
    /// The number of the last poll, and [`WAITS`].
    word: AtomicU64,
    /// When that poll ended.
    since: AtomicU64,
}

const WAITS: u64 = 1;

impl Record {
    pub(crate) fn new() -> Self {
        Record { word: AtomicU64::new(0), since: AtomicU64::new(0) }
    }

    /// The goroutine's poll with this number, one more than the last, begins.
    pub(crate) fn begin_poll(&self, poll: u64) {
        self.word.swap(poll << 1, Ordering::Relaxed);
        // Ordering: pairs with the fences in `look`.
        fence(Ordering::Release);
    }

    /// It is pending, and ends.
    pub(crate) fn end_poll(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
    }

    /// It has ended, and nobody has woken the goroutine in it. Perhaps somebody has since.
    pub(crate) fn begin_wait(&self, poll: u64) {
        let polled = poll << 1;
        // Ordering: Release pairs with the Acquire in `look`.
        let _ = self.word.compare_exchange(
            polled,
            polled | WAITS,
            Ordering::Release,
            Ordering::Relaxed,
        );
    }

    /// Since when it waits, and whether nobody can wake it; `None` if it does not wait.
    pub(crate) fn look(
        &self,
        handles: impl FnOnce() -> usize,
        waits: impl FnOnce() -> bool,
    ) -> Option<(u64, bool)> {
        // Ordering: Acquire pairs with the Release in `begin_wait`.
        let word = self.word.load(Ordering::Acquire);
        if word & WAITS == 0 {
            return None;
        }
        let since = self.since.load(Ordering::Relaxed);
        let is_orphaned = handles() == 1;
        // Ordering: pairs with the drop of a handle.
        fence(Ordering::Acquire);
        if !waits() {
            return None;
        }
        // Ordering: pairs with the fence in `begin_poll`.
        fence(Ordering::Acquire);
        (self.word.load(Ordering::Relaxed) == word).then_some((since, is_orphaned))
    }
}
