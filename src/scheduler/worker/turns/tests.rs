#![forbid(unsafe_code)]

use std::iter;
use std::thread;

use super::*;

/// The poll of a task that has just been taken lasts for a whole turn.
fn poll_for_long() {
    thread::sleep(TURN);
}

fn injector(pushed: &[RawTask], from_ring: &[RawTask]) -> Injector<2> {
    let injector = Injector::new();
    pushed.iter().for_each(|&task| injector.push(task));
    injector.push_from_ring(from_ring.to_vec());
    injector
}

/// What a worker runs that is asked to check in after each poll, which is long. 0 is a task of its
/// own queue.
fn runs_beside_long_polls(injector: &Injector<2>, own_queue_has_tasks: bool) -> Vec<RawTask> {
    let mut turns = Turns::new();
    let mut next = || {
        turns.check_soon(false);
        assert!(turns.is_check_due());
        turns.begin_check(INTERVAL);
        let task = turns.next(injector, || own_queue_has_tasks);
        poll_for_long();
        task.unwrap_or(0)
    };
    (0..8).map(|_| next()).collect()
}

#[test]
fn long_polls_of_threads_of_rings_and_of_the_own_queue_take_turns() {
    let injector = injector(&[1, 2, 3], &[11, 12, 13]);
    assert_eq!(runs_beside_long_polls(&injector, true), [1, 11, 0, 2, 12, 0, 3, 13]);
}

#[test]
fn an_empty_part_has_no_turn() {
    assert_eq!(runs_beside_long_polls(&injector(&[1, 2], &[]), true), [1, 0, 2, 0, 0, 0, 0, 0]);
    assert_eq!(runs_beside_long_polls(&injector(&[1, 2], &[11]), false)[..4], [1, 11, 2, 0]);
}

#[test]
fn tasks_of_several_threads_take_turns() {
    let injector = &Injector::<2>::new();
    for tasks in [[1, 2, 3], [11, 12, 13]] {
        // Threads that come one after the other push to different deques.
        thread::scope(|scope| {
            scope.spawn(move || tasks.iter().for_each(|&task| injector.push(task)));
        });
    }
    let taken: Vec<_> = iter::from_fn(|| injector.take_pushed()).collect();
    let tens: Vec<_> = taken.iter().map(|task| task / 10).collect();
    assert!(tens == [0, 1, 0, 1, 0, 1] || tens == [1, 0, 1, 0, 1, 0], "{taken:?}");
}

#[test]
fn short_tasks_have_a_turn_together_and_then_the_worker_takes_batches_again() {
    let many: Vec<_> = (1..=100).collect();
    let injector = injector(&many, &[111]);
    let mut turns = Turns::new();
    let mut taken = 0;
    while turns.are_taken() && turns.is_check_due() {
        turns.begin_check(INTERVAL);
        taken += usize::from(turns.next(&injector, || true).is_some());
    }
    // On a busy machine a millisecond may be over sooner.
    assert!(taken > 1, "{taken}");
    assert!(taken < 61 || !turns.are_taken());
    turns.check_soon(false);
    assert_eq!(turns.next(&injector, || true), Some(111), "what rings held is next");
}

#[test]
fn a_turn_is_over_after_a_task_that_takes_long() {
    let injector = injector(&[1, 2], &[11]);
    let mut turns = Turns::new();
    assert_eq!(turns.next(&injector, || true), Some(1));
    poll_for_long();
    assert_eq!(turns.next(&injector, || true), Some(11));
}

#[test]
fn one_that_has_yielded_to_nobody_does_not_have_the_turn_of_its_queue() {
    for (yielded_to_none, expected) in [(false, None), (true, Some(1))] {
        let injector = injector(&[1], &[]);
        let mut turns = Turns::new();
        turns.part = Part::Own;
        turns.check_soon(yielded_to_none);
        assert_eq!(turns.next(&injector, || true), expected);
    }
}

/// A turn of short tasks ends before a millisecond is over, and the worker goes on with its own queue.
#[test]
fn a_turn_that_is_short_does_not_give_the_own_queue_two_long_polls() {
    let many: Vec<_> = (1..=1000).collect();
    for from_ring in [&[][..], &many[..]] {
        let injector = injector(&many, from_ring);
        let mut turns = Turns::new();
        let (mut own_polls, mut others) = (0, 0);
        for _ in 0..600 {
            let is_due = turns.is_check_due();
            let task = if is_due {
                turns.begin_check(INTERVAL);
                turns.next(&injector, || true)
            } else {
                None
            };
            match task {
                Some(_) => (own_polls, others) = (0, others + 1),
                None => {
                    own_polls += 1;
                    poll_for_long();
                    // The monitor asks after each of its long polls.
                    turns.check_soon(false);
                }
            }
            assert!(own_polls <= 1, "after {others} others");
        }
        assert!(others > 500, "{others}");
    }
}

/// The debt is paid by what the own queue runs between two looks.
#[test]
fn a_turn_that_is_owed_does_not_follow_a_long_poll_of_the_own_queue() {
    let injector = injector(&[1], &[]);
    let mut turns = Turns::new();
    (turns.part, turns.owed) = (Part::FromRings, TURN);
    turns.plan(61);
    turns.polls_left = 60;
    poll_for_long();
    turns.check_soon(false);
    assert_eq!(turns.next(&injector, || true), Some(1));
}

/// It was pushed by a thread, and its first poll took long.
#[test]
fn one_that_came_from_the_injector_and_has_yielded_to_nobody_does_not_run_again_at_once() {
    let injector = injector(&[1, 2], &[]);
    let mut turns = Turns::new();
    assert_eq!(turns.next(&injector, || false), Some(1));
    poll_for_long();
    turns.check_soon(true);
    assert_eq!(turns.next(&injector, || true), Some(2));
}

#[test]
fn one_that_has_yielded_to_nobody_does_not_have_the_time_that_is_owed_to_its_queue() {
    for (yielded_to_none, expected) in [(false, None), (true, Some(1))] {
        let injector = injector(&[1], &[]);
        let mut turns = Turns::new();
        (turns.part, turns.owed) = (Part::FromRings, TURN);
        turns.check_soon(yielded_to_none);
        assert_eq!(turns.next(&injector, || true), expected);
    }
}

#[test]
fn a_queue_that_was_empty_is_owed_nothing() {
    let injector = injector(&[1], &[]);
    let mut turns = Turns::new();
    (turns.part, turns.owed) = (Part::Own, TURN);
    assert_eq!(turns.next(&injector, || false), Some(1));
    assert_eq!(turns.next(&injector, || true), None);
    injector.push(2);
    assert_eq!(turns.next(&injector, || true), Some(2));
}

#[test]
fn a_queue_that_was_empty_has_its_next_part() {
    let injector = injector(&[1], &[11]);
    let mut turns = Turns::new();
    (turns.part, turns.own_had_polls) = (Part::Own, true);
    assert_eq!(turns.next(&injector, || false), Some(1));
    assert_eq!(turns.next(&injector, || true), Some(11));
    injector.push(2);
    assert_eq!(turns.next(&injector, || true), None);
}

/// As on a server whose connections take some ten microseconds each: the monitor asks once a millisecond,
/// and whoever ran comes back through the injector.
#[test]
fn short_polls_of_the_own_queue_have_as_much_time_as_those_that_come_through_the_injector() {
    let injector = Injector::<2>::new();
    (0..100).for_each(|_| injector.push(1));
    let mut turns = Turns::new();
    let (mut own, mut others) = (0, 0);
    let mut asks_at = clock::now() + TURN;
    while own + others < 2_000 {
        let start = clock::now();
        let due = turns.is_check_due();
        if due {
            turns.begin_check(INTERVAL);
        }
        let task = if due && turns.are_taken() { turns.next(&injector, || true) } else { None };
        match task {
            Some(task) => {
                others += 1;
                injector.push(task);
            }
            None => own += 1,
        }
        while start.elapsed() < Duration::from_micros(18) {}
        if clock::now() >= asks_at {
            asks_at = clock::now() + TURN;
            turns.check_soon(false);
        }
    }
    assert!(3 * own >= others, "{own} of its own, {others} others");
}

#[test]
fn a_worker_that_lives_from_what_threads_push_takes_batches_after_a_while() {
    let injector = Injector::<2>::new();
    let mut turns = Turns::new();
    for _ in 0..100 {
        injector.push(1);
        if turns.is_check_due() {
            turns.begin_check(INTERVAL);
        }
        if !turns.are_taken() {
            return;
        }
        assert_eq!(turns.next(&injector, || false), Some(1));
        // It searches, and sleeps.
        assert_eq!(turns.next(&injector, || false), None);
    }
    panic!("it takes single tasks for ever");
}

/// What the monitor says of a worker's pace, the gaps between its looks, and whether it takes single
/// tasks, once it has been asked to check in.
#[test]
fn a_worker_looks_ten_times_in_a_millisecond_if_61_polls_take_longer() {
    let looks = |pace| {
        let mut turns = Turns::new();
        turns.check_soon(false);
        let mut looks = Vec::new();
        let mut gap = 0;
        while looks.len() < 9 {
            gap += 1;
            if turns.is_check_due() {
                turns.begin_check(pace);
                looks.push((mem::take(&mut gap), turns.are_taken()));
            }
        }
        looks
    };
    let gaps = |pace| looks(pace).into_iter().map(|(gap, _)| gap).collect::<Vec<_>>();
    let polls_taken_singly = |pace| {
        let taken = looks(pace).into_iter().take_while(|(_, are_taken)| *are_taken);
        taken.map(|(gap, _)| gap).sum::<u32>()
    };
    assert_eq!(gaps(u32::MAX), [1, 2, 4, 8, 16, 32, 61, 61, 61]);
    assert_eq!(gaps(10), [1, 2, 4, 8, 10, 10, 10, 10, 10]);
    assert_eq!(gaps(0), [1, 2, 2, 2, 2, 2, 2, 2, 2], "two polls at the least");
    assert_eq!(polls_taken_singly(u32::MAX), 31);
    assert!((31..61).contains(&polls_taken_singly(10)), "{}", polls_taken_singly(10));
}
