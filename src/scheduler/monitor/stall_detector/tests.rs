//! The decision, without threads: a table of samples, and what follows from each.

#![forbid(unsafe_code)]

use super::*;

const MILLI: Duration = Duration::from_millis(1);

/// A series of samples in one runtime.
struct Watch {
    detector: StallDetector,
    start: Instant,
    asked: Vec<usize>,
}

/// A worker in its `n`th poll.
fn polling(n: u64) -> Seen {
    Seen { ticks: 2 * n + 1, is_blocked: false, has_tasks: false, polls: n as usize }
}

/// A worker between two polls.
fn between(n: u64) -> Seen {
    Seen { ticks: 2 * n, is_blocked: false, has_tasks: false, polls: n as usize }
}

fn with_tasks(seen: Seen) -> Seen {
    Seen { has_tasks: true, ..seen }
}

fn blocked(seen: Seen) -> Seen {
    Seen { is_blocked: true, ..seen }
}

#[derive(Clone, Copy)]
struct Others {
    work_waits: bool,
    has_idle_worker: bool,
}

/// Work waits that no worker is free for.
const BACKLOG: Others = Others { work_waits: true, has_idle_worker: false };
const NOTHING_WAITS: Others = Others { work_waits: false, has_idle_worker: false };
const IDLERS: Others = Others { work_waits: false, has_idle_worker: true };

impl Watch {
    fn new() -> Self {
        Watch { detector: StallDetector::new(), start: Instant::now(), asked: Vec::new() }
    }

    /// A sample at `at` milliseconds, with the workers in `asleep` asleep.
    fn assess(&mut self, at: f64, workers: &[Seen], others: Others, asleep: &[usize]) -> Verdict {
        let sample = Sample {
            now: self.start + MILLI.mul_f64(at),
            workers: workers.to_vec(),
            work_waits: others.work_waits,
            has_idle_worker: others.has_idle_worker,
        };
        self.asked.clear();
        self.detector.assess(&sample, |worker| {
            self.asked.push(worker);
            asleep.contains(&worker)
        })
    }
}

#[test]
fn a_poll_that_sleeps_is_stuck_after_a_millisecond() {
    let mut watch = Watch::new();
    let workers = [polling(1), polling(1)];
    assert_eq!(watch.assess(0.0, &workers, BACKLOG, &[0]).stuck, []);
    assert_eq!(watch.assess(0.9, &workers, BACKLOG, &[0]).stuck, []);
    assert_eq!(watch.asked, []);
    assert_eq!(watch.assess(1.0, &workers, BACKLOG, &[0]).stuck, [0]);
    assert_eq!(watch.asked, [0, 1]);
}

#[test]
fn a_poll_that_computes_is_stuck_after_ten() {
    let mut watch = Watch::new();
    let workers = [polling(1), polling(1)];
    for at in 0..10 {
        assert_eq!(watch.assess(at.into(), &workers, BACKLOG, &[]).stuck, [], "at {at} ms");
    }
    assert_eq!(watch.assess(10.0, &workers, BACKLOG, &[]).stuck, [0, 1]);
}

#[test]
fn who_is_stuck_is_said_once_for_each_poll() {
    let mut watch = Watch::new();
    watch.assess(0.0, &[polling(1)], BACKLOG, &[0]);
    assert_eq!(watch.assess(2.0, &[polling(1)], BACKLOG, &[0]).stuck, [0]);
    assert_eq!(watch.assess(30.0, &[polling(1)], BACKLOG, &[0]).stuck, []);
    assert_eq!(watch.assess(31.0, &[polling(2)], BACKLOG, &[0]).stuck, []);
    assert_eq!(watch.assess(32.0, &[polling(2)], BACKLOG, &[0]).stuck, [0]);
}

#[test]
fn a_worker_that_moves_is_never_stuck() {
    let mut watch = Watch::new();
    for at in 0..100 {
        let workers = [polling(at), between(at)];
        assert_eq!(watch.assess(at as f64, &workers, BACKLOG, &[0, 1]).stuck, []);
    }
    assert_eq!(watch.asked, []);
}

#[test]
fn nobody_is_stuck_while_nothing_waits() {
    let mut watch = Watch::new();
    for at in 0..100 {
        let workers = [polling(1)];
        assert_eq!(watch.assess(at.into(), &workers, NOTHING_WAITS, &[0]).stuck, []);
    }
    assert_eq!(watch.asked, [], "the system is asked for suspects only");
}

#[test]
fn nobody_is_stuck_while_somebody_is_free_for_what_waits() {
    let mut watch = Watch::new();
    for at in 0..100 {
        let workers = [polling(1), between(1)];
        let others = Others { work_waits: true, has_idle_worker: true };
        assert_eq!(watch.assess(at.into(), &workers, others, &[0]).stuck, []);
    }
}

#[test]
fn a_worker_between_two_polls_or_that_has_said_it_blocks_is_not_stuck() {
    let mut watch = Watch::new();
    for at in 0..100 {
        let workers = [between(1), blocked(polling(1))];
        assert_eq!(watch.assess(at.into(), &workers, BACKLOG, &[0, 1]).stuck, []);
    }
}

#[test]
fn while_somebody_sees_to_what_waits_nobody_that_computes_is_replaced() {
    let mut watch = Watch::new();
    for at in 0..100 {
        // The second worker's polls take five milliseconds each.
        let workers = [polling(1), polling(at / 5)];
        assert_eq!(watch.assess(at as f64, &workers, BACKLOG, &[]).stuck, [], "at {at} ms");
    }
    let workers = [polling(1), polling(19)];
    for at in 100..105 {
        assert_eq!(watch.assess(at.into(), &workers, BACKLOG, &[]).stuck, [], "at {at} ms");
    }
    assert_eq!(watch.assess(105.0, &workers, BACKLOG, &[]).stuck, [0, 1]);
}

#[test]
fn one_that_is_stuck_or_blocked_does_not_see_to_what_waits() {
    let mut watch = Watch::new();
    let workers = |at| [polling(1), polling(1), blocked(polling(at))];
    for at in 0..10 {
        let stuck = watch.assess(at as f64, &workers(at), BACKLOG, &[0]).stuck;
        assert_eq!(stuck, if at == 1 { vec![0] } else { vec![] }, "at {at} ms");
    }
    assert_eq!(watch.assess(10.0, &workers(10), BACKLOG, &[0]).stuck, [1]);
}

#[test]
fn computing_counts_from_the_time_that_others_wait() {
    let mut watch = Watch::new();
    for at in 0..50 {
        watch.assess(at.into(), &[polling(1)], NOTHING_WAITS, &[]);
    }
    for at in 50..60 {
        assert_eq!(watch.assess(at.into(), &[polling(1)], BACKLOG, &[]).stuck, [], "at {at} ms");
    }
    assert_eq!(watch.assess(60.0, &[polling(1)], BACKLOG, &[]).stuck, [0]);
}

#[test]
fn one_that_has_slept_for_long_is_stuck_as_soon_as_others_wait() {
    let mut watch = Watch::new();
    watch.assess(0.0, &[polling(1)], NOTHING_WAITS, &[0]);
    assert_eq!(watch.assess(50.0, &[polling(1)], BACKLOG, &[0]).stuck, [0]);
}

#[test]
fn a_task_in_a_workers_own_queue_waits_too() {
    let mut watch = Watch::new();
    let workers = [with_tasks(polling(1))];
    watch.assess(0.0, &workers, NOTHING_WAITS, &[0]);
    assert_eq!(watch.assess(1.0, &workers, NOTHING_WAITS, &[0]).stuck, [0]);
}

#[test]
fn one_that_computes_is_asked_for_less_and_less() {
    let mut watch = Watch::new();
    let asked = (0..10).filter(|&at| {
        watch.assess(at.into(), &[polling(1)], BACKLOG, &[]);
        !watch.asked.is_empty()
    });
    assert_eq!(asked.collect::<Vec<_>>(), [1, 2, 4, 8]);
}

#[test]
fn when_those_that_step_in_fall_asleep_in_turn_more_and_more_may() {
    let mut watch = Watch::new();
    let mut extra = Vec::new();
    for at in 0..6_u64 {
        // The workers that were awake at the last sample are asleep now.
        let asleep: Vec<_> = (0..=at as usize).collect();
        let workers = vec![polling(1); at as usize + 2];
        extra.push(watch.assess(at as f64, &workers, BACKLOG, &asleep).extra);
    }
    assert_eq!(extra, [0, 0, 1, 2, 4, 8]);
}

#[test]
fn while_most_of_those_that_step_in_go_on_no_more_than_those_may() {
    let mut watch = Watch::new();
    for at in 0..50_u64 {
        // Three move, and one more is asleep at each sample.
        let mut workers = vec![polling(at); 3];
        workers.extend(vec![polling(1); at as usize + 1]);
        let asleep: Vec<_> = (3..workers.len()).collect();
        assert_eq!(watch.assess(at as f64, &workers, BACKLOG, &asleep).extra, 0, "at {at} ms");
    }
}

#[test]
fn those_that_compute_are_replaced_and_no_more() {
    let mut watch = Watch::new();
    for at in 0..100_u64 {
        let workers = vec![polling(1); 1 + at as usize / 10];
        assert_eq!(watch.assess(at as f64, &workers, BACKLOG, &[]).extra, 0, "at {at} ms");
    }
}

#[test]
fn ten_calm_milliseconds_and_no_more_than_configured_may() {
    let mut watch = Watch::new();
    let workers = [polling(1), polling(1)];
    watch.assess(0.0, &workers, BACKLOG, &[]);
    watch.assess(1.0, &workers, BACKLOG, &[0]);
    assert_eq!(watch.assess(2.0, &workers, BACKLOG, &[0, 1]).extra, 1);
    let calm = [polling(2), polling(2)];
    assert_eq!(watch.assess(3.0, &calm, IDLERS, &[]).extra, 1);
    assert_eq!(watch.assess(11.9, &calm, IDLERS, &[]).extra, 1);
    assert_eq!(watch.assess(12.0, &calm, IDLERS, &[]).extra, 0);
}

#[test]
fn what_a_worker_has_beside_a_poll_that_does_not_end_goes_to_those_that_are_idle() {
    let mut watch = Watch::new();
    let workers = [with_tasks(polling(1)), between(1)];
    let mut neglect = |at, workers: &[Seen]| {
        let verdict = watch.assess(at, workers, IDLERS, &[]);
        (verdict.neglecting, verdict.perhaps_neglecting)
    };
    assert_eq!(neglect(0.0, &workers), (vec![], vec![0]));
    assert_eq!(neglect(0.4, &workers), (vec![0], vec![]));
    let moved = [with_tasks(polling(2)), between(1)];
    assert_eq!(neglect(0.8, &moved), (vec![], vec![0]));
    assert_eq!(neglect(1.2, &[polling(2), with_tasks(between(1))]), (vec![], vec![]));
}

#[test]
fn looks_are_more_frequent_beside_somebody_idle() {
    let mut watch = Watch::new();
    assert_eq!(watch.assess(0.0, &[polling(1)], IDLERS, &[]).next_sample, BESIDE_IDLERS);
    assert_eq!(watch.assess(1.0, &[polling(1)], BACKLOG, &[]).next_sample, WITHOUT_IDLERS);
    assert!(BESIDE_IDLERS < MILLI);
}

#[test]
fn a_worker_that_is_stuck_neglects_what_it_gets_later_even_if_nobody_is_idle() {
    let mut watch = Watch::new();
    watch.assess(0.0, &[polling(1)], BACKLOG, &[0]);
    assert_eq!(watch.assess(1.0, &[polling(1)], BACKLOG, &[0]).stuck, [0]);
    assert_eq!(watch.assess(2.0, &[with_tasks(polling(1))], BACKLOG, &[0]).neglecting, [0]);
}

#[test]
fn it_is_quiet_when_nothing_waits_and_nothing_has_moved() {
    let mut watch = Watch::new();
    assert!(!watch.assess(0.0, &[polling(1)], NOTHING_WAITS, &[]).is_quiet, "the first look");
    assert!(watch.assess(1.0, &[polling(1)], NOTHING_WAITS, &[]).is_quiet);
    assert!(!watch.assess(2.0, &[polling(1)], BACKLOG, &[]).is_quiet, "work waits");
    assert!(!watch.assess(3.0, &[with_tasks(polling(1))], IDLERS, &[]).is_quiet, "a task waits");
    assert!(!watch.assess(4.0, &[polling(2)], IDLERS, &[]).is_quiet, "a worker has moved");
    assert!(watch.assess(5.0, &[polling(2)], IDLERS, &[]).is_quiet);
    watch.assess(6.0, &[polling(2)], BACKLOG, &[0]);
    watch.assess(7.0, &[polling(2), polling(1)], BACKLOG, &[]);
    assert_eq!(watch.assess(8.0, &[polling(2), polling(1)], BACKLOG, &[1]).extra, 1);
    let calm = [polling(2), polling(1)];
    assert!(!watch.assess(9.0, &calm, NOTHING_WAITS, &[]).is_quiet, "more may run than configured");
    assert!(watch.assess(30.0, &calm, NOTHING_WAITS, &[]).is_quiet);
}

#[test]
fn workers_come_and_go() {
    let mut watch = Watch::new();
    watch.assess(0.0, &[polling(1), polling(1), polling(1)], BACKLOG, &[]);
    assert_eq!(watch.assess(5.0, &[polling(1)], BACKLOG, &[]).stuck, []);
    // After a slot was empty in between, its poll counts as new.
    assert_eq!(watch.assess(10.0, &[polling(1), polling(1)], BACKLOG, &[]).stuck, []);
    assert_eq!(watch.assess(20.0, &[polling(1), polling(1)], BACKLOG, &[]).stuck, [0, 1]);
}

#[test]
fn how_long_a_poll_is_held_counts_from_when_it_was_first_seen() {
    let mut watch = Watch::new();
    let at = |ms| watch.start + MILLI * ms;
    let (ten, twenty) = (at(10), at(20));
    watch.assess(10.0, &[polling(1)], NOTHING_WAITS, &[]);
    assert_eq!(watch.detector.held_for(0, ten), Duration::ZERO);
    watch.assess(20.0, &[polling(1)], NOTHING_WAITS, &[]);
    assert_eq!(watch.detector.held_for(0, twenty), MILLI * 10);
    assert_eq!(watch.detector.held_for(7, twenty), Duration::ZERO);
}

#[test]
fn a_worker_whose_polls_are_long_is_slow_and_one_whose_polls_are_short_is_not() {
    let mut watch = Watch::new();
    watch.assess(0.0, &[polling(100), polling(100)], NOTHING_WAITS, &[]);
    let workers = [polling(160), polling(161)];
    assert_eq!(watch.assess(1.0, &workers, NOTHING_WAITS, &[]).slow, [0]);
    let workers = [between(160), polling(400)];
    assert_eq!(watch.assess(2.0, &workers, NOTHING_WAITS, &[]).slow, [], "it is between two polls");
}

#[test]
fn nobody_is_slow_while_somebody_is_free_for_what_waits() {
    let mut watch = Watch::new();
    for at in 0..10 {
        assert_eq!(watch.assess(at.into(), &[polling(1)], IDLERS, &[]).slow, []);
    }
}

#[test]
fn a_poll_that_lasts_while_something_waits_is_overdue() {
    let mut watch = Watch::new();
    let workers = [polling(1), with_tasks(polling(1))];
    assert_eq!(watch.assess(0.0, &workers, BACKLOG, &[]).overdue, [], "it may have just begun");
    assert_eq!(watch.assess(1.0, &workers, BACKLOG, &[]).overdue, [0, 1]);
    let workers = [polling(2), polling(1)];
    assert_eq!(
        watch.assess(2.0, &workers, BACKLOG, &[]).overdue,
        [1],
        "the other has begun a new one"
    );
    assert_eq!(watch.assess(3.0, &workers, NOTHING_WAITS, &[]).overdue, []);
}

/// A pace that stays low would cost short polls a look each.
#[test]
fn a_pace_is_told_only_while_it_is_known() {
    let begun = |polls| Seen { polls, ..polling(polls as u64 * 2 + 1) };
    let mut watch = Watch::new();
    let mut paces = |at, workers: &[Seen], others| watch.assess(at, workers, others, &[]).paces;
    assert_eq!(paces(0.0, &[begun(50)], BACKLOG), [UNKNOWN_PACE], "it is new");
    assert_eq!(paces(1.0, &[begun(150), begun(70)], BACKLOG), [10, UNKNOWN_PACE]);
    assert_eq!(paces(1.5, &[begun(250), begun(75)], BACKLOG), [20, 1], "half a millisecond");
    assert_eq!(paces(7.5, &[begun(850), begun(76)], BACKLOG), [10, 0], "six of them");
    assert_eq!(paces(8.5, &[begun(950), begun(76)], BACKLOG), [10, UNKNOWN_PACE], "none begun");
    assert_eq!(paces(9.5, &[begun(960), begun(77)], IDLERS), [UNKNOWN_PACE; 2]);
}
