//! Looks at connections, with limits of two and six looks.

#![forbid(unsafe_code)]

use super::Verdict::{Closes, Ends, GoesOn};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn observed(limits: Limits) -> (Arc<Activity>, Observer) {
    let activity = Arc::new(Activity::new());
    let observer = Observer::new(activity.clone(), limits, limits.interval().unwrap());
    (activity, observer)
}

fn both() -> (Arc<Activity>, Observer) {
    observed(Limits { header: Some(2 * SECOND), idle: Some(6 * SECOND) })
}

/// How many looks it takes until the connection is to close.
fn looks(observer: &mut Observer) -> usize {
    (1..100).find(|_| observer.look() == Closes).expect("it has a limit")
}

#[test]
fn a_silent_connection_closes_at_its_limit_and_then_ends() {
    let (_, mut observer) = both();
    assert_eq!(observer.interval(), SECOND);
    assert_eq!(looks(&mut observer), 2);
    assert_eq!(observer.look(), Ends);
}

#[test]
fn the_first_head_has_its_time_from_the_start() {
    let (activity, mut observer) = both();
    observer.look();
    activity.note_read();
    assert_eq!(observer.look(), Closes);
}

#[test]
fn a_request_that_comes_in_two_parts_after_a_pause_has_its_time() {
    let (activity, mut observer) = both();
    drop(activity.begin(Kind::Whole));
    for _ in 0..5 {
        assert_eq!(observer.look(), GoesOn);
    }
    activity.note_read();
    // The first of them has seen the new head.
    assert_eq!(looks(&mut observer), 3);
}

#[test]
fn a_head_that_trickles_in_has_no_more_time() {
    let (activity, mut observer) = both();
    drop(activity.begin(Kind::Whole));
    observer.look();
    let looks = (1..100).find(|_| {
        activity.note_read();
        observer.look() == Closes
    });
    assert_eq!(looks, Some(3));
}

#[test]
fn without_a_limit_for_heads_that_of_idle_connections_holds() {
    let (activity, mut observer) = observed(Limits { header: None, idle: Some(2 * SECOND) });
    activity.note_read();
    assert_eq!(looks(&mut observer), 2);
    let (activity, mut observer) = observed(Limits { header: None, idle: Some(2 * SECOND) });
    drop(activity.begin(Kind::Whole));
    let looks = (1..100).find(|_| {
        activity.note_read();
        observer.look() == Closes
    });
    assert_eq!(looks, Some(3), "a byte from time to time does not help");
}

#[test]
fn a_connection_without_a_limit_for_idle_ones_still_has_one_for_heads() {
    let (activity, mut observer) = observed(Limits { header: Some(2 * SECOND), idle: None });
    drop(activity.begin(Kind::Whole));
    for _ in 0..50 {
        assert_eq!(observer.look(), GoesOn);
    }
    activity.note_read();
    assert_eq!(looks(&mut observer), 3);
}

#[test]
fn work_has_no_limit_and_an_answer_has_none_while_the_peer_takes_it() {
    let (activity, mut observer) = both();
    let mut work = activity.begin(Kind::Whole);
    work.go_on();
    for _ in 0..50 {
        assert_eq!(observer.look(), GoesOn);
    }
    // `hyper` has all of it.
    work.rest();
    for _ in 0..50 {
        activity.note_written(1);
        assert_eq!(observer.look(), GoesOn);
    }
    assert_eq!(looks(&mut observer), 6, "the peer takes no more");
    // It had the whole limit. From now on every look counts, but it may still go on.
    activity.note_written(1);
    assert_eq!(observer.look(), GoesOn);
    work.go_on();
    assert_eq!(observer.look(), GoesOn);
    drop(work);
    assert_eq!(observer.look(), Ends);
}

#[test]
fn pings_are_no_use_of_a_connection_of_http2_but_answers_and_tunnels_are() {
    let (activity, mut observer) = both();
    drop(activity.begin(Kind::Stream));
    observer.look();
    activity.note_read();
    activity.note_written(LONGEST_PONG);
    assert_eq!(observer.quiet, 0);
    observer.look();
    assert_eq!(observer.quiet, 1);
    activity.note_written(LONGEST_PONG + 1);
    observer.look();
    assert_eq!(observer.quiet, 0);
    drop(activity.begin(Kind::Tunnel));
    drop(activity.begin(Kind::Stream));
    observer.look();
    for note in
        [|activity: &Activity| activity.note_read(), |activity: &Activity| activity.note_written(1)]
    {
        observer.look();
        assert_eq!(observer.quiet, 1);
        note(&activity);
        observer.look();
        assert_eq!(observer.quiet, 0);
    }
}

#[test]
fn a_body_that_is_read_after_its_answer_is_no_head() {
    let (activity, mut observer) = both();
    drop(activity.begin(Kind::WithBody));
    for _ in 0..50 {
        activity.note_read();
        assert_eq!(observer.look(), GoesOn);
    }
    assert_eq!(looks(&mut observer), 6);
}

/// They are added up in no number that could overflow.
#[test]
fn limits_of_any_length_are_possible() {
    let (_, mut observer) = observed(Limits { header: Some(Duration::MAX), idle: None });
    observer.quiet = u32::MAX - 1;
    assert_eq!(observer.look(), Closes);
    let (_, mut observer) = observed(Limits { header: Some(Duration::ZERO), idle: None });
    assert_eq!(observer.interval(), Duration::from_millis(1));
    assert_eq!(observer.look(), Closes);
}
