//! What a goroutine waits for, for reports: the operation, and the place in the program that awaits it.
//!
//! A future of gorun that has to wait *notes* that, with the place of its `.await`: `poll` is
//! `#[track_caller]`, so the place costs a register while the future is polled, and no memory in it. The
//! note lies in the thread's context until the goroutine's poll ends, and then, if that is pending, in the
//! goroutine (`goroutine/task.rs`). So a future that is ready notes nothing, and a wait costs a handful of
//! plain stores.
//!
//! What a goroutine has of this is one word that only its own polls and wakes write, in turn. Anyone may
//! read it: a report shows what was last stored, and waits for nobody.
//!
//! # What a note does not say
//!
//! A goroutine may wait for several operations, in `join!` of another crate for one: the last that it has
//! polled counts. Of operations inside one another the innermost counts, in a `timeout` for example what
//! the limit is for. If the last operation is another crate's, and one of gorun's was pending before it in
//! the same poll, the latter is shown.
//!
//! # Rejected
//!
//! - The place where the operation was made: eight bytes in each future, for a worse answer.
//! - A place for the note in each goroutine: eight more bytes. As the distance from a place in this crate
//!   it takes 27 bits, which lie in a gap. If the program's text is larger than half a gigabyte, or the
//!   place is in another library that is loaded at run time, it is unknown.
//! - The registry as the place of the note: its lock, for each wait.

#![allow(unsafe_code)]

use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::scheduler::operation::Operation;

/// A note.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) operation: Operation,
    pub(crate) place: &'static Location<'static>,
}

/// What a goroutine, or main, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Activity {
    /// It is in a queue.
    Queued,
    /// It is being polled.
    Running,
    Waiting(Operation, Option<&'static Location<'static>>),
    /// For something that is not gorun's.
    WaitingElsewhere,
}

/// An [`Activity`] in one word. The low bits have the kind; if that is an operation, the others have the
/// place.
pub(crate) struct ActivityCell(AtomicU32);

/// The bits of the kind. The place is beside them, in the rest of the word.
const KIND: u32 = 0b11111;
const QUEUED: u32 = 0;
const RUNNING: u32 = 1;
const ELSEWHERE: u32 = 2;
const FIRST_OPERATION: u32 = 3;

/// The distance of a place from `ORIGIN` is a multiple of their alignment. So it has some zeros already where
/// the kind goes: with these, there are enough.
const SHIFT: u32 = KIND.count_ones() - align_of::<Location<'static>>().trailing_zeros();

/// Only a distance that is less, in either direction, fits into the rest of the word.
const FAR: isize = 1 << (31 - SHIFT);

static ORIGIN: &Location<'static> = Location::caller();

impl ActivityCell {
    #[inline]
    pub(crate) const fn new() -> Self {
        ActivityCell(AtomicU32::new(QUEUED))
    }

    #[inline]
    pub(crate) fn set_queued(&self) {
        self.0.store(QUEUED, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn set_running(&self) {
        self.0.store(RUNNING, Ordering::Relaxed);
    }

    /// `None`: for something that has left no note.
    #[inline]
    pub(crate) fn set_waiting(&self, wait: Option<Wait>) {
        self.set(RawActivity::waiting(wait));
    }

    #[inline]
    pub(crate) fn set(&self, RawActivity(word): RawActivity) {
        self.0.store(word, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> RawActivity {
        RawActivity(self.0.load(Ordering::Relaxed))
    }
}

/// An [`Activity`], as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RawActivity(u32);

impl RawActivity {
    pub(crate) const RUNNING: Self = RawActivity(RUNNING);

    /// `None`: for something that has left no note.
    #[inline]
    pub(crate) fn waiting(wait: Option<Wait>) -> Self {
        RawActivity(wait.map_or(ELSEWHERE, |wait| {
            let address = ptr::from_ref(wait.place).expose_provenance();
            let distance = address.wrapping_sub(ptr::from_ref(ORIGIN).addr()) as isize;
            // In one comparison: above `-FAR` and below `FAR`.
            let is_near = distance.wrapping_add(FAR - 1) as usize <= 2 * FAR as usize - 2;
            let distance = if is_near { distance } else { -FAR };
            (distance << SHIFT) as u32 | (wait.operation as u32 + FIRST_OPERATION)
        }))
    }

    /// Neither queued nor running.
    pub(crate) fn is_wait(self) -> bool {
        self.0 & KIND >= ELSEWHERE
    }

    pub(crate) fn unpack(self) -> Activity {
        let RawActivity(word) = self;
        match word & KIND {
            QUEUED => Activity::Queued,
            RUNNING => Activity::Running,
            ELSEWHERE => Activity::WaitingElsewhere,
            kind => {
                let operation = Operation::ALL[(kind - FIRST_OPERATION) as usize];
                Activity::Waiting(operation, place((word & !KIND) as i32 as isize >> SHIFT))
            }
        }
    }
}

/// Whether a place is in neither gorun nor `std`, where it says nothing to users.
pub(crate) fn is_users(place: &Location<'_>) -> bool {
    // Where gorun is not built as a dependency, this may be `src/`, as of the user's files.
    let own = file!()
        .strip_suffix("scheduler/wait.rs")
        .filter(|own| own.matches(['/', '\\']).count() > 1);
    let std = ["/rustc/", "library/"].iter().any(|start| place.file().starts_with(start));
    !std && !place.file().contains("/lib/rustlib/src/rust/library/")
        && own.is_none_or(|own| !place.file().starts_with(own))
}

fn place(distance: isize) -> Option<&'static Location<'static>> {
    if distance == -FAR {
        return None;
    }
    let address = ptr::from_ref(ORIGIN).addr().wrapping_add_signed(distance);
    // SAFETY: `distance` is that of a place which `waiting` was given, a reference that is valid for
    // ever and whose provenance it has exposed.
    // Exercised by `soundness::dumps_beside_everything`.
    Some(unsafe { &*ptr::with_exposed_provenance(address) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_is_what_was_stored() {
        let cell = ActivityCell::new();
        assert_eq!(cell.get().unpack(), Activity::Queued);
        cell.set_running();
        assert_eq!(cell.get().unpack(), Activity::Running);
        cell.set_waiting(None);
        assert_eq!(cell.get().unpack(), Activity::WaitingElsewhere);
        for &operation in Operation::ALL {
            let place = Location::caller();
            cell.set_waiting(Some(Wait { operation, place }));
            assert_eq!(cell.get().unpack(), Activity::Waiting(operation, Some(place)));
        }
    }

    #[test]
    fn every_operation_has_a_number_of_its_own() {
        for (place, &operation) in Operation::ALL.iter().enumerate() {
            assert_eq!(operation as usize, place);
        }
        assert!(Operation::ALL.len() + FIRST_OPERATION as usize <= KIND as usize + 1);
    }

    /// As in a library that is loaded at run time.
    #[test]
    fn a_place_that_is_far_away_is_unknown() {
        let here = *Location::caller();
        let heap: &'static Location<'static> = Box::leak(Box::new(here));
        let cell = ActivityCell::new();
        cell.set_waiting(Some(Wait { operation: Operation::Send, place: heap }));
        let Activity::Waiting(Operation::Send, place) = cell.get().unpack() else {
            panic!("it sends")
        };
        assert!(place.is_none_or(|place| *place == here));
    }
}
