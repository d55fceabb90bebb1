//! The ring and the next slot: each task comes out once, none is lost, the owner and each thief
//! get them in order, and whoever takes a task sees its memory.
//!
//! Seen to fail ("taken twice", "task 0", or a causality violation) with any one of these made
//! Relaxed: the tail's Release in `push`, in `extend` and in `steal_into`, its Acquire in `head_and_len`, the
//! Release in `NextSlot::replace` and the Acquire in `NextSlot::take`. The Acquire loads of the head
//! cannot be shown to be needed here: what they prevent is a cell that is read before it is written
//! for the next round, and in loom's world no load returns what is stored later.

use std::sync::Arc;

use loom::thread;

use crate::explore::{Tasks, explore, quick_or_full};
use crate::queues::run_queue::{NextSlot, RawTask, Ring};

struct World<const N: usize> {
    ring: Ring<N>,
    thief: Ring<N>,
    tasks: Tasks,
}

impl<const N: usize> World<N> {
    fn new(tasks: usize) -> Arc<Self> {
        Arc::new(World { ring: Ring::new(), thief: Ring::new(), tasks: Tasks::new(tasks) })
    }

    fn push(&self, word: RawTask) -> Vec<RawTask> {
        self.tasks.make(word);
        self.ring.push(word).err().unwrap_or_default()
    }

    fn push_batch<const M: usize>(&self, words: [RawTask; M]) {
        words.into_iter().for_each(|word| self.tasks.make(word));
        assert_eq!(self.ring.extend(words.into_iter()), M);
    }

    /// A thief, which runs what it gets in two attempts.
    fn start_thief(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            let mut stolen = steal(&world.ring, &world.thief);
            stolen.extend(steal(&world.ring, &world.thief));
            world.run_all(stolen);
        })
    }

    fn run_all(&self, words: impl IntoIterator<Item = RawTask>) {
        let mut last = 0;
        for word in words {
            assert!(word > last, "task {word} came after {last}");
            last = word;
            self.tasks.run(word);
        }
    }
}

/// Takes half of `victim`, in the order in which the thief would run it.
fn steal<const N: usize>(victim: &Ring<N>, own: &Ring<N>) -> Vec<RawTask> {
    let Some((first, left)) = victim.steal_into(own) else { return Vec::new() };
    let rest = own.drain();
    assert_eq!(rest.len(), left);
    [first].into_iter().chain(rest).collect()
}

#[test]
fn owner_and_thief_share_the_tasks_out() {
    explore(quick_or_full(3, Some(4)), || {
        let world = World::<4>::new(4);
        world.push(1);
        world.push(2);
        let thief = thread::spawn({
            let world = world.clone();
            move || {
                let stolen = steal(&world.ring, &world.thief);
                world.run_all(stolen);
            }
        });
        world.push(3);
        world.push(4);
        world.run_all([world.ring.pop(), world.ring.pop()].into_iter().flatten());
        thief.join().unwrap();
        world.run_all(world.ring.drain());
        world.tasks.assert_all_run();
    });
}

/// The cells are used again while a thief may still be reading them, and the ring overflows or
/// does not, as the thief is late or in time.
#[test]
fn cells_are_reused_under_a_thief() {
    explore(quick_or_full(3, Some(4)), || {
        let world = World::<2>::new(4);
        world.push(1);
        world.push(2);
        let thief = world.start_thief();
        world.run_all(world.push(3));
        world.run_all(world.ring.pop());
        world.run_all(world.push(4));
        thief.join().unwrap();
        world.run_all(world.ring.drain());
        world.tasks.assert_all_run();
    });
}

/// A batch that goes round the end of the ring, to cells that a thief may still be reading.
#[test]
fn a_batch_is_pushed_under_a_thief() {
    explore(quick_or_full(3, Some(4)), || {
        let world = World::<4>::new(6);
        (1..=3).for_each(|word| assert!(world.push(word).is_empty()));
        world.run_all(world.ring.pop());
        let thief = world.start_thief();
        world.push_batch([4, 5]);
        world.run_all(world.ring.pop());
        world.push_batch([6]);
        thief.join().unwrap();
        world.run_all(world.ring.drain());
        world.tasks.assert_all_run();
    });
}

#[test]
fn two_thieves_and_the_owner_share_the_tasks_out() {
    explore(Some(2), || {
        let world = World::<4>::new(4);
        (1..=3).for_each(|word| assert!(world.push(word).is_empty()));
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || world.run_all(steal(&world.ring, &Ring::new())))
            })
            .collect();
        world.push(4);
        world.run_all(world.ring.pop());
        thieves.into_iter().for_each(|thief| thief.join().unwrap());
        world.run_all(world.ring.drain());
        world.tasks.assert_all_run();
    });
}

/// What a thief has stolen is stolen from its ring in turn, through memory the second thief has
/// never met the first owner at.
#[test]
fn loot_is_stolen_from_the_thief() {
    explore(Some(2), || {
        let world = World::<4>::new(4);
        let thief = thread::spawn({
            let world = world.clone();
            move || {
                for _ in 0..2 {
                    let first = world.ring.steal_into(&world.thief).map(|(first, _)| first);
                    world.run_all(first);
                }
                world.run_all(world.thief.pop());
            }
        });
        let second = thread::spawn({
            let world = world.clone();
            move || world.run_all(steal(&world.thief, &Ring::new()))
        });
        (1..=4).for_each(|word| assert!(world.push(word).is_empty()));
        thief.join().unwrap();
        second.join().unwrap();
        world.run_all(world.thief.drain());
        world.run_all(world.ring.drain());
        world.tasks.assert_all_run();
    });
}

#[test]
fn the_next_slot_gives_each_task_out_once() {
    explore(Some(5), || {
        let slot = Arc::new(NextSlot::new());
        let tasks = Arc::new(Tasks::new(3));
        let thief = thread::spawn({
            let (slot, tasks) = (slot.clone(), tasks.clone());
            move || (0..2).filter_map(|_| slot.take()).for_each(|word| tasks.run(word))
        });
        for word in 1..=3 {
            tasks.make(word);
            slot.replace(word).into_iter().for_each(|displaced| tasks.run(displaced));
        }
        slot.take().into_iter().for_each(|word| tasks.run(word));
        thief.join().unwrap();
        assert!(slot.is_empty());
        tasks.assert_all_run();
    });
}
