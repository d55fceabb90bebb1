//! Which case is chosen: each that is ready with the same chance.

use gorun::{block_on, channel, select};

use crate::common::*;

const TRIES: usize = 1_000_000;

/// Five standard deviations of a binomial.
fn check(counts: &[usize], choices: usize) {
    let tries: usize = counts.iter().sum();
    let p = 1.0 / choices as f64;
    let sigma = (tries as f64 * p * (1.0 - p)).sqrt();
    for &count in counts {
        let off = (count as f64 - tries as f64 * p).abs();
        assert!(off < 5.0 * sigma, "{counts:?}: {:.1} sigma", off / sigma);
    }
}

fn full<T: Clone>(value: T) -> gorun::Receiver<T> {
    let (tx, rx) = channel(1);
    tx.try_send(value).ok().unwrap();
    // Closed, it would be ready for ever as well, but without a value.
    drop(tx);
    rx
}

#[test]
pub(crate) fn of_two_ready_cases_each_is_chosen_half_of_the_times() {
    let _watchdog = watchdog();
    let (a, b) = (full(()), full(()));
    let mut counts = [0; 2];
    block_on(async {
        for _ in 0..TRIES {
            counts[select! { _ = a.recv() => 0, _ = b.recv() => 1 }] += 1;
        }
    });
    check(&counts, 2);
}

#[test]
pub(crate) fn a_case_that_is_not_ready_changes_nothing_for_the_others() {
    let _watchdog = watchdog();
    let (a, b) = (full(()), full(()));
    let (_tx, never) = channel::<()>(0);
    // In each place.
    for place in 0..3 {
        let mut counts = [0; 2];
        for _ in 0..TRIES / 3 {
            let chosen = match place {
                0 => select! { _ = never.recv() => 2, _ = a.recv() => 0, _ = b.recv() => 1,
                default => 3 },
                1 => select! { _ = a.recv() => 0, _ = never.recv() => 2, _ = b.recv() => 1,
                default => 3 },
                _ => select! { _ = a.recv() => 0, _ = b.recv() => 1, _ = never.recv() => 2,
                default => 3 },
            };
            counts[chosen] += 1;
        }
        check(&counts, 2);
    }
}

#[test]
pub(crate) fn of_ten_ready_cases_each_is_chosen_one_time_in_ten() {
    let _watchdog = watchdog();
    let r: Vec<_> = (0..10).map(|_| full(())).collect();
    let mut counts = [0; 10];
    run(1, async {
        gorun::spawn(async move {
            for _ in 0..TRIES {
                let chosen = select! {
                    _ = r[0].recv() => 0,
                    _ = r[1].recv() => 1,
                    _ = r[2].recv() => 2,
                    _ = r[3].recv() => 3,
                    _ = r[4].recv() => 4,
                    _ = r[5].recv() => 5,
                    _ = std::future::ready(()) => 6,
                    _ = r[7].recv() => 7,
                    _ = r[8].recv() => 8,
                    _ = r[9].recv() => 9,
                };
                counts[chosen] += 1;
            }
            check(&counts, 10);
        })
        .await
        .unwrap();
    });
}

/// Also with `default`, where nothing waits.
#[test]
pub(crate) fn a_future_that_is_always_ready_leaves_channels_their_turn() {
    let _watchdog = watchdog();
    let (a, b) = (full(()), full(()));
    for has_default in [false, true] {
        let mut counts = [0; 3];
        block_on(async {
            for _ in 0..TRIES / 2 {
                counts[if has_default {
                    select! {
                        _ = a.recv() => 0,
                        () = std::future::ready(()) => 1,
                        _ = b.recv() => 2,
                        default => unreachable!(),
                    }
                } else {
                    select! {
                        _ = a.recv() => 0,
                        () = std::future::ready(()) => 1,
                        _ = b.recv() => 2,
                    }
                }] += 1;
            }
        });
        check(&counts, 3);
    }
}
