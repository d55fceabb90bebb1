//! The locks of all the channels of a `select!`, held at once.

#![forbid(unsafe_code)]

use std::ptr;

use crate::chan::core::Control;
use crate::sync::{Mutex, MutexGuard, lock_shortly};

/// So many need no allocation.
const INLINE: usize = 6;

type Held<'a> = Option<(&'a Mutex<Control>, MutexGuard<'a, Control>)>;

pub(crate) struct Locks<'a> {
    inline: [Held<'a>; INLINE],
    more: Vec<Held<'a>>,
}

impl<'a> Locks<'a> {
    /// Locks each of them once, in the order of their addresses, so that two who do that never wait
    /// for each other.
    pub(crate) fn take(channels: impl Iterator<Item = &'a Mutex<Control>> + Clone) -> Self {
        let mut locks = Locks { inline: [const { None }; INLINE], more: Vec::new() };
        let mut last = 0;
        let mut count = 0;
        // Selection, since they are few. Addresses are not zero.
        while let Some(next) = channels
            .clone()
            .filter(|channel| ptr::from_ref(*channel).addr() > last)
            .min_by_key(|channel| ptr::from_ref(*channel).addr())
        {
            last = ptr::from_ref(next).addr();
            let held = Some((next, lock_shortly(next)));
            match locks.inline.get_mut(count) {
                Some(place) => *place = held,
                None => locks.more.push(held),
            }
            count += 1;
        }
        locks
    }

    pub(crate) fn of(&mut self, channel: &Mutex<Control>) -> &mut MutexGuard<'a, Control> {
        self.inline
            .iter_mut()
            .chain(&mut self.more)
            .flatten()
            .find(|(held, _)| ptr::eq(*held, channel))
            .map(|(_, guard)| guard)
            .expect("all of them are held")
    }
}
