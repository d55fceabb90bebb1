//! The injector alone: order, shares, and that every task comes out once.

use std::sync::Arc;

use loom::thread;

use crate::explore::{ALL, Tasks, explore};
use crate::queues::injector::Injector;
use crate::queues::run_queue::RawTask;

fn take<const N: usize>(
    injector: &Injector<N>,
    first_shard: usize,
    room: usize,
    sharers: usize,
) -> Option<Vec<RawTask>> {
    injector
        .take(first_shard, room, sharers, |first, batch| [first].into_iter().chain(batch).collect())
}

#[test]
fn a_batch_comes_out_in_order_and_what_finds_no_room_stays() {
    explore(ALL, || {
        let injector = Injector::<2>::new();
        (1..=4).for_each(|word| injector.push(word));
        assert_eq!(take(&injector, 0, 1, 1).unwrap(), [1, 2]);
        assert_eq!(take(&injector, 1, 0, 1).unwrap(), [3]);
        assert_eq!(take(&injector, 2, 9, 1).unwrap(), [4]);
        assert!(take(&injector, 3, 9, 1).is_none());
    });
}

#[test]
fn each_taker_gets_its_share_as_far_as_it_has_room() {
    explore(ALL, || {
        let injector = Injector::<2>::new();
        (1..=9).for_each(|word| injector.push(word));
        assert_eq!(take(&injector, 0, 99, 2).unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!(take(&injector, 0, 1, 2).unwrap(), [6, 7]);
        assert_eq!(take(&injector, 0, 0, 2).unwrap(), [8]);
        assert!(!injector.is_empty() && !injector.is_empty_locked());
        assert_eq!(take(&injector, 0, 99, 2).unwrap(), [9]);
        assert!(injector.is_empty() && injector.is_empty_locked());
    });
}

#[test]
fn what_rings_held_is_taken_apart_from_what_threads_push() {
    explore(ALL, || {
        let injector = Injector::<2>::new();
        injector.push_from_ring(vec![8, 9]);
        injector.push(1);
        assert_eq!(injector.take_from_rings(), Some(8));
        assert_eq!(injector.take_pushed(), Some(1));
        assert_eq!(injector.take_pushed(), None);
        assert!(!injector.is_empty() && !injector.is_empty_locked());
        assert_eq!(injector.take_from_rings(), Some(9));
        assert_eq!(injector.take_from_rings(), None);
        assert!(injector.is_empty() && injector.is_empty_locked());
        assert_eq!(injector.len(), 0);
    });
}

/// Planted: with `first_shard % SHARDS`, what rings held waits as long as others push.
#[test]
fn what_rings_held_does_not_wait_for_all_that_is_pushed() {
    explore(ALL, || {
        let injector = Injector::<1>::new();
        injector.push_from_ring(vec![9]);
        (1..=3).for_each(|word| injector.push(word));
        let taken: Vec<_> = (0..2).flat_map(|turn| take(&injector, turn, 0, 1).unwrap()).collect();
        assert!(taken.contains(&9), "{taken:?}");
    });
}

/// With their memory: pushing and taking are a happens-before.
#[test]
fn two_pushers_and_two_takers_hand_over_each_task_once() {
    explore(Some(3), || {
        let injector = Arc::new(Injector::<1>::new());
        let tasks = Arc::new(Tasks::new(3));
        let run_what_there_is = |injector: &Injector<1>, tasks: &Tasks| {
            if let Some(taken) = take(injector, 0, 1, 2) {
                taken.into_iter().for_each(|word| tasks.run(word));
            }
        };
        let other = thread::spawn({
            let (injector, tasks) = (injector.clone(), tasks.clone());
            move || {
                tasks.make(3);
                injector.push(3);
                run_what_there_is(&injector, &tasks);
            }
        });
        (1..=2).for_each(|word| tasks.make(word));
        (1..=2).for_each(|word| injector.push(word));
        run_what_there_is(&injector, &tasks);
        other.join().unwrap();
        while injector.take(0, 0, 1, |first, _| tasks.run(first)).is_some() {}
        tasks.assert_all_run();
    });
}
