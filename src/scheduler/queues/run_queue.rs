//! A worker's run queue: the ring, which is open to thieves, and the next slot, which only the
//! worker itself takes, the monitor, and at exit thieves.
//!
//! # The ring
//!
//! One owner pushes at the tail and takes at the head. Any number of thieves take half from the
//! head. It is the queue of Go's processors (`runqput`, `runqget`, `runqgrab` in `proc.go`).
//!
//! ```text
//!   head ──► oldest … newest ◄── tail        len = tail - head   (both only grow, modulo 2^32)
//! ```
//!
//! - Only the owner writes cells and the tail. It writes a cell, then publishes it by storing the
//!   tail (Release), which thieves load (Acquire).
//! - A taker, owner or thief, reads cells first, and then claims them by moving the head with one
//!   compare-and-swap. If the claim fails, the taker discards what it read.
//! - The owner reuses a cell only after it has seen the head move past it (Acquire, pairing with
//!   the taker's Release). So a successful claim has read cells that were not being written: had
//!   the owner rewritten one of them before the claim, the head would have moved and the claim
//!   would have failed.
//!
//! The head is 32 bits wide. So the last step fails if a thief stops between reading and claiming
//! while exactly 2^32 tasks pass through. At full speed that takes minutes: a thread would have to
//! be preempted for so long between two instructions, and resume at exactly that number.
//!
//! Rejected: a ring whose owner needs no compare-and-swap (Chase and Lev's deque), because it takes
//! the newest first and starves the oldest; a lock, because a preempted thief would hold it.
//!
//! # The next slot
//!
//! It is one word. The owner and thieves change it by atomic swaps only, so each task in it is
//! taken exactly once.

#![forbid(unsafe_code)]

use crate::primitives::{AtomicU32, AtomicUsize, Ordering};

/// A task as a queue holds it: the address of its allocation. Zero means no task.
pub(crate) type RawTask = usize;

/// A bounded queue of `N` tasks (a power of two) with one owner and many thieves.
pub(crate) struct Ring<const N: usize> {
    head: AtomicU32,
    tail: AtomicU32,
    cells: [AtomicUsize; N],
}

impl<const N: usize> Ring<N> {
    pub(crate) fn new() -> Self {
        assert!(N.is_power_of_two() && N <= 1 << 16);
        Ring {
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            cells: std::array::from_fn(|_| AtomicUsize::new(0)),
        }
    }

    /// An estimate of the number of tasks here: other threads may change it at any time.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.head_and_len().1 as usize
    }

    /// Owner: puts `task` at the back and returns the new length. If the ring is full, it moves the
    /// older half and `task` into the returned batch instead.
    // Always inline: a call would add a tenth to a wake.
    #[inline(always)]
    pub(crate) fn push(&self, task: RawTask) -> Result<usize, Vec<RawTask>> {
        let tail = self.tail.load(Ordering::Relaxed);
        // Ordering: Acquire pairs with the Release of the claim in `take`: the owner overwrites a
        // cell only after its taker has read it.
        let len = tail.wrapping_sub(self.head.load(Ordering::Acquire)) as usize;
        if len == N {
            return self.push_to_full(task);
        }
        self.cell(tail).store(task, Ordering::Relaxed);
        // Ordering: Release publishes the cell to the Acquire load of the tail in `take`.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(len + 1)
    }

    /// Owner: puts tasks at the back, for which there is room. Returns how many they are.
    pub(crate) fn extend(&self, tasks: impl ExactSizeIterator<Item = RawTask>) -> usize {
        let tail = self.tail.load(Ordering::Relaxed);
        // Ordering: Acquire as in `push`.
        let len = tail.wrapping_sub(self.head.load(Ordering::Acquire)) as usize;
        let count = tasks.len();
        assert!(len + count <= N, "{count} tasks for a ring that holds {len}");
        let positions = (0..count as u32).map(|index| tail.wrapping_add(index));
        positions.zip(tasks).for_each(|(at, task)| self.cell(at).store(task, Ordering::Relaxed));
        // Ordering: Release as in `push`, for all of them.
        self.tail.store(tail.wrapping_add(count as u32), Ordering::Release);
        count
    }

    #[cold]
    fn push_to_full(&self, task: RawTask) -> Result<usize, Vec<RawTask>> {
        let head = self.tail.load(Ordering::Relaxed).wrapping_sub(N as u32);
        let mut batch = Vec::with_capacity(N / 2 + 1);
        if self.take(head, N as u32 / 2, |_, task| batch.push(task)) {
            batch.push(task);
            return Err(batch);
        }
        // A thief has made room in the meantime.
        self.push(task)
    }

    /// Any thread: takes the oldest task.
    #[inline]
    pub(crate) fn pop(&self) -> Option<RawTask> {
        loop {
            let (head, len) = self.head_and_len();
            if len == 0 {
                return None;
            }
            let mut taken = 0;
            if self.take(head, 1, |_, task| taken = task) {
                return Some(taken);
            }
        }
    }

    /// Owner: the task that comes after `ahead` others, for a prefetch. It may be stale, or zero.
    #[inline]
    pub(crate) fn upcoming(&self, ahead: u32) -> RawTask {
        let head = self.head.load(Ordering::Relaxed);
        self.cell(head.wrapping_add(ahead)).load(Ordering::Relaxed)
    }

    /// Takes everything, but no more than the ring holds: its owner may push meanwhile.
    pub(crate) fn drain(&self) -> Vec<RawTask> {
        std::iter::from_fn(|| self.pop()).take(N).collect()
    }

    /// Thief: moves the older half of this ring, rounded up, to the back of `own`, which the caller
    /// owns. Returns one of the moved tasks to run at once, and the number left in `own`.
    pub(crate) fn steal_into(&self, own: &Self) -> Option<(RawTask, usize)> {
        let own_tail = own.tail.load(Ordering::Relaxed);
        // Ordering: Acquire as in `push`: takers have read the cells that are written below.
        let own_len = own_tail.wrapping_sub(own.head.load(Ordering::Acquire));
        let room = N as u32 - own_len;
        loop {
            let (head, len) = self.head_and_len();
            // `len` may exceed the ring, because head and tail are from different moments: hence `N
            // / 2`.
            let count = (len - len / 2).min(N as u32 / 2).min(room);
            if count == 0 {
                return None;
            }
            let mut first = 0;
            let claimed = self.take(head, count, |index, task| match index {
                0 => first = task,
                _ => own.cell(own_tail.wrapping_add(index - 1)).store(task, Ordering::Relaxed),
            });
            if claimed {
                let left = count - 1;
                if left > 0 {
                    // Ordering: Release as in `push`.
                    own.tail.store(own_tail.wrapping_add(left), Ordering::Release);
                }
                return Some((first, (own_len + left) as usize));
            }
        }
    }

    #[inline]
    fn head_and_len(&self) -> (u32, u32) {
        let head = self.head.load(Ordering::Relaxed);
        // Ordering: Acquire pairs with the Release of the tail in `push`.
        let tail = self.tail.load(Ordering::Acquire);
        // The two loads are from different moments, so the tail may be older than the head.
        (head, (tail.wrapping_sub(head) as i32).max(0) as u32)
    }

    /// Reads `count` cells from `head` on and claims them, all or none.
    #[inline]
    fn take(&self, head: u32, count: u32, mut each: impl FnMut(u32, RawTask)) -> bool {
        for index in 0..count {
            each(index, self.cell(head.wrapping_add(index)).load(Ordering::Relaxed));
        }
        // Ordering: Release pairs with the Acquire loads of the head in `push` and `steal_into`:
        // the reads above have finished when the owner sees the cells free. No model can show that,
        // because in loom a load never returns a value that is stored later.
        self.head
            .compare_exchange(head, head.wrapping_add(count), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    #[inline]
    fn cell(&self, position: u32) -> &AtomicUsize {
        &self.cells[position as usize % N]
    }
}

/// The task that runs next on its worker, because the running one woke it.
pub(crate) struct NextSlot(AtomicUsize);

impl NextSlot {
    pub(crate) fn new() -> Self {
        NextSlot(AtomicUsize::new(0))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Owner: puts `task` in and returns what it displaces.
    #[inline]
    pub(crate) fn replace(&self, task: RawTask) -> Option<RawTask> {
        // Ordering: Release pairs with the Acquire in `take`. The displaced task is the owner's
        // own.
        not_zero(self.0.swap(task, Ordering::Release))
    }

    /// Takes the task out: the owner runs it, a thief steals it.
    #[inline]
    pub(crate) fn take(&self) -> Option<RawTask> {
        if self.is_empty() {
            return None;
        }
        // Ordering: Acquire pairs with the Release in `replace`.
        not_zero(self.0.swap(0, Ordering::Acquire))
    }
}

#[inline]
fn not_zero(task: RawTask) -> Option<RawTask> {
    (task != 0).then_some(task)
}
