//! The global run queue: what foreign threads push, and what overflows a worker's ring.
//!
//! An element is one task or a whole batch: an overflowing ring moves its older half here with a
//! single push, where 128 pushes would each pay for the queue's synchronisation.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use concurrent_queue::ConcurrentQueue;

use crate::scheduler::queue::Word;

enum Element {
    One(Word),
    Many(VecDeque<Word>),
}

/// First in, first out; any thread may push and take.
pub(crate) struct Injector(ConcurrentQueue<Element>);

/// What [`Injector::take`] hands out: one task to run and others to queue behind it.
pub(crate) struct Taken {
    pub(crate) first: Word,
    pub(crate) rest: VecDeque<Word>,
}

impl Injector {
    pub(crate) fn new() -> Self {
        Injector(ConcurrentQueue::unbounded())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&self, word: Word) {
        self.push_element(Element::One(word));
    }

    pub(crate) fn push_batch(&self, batch: Vec<Word>) {
        if !batch.is_empty() {
            self.push_element(Element::Many(batch.into()));
        }
    }

    /// Takes a task, and up to `room` more for the caller's ring: the rest of a batch, or this
    /// caller's share, one of `sharers`, of the single tasks.
    pub(crate) fn take(&self, room: usize, sharers: usize) -> Option<Taken> {
        match self.0.pop().ok()? {
            Element::One(first) => {
                let share = (self.0.len() / sharers).min(room);
                let mut rest = VecDeque::new();
                while rest.len() < share {
                    match self.0.pop() {
                        Ok(Element::One(word)) => rest.push_back(word),
                        Ok(many) => {
                            self.push_element(many);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                Some(Taken { first, rest })
            }
            Element::Many(mut rest) => {
                let first = rest.pop_front()?;
                // A full ring takes one task now and leaves the others for another time, so that
                // a batch is served even while the ring never empties.
                if rest.len() > room {
                    self.push_element(Element::Many(rest.split_off(room)));
                }
                Some(Taken { first, rest })
            }
        }
    }

    fn push_element(&self, element: Element) {
        // The queue is unbounded and never closed, so there is nothing to refuse.
        assert!(self.0.push(element).is_ok(), "the injector is open for as long as it lives");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(taken: &Taken) -> Vec<Word> {
        let mut all = vec![taken.first];
        all.extend(&taken.rest);
        all
    }

    #[test]
    fn a_batch_comes_out_in_order_and_what_finds_no_room_stays() {
        let injector = Injector::new();
        injector.push_batch(vec![1, 2, 3, 4]);
        assert_eq!(words(&injector.take(1, 1).unwrap()), [1, 2]);
        assert_eq!(words(&injector.take(0, 1).unwrap()), [3]);
        assert_eq!(words(&injector.take(9, 1).unwrap()), [4]);
        assert!(injector.take(9, 1).is_none());
    }

    #[test]
    fn single_tasks_are_shared_and_a_batch_behind_them_is_kept() {
        let injector = Injector::new();
        (1..=8).for_each(|word| injector.push(word));
        assert_eq!(words(&injector.take(99, 2).unwrap()), [1, 2, 3, 4]);
        injector.push_batch(vec![20, 21]);
        let mut rest = Vec::new();
        while let Some(taken) = injector.take(99, 1) {
            rest.extend(words(&taken));
        }
        rest.sort();
        assert_eq!(rest, [5, 6, 7, 8, 20, 21]);
    }
}
