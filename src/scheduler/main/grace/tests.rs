//! The decision, without threads: what main's thread sees after each nap, and what follows.

#![forbid(unsafe_code)]

use super::*;

const GRACE: Duration = Duration::from_millis(100);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `living` goroutines, each in a poll on a worker of its own.
fn running(living: usize) -> Observation {
    Observation {
        living,
        finished: 0,
        nested: 0,
        blocking_changes: 0,
        in_poll: living,
        workers: living,
    }
}

fn nested(living: usize) -> Observation {
    Observation { nested: living, ..running(living) }
}

/// Looks as main's thread does, nap after nap, until the verdict is to stop. Returns how long it
/// slept.
fn wait(grace: &mut Grace, mut seen: impl FnMut(Duration) -> Observation) -> (Verdict, Duration) {
    let (mut at, mut slept) = (Duration::ZERO, Duration::ZERO);
    loop {
        match grace.assess(&seen(at), slept, || false) {
            Verdict::Wait(nap) | Verdict::WakeWorker(nap) | Verdict::StartWorker(nap) => {
                (at, slept) = (at + nap, nap);
            }
            end => return (end, at),
        }
        assert!(at < millis(1_000_000), "it goes on for ever");
    }
}

#[track_caller]
fn assert_ends(
    (verdict, after): (Verdict, Duration),
    expected: Verdict,
    between: std::ops::RangeInclusive<u64>,
) {
    assert_eq!(verdict, expected);
    assert!(
        millis(*between.start()) <= after && after <= millis(*between.end()),
        "after {after:?}, not between {between:?} ms"
    );
}

#[test]
fn without_goroutines_exit_is_done() {
    assert_eq!(Grace::new(GRACE).assess(&running(0), Duration::ZERO, || false), Verdict::Done);
}

#[test]
fn one_that_does_not_suspend_is_given_up_after_the_grace() {
    assert_ends(wait(&mut Grace::new(GRACE), |_| running(1)), Verdict::GiveUp, 100..=160);
}

#[test]
fn the_least_grace_is_ten_milliseconds() {
    let mut grace = Grace::new(Duration::ZERO);
    let nobody_to_start = |_| Observation { workers: 2, in_poll: 1, ..running(1) };
    assert_ends(wait(&mut grace, nobody_to_start), Verdict::GiveUp, 10..=12);
}

#[test]
fn each_that_ends_renews_the_grace() {
    let seen = |at: Duration| running(20 - (at.as_millis() / 90).min(20) as usize);
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::Done, 1800..=1830);
}

#[test]
fn what_comes_back_to_a_number_there_was_does_not_renew_the_grace() {
    // Refused spawns are counted for a moment.
    let seen = |at: Duration| running(1 + at.as_millis() as usize % 2);
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 100..=121);
}

#[test]
fn blocking_that_begins_and_ends_does_not_renew_the_grace() {
    let seen = |at: Duration| Observation { blocking_changes: at.as_micros() as u64, ..running(1) };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 100..=120);
    let seen = |at: Duration| Observation { blocking_changes: at.as_micros() as u64, ..nested(1) };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 100..=120);
}

#[test]
fn workers_that_come_and_go_do_not_renew_the_grace() {
    let seen = |at: Duration| {
        let in_poll = at.as_millis() as usize % 2;
        Observation { in_poll, workers: 1, ..running(1) }
    };
    // A second, because a goroutine seems to wait for a worker that is free now and then.
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 100..=1020);
}

#[test]
fn those_in_a_nested_block_on_are_given_up_after_ten_milliseconds() {
    assert_ends(wait(&mut Grace::new(GRACE), |_| nested(3)), Verdict::GiveUp, 10..=12);
    let endless = &mut Grace::new(Duration::MAX);
    assert_ends(wait(endless, |_| nested(1)), Verdict::GiveUp, 10..=12);
}

#[test]
fn one_that_begins_another_block_on_gets_ten_milliseconds_more() {
    let seen =
        |at: Duration| Observation { blocking_changes: u64::from(at >= millis(8)), ..nested(1) };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 18..=20);
}

#[test]
fn one_that_is_not_nested_keeps_those_that_are_from_being_given_up_early() {
    let seen = |_| Observation { nested: 2, ..running(3) };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 100..=120);
}

#[test]
fn a_free_worker_is_waited_for_a_second() {
    let seen = |_| Observation { in_poll: 0, ..running(1) };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 1000..=1020);
}

#[test]
fn a_worker_without_a_core_is_waited_for_a_second() {
    let mut grace = Grace::new(GRACE);
    let mut look = |slept| grace.assess(&running(1), millis(slept), || true);
    assert!(matches!(look(0), Verdict::Wait(_)));
    for _ in 0..MAX_EXIT_WORKERS {
        assert!(matches!(look(1), Verdict::StartWorker(_)));
    }
    assert!(matches!(look(900), Verdict::Wait(_)));
    assert_eq!(look(100), Verdict::GiveUp);
}

#[test]
fn an_endless_grace_does_not_end() {
    let mut grace = Grace::new(Duration::MAX);
    for _ in 0..1000 {
        let verdict = grace.assess(&running(1), millis(1_000_000), || false);
        assert!(!matches!(verdict, Verdict::GiveUp | Verdict::Done), "{verdict:?}");
    }
}

#[test]
fn a_worker_that_is_free_is_woken_and_one_is_started_if_none_is() {
    let mut grace = Grace::new(GRACE);
    let mut look = |seen: Observation| grace.assess(&seen, NAP, || false);
    assert!(matches!(look(running(2)), Verdict::Wait(_)), "it has just begun");
    assert!(matches!(look(Observation { workers: 3, ..running(2) }), Verdict::WakeWorker(_)));
    assert!(matches!(look(running(2)), Verdict::StartWorker(_)));
    assert!(matches!(look(nested(2)), Verdict::Wait(_)), "nobody could do anything for them");
}

#[test]
fn so_many_workers_are_started_and_no_more() {
    let mut grace = Grace::new(Duration::MAX);
    let started = (0..1000)
        .filter(|_| matches!(grace.assess(&running(1), NAP, || false), Verdict::StartWorker(_)))
        .count();
    assert_eq!(started, MAX_EXIT_WORKERS);
}

#[test]
fn main_looks_less_often_the_longer_it_waits() {
    let mut grace = Grace::new(Duration::MAX);
    let mut looks = 0;
    let mut at = Duration::ZERO;
    let mut slept = Duration::ZERO;
    while at < millis(2000) {
        looks += 1;
        match grace.assess(&running(1), slept, || false) {
            Verdict::Wait(nap) | Verdict::StartWorker(nap) => (at, slept) = (at + nap, nap),
            verdict => panic!("{verdict:?}"),
        }
    }
    assert!(looks < 200, "{looks} looks in two seconds");
}

#[test]
fn a_chain_in_which_each_starts_the_next_is_followed_for_a_second() {
    let seen = |at: Duration| Observation { finished: at.as_micros() as u64, ..running(1) };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::GiveUp, 1100..=1120);
    let seen = |at: Duration| Observation {
        finished: at.as_micros() as u64,
        ..running(usize::from(at < millis(900)))
    };
    assert_ends(wait(&mut Grace::new(GRACE), seen), Verdict::Done, 900..=901);
}
