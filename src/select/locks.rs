//! The locks of all the channels of a `select!`, held at once.

#![forbid(unsafe_code)]

use std::ptr;

use crate::chan::lock::{Lock, LockGuard};

/// Up to this many locks need no allocation.
const INLINE: usize = 6;

pub(crate) struct Locks<'a> {
    inline: [Option<LockGuard<'a>>; INLINE],
    more: Vec<LockGuard<'a>>,
}

impl<'a> Locks<'a> {
    /// Locks each channel once, in the order of their addresses, so that two callers cannot
    /// deadlock.
    pub(crate) fn take(channels: impl Iterator<Item = &'a Lock> + Clone) -> Self {
        let mut locks = Locks { inline: [const { None }; INLINE], more: Vec::new() };
        let mut last = 0;
        let mut count = 0;
        // Finds the next by selection, since channels are few. Addresses are not zero.
        while let Some(next) = channels
            .clone()
            .filter(|channel| ptr::from_ref(*channel).addr() > last)
            .min_by_key(|channel| ptr::from_ref(*channel).addr())
        {
            last = ptr::from_ref(next).addr();
            let guard = next.acquire();
            match locks.inline.get_mut(count) {
                Some(place) => *place = Some(guard),
                None => locks.more.push(guard),
            }
            count += 1;
        }
        locks
    }

    pub(crate) fn of(&mut self, channel: &Lock) -> &mut LockGuard<'a> {
        self.inline
            .iter_mut()
            .flatten()
            .chain(&mut self.more)
            .find(|guard| guard.is_of(channel))
            .expect("all of them are held")
    }
}
