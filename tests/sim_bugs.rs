//! Bugs that were planted in small programs: a simulation finds each, and none in the same program without it.
//!
//! The schedule that fails, as the median over 20 base seeds (least to most), with `Random` and with three changes of
//! PCT; and how many of 10,000 ordinary runs fail, in a debug build with two workers on two busy cores. Two ignored
//! tests measure that. Each test uses `Random`, but for the writer's. Programs on several hosts have no ordinary runs.
//!
//! | | `Random` | `Pct` | ordinary |
//! |---|---|---|---|
//! | a deposit is lost across an await | 2 (1-5) | 2 (2-5) | 115 |
//! | a head of a stack comes back (ABA) | 67 (7-677) | none of 5,000 | 0 |
//! | a voter votes twice | 3 (2-16) | 9 (2-45) | 53 |
//! | a wake is lost in a future made by hand | 3 (1-21) | 3 (2-7) | 3 |
//! | a cancellation is missed before the wait | 3 (1-11) | 2 (2-11) | 6 |
//! | a condition is asked once | 8 (1-60) | 27 (2-114) | 23 |
//! | locks are taken in a circle | 13 (1-41) | 6 (2-22) | 0 |
//! | a writer starves | 2 (1-4) | 2 (1-6) | 9,771 |
//! | an abort keeps a permit | 8 (1-58) | 10 (2-52) | 0 |
//! | a send comes after close | 6 (1-19) | 3 (2-8) | 2 |
//! | a retry delivers twice | 6 (1-23) | 4 (2-13) | 15 |
//! | a select drops what it took | 3 (1-9) | 3 (2-15) | 0 |
//! | an answer comes at the limit | 2 (1-7) | 2 (1-6) | 0 |
//! | a watcher is left on a rare path | 6 (1-28) | 5 (2-19) | 97 |
//! | a leader outlives its lease | 24 (1-90) | 11 (2-82) | - |
//! | a read is taken for a message | 2 (1-5) | 1 (1-3) | - |
//! | an old request comes again | 4 (1-15) | 3 (1-15) | - |

#[path = "sim_bugs/hunt.rs"]
mod hunt;
#[path = "sim_bugs/locks.rs"]
mod locks;
#[path = "sim_bugs/messages.rs"]
mod messages;
#[path = "sim_bugs/network.rs"]
mod network;
#[path = "sim_bugs/paths.rs"]
mod paths;
#[path = "sim_bugs/updates.rs"]
mod updates;
#[path = "sim_bugs/waits.rs"]
mod waits;

use gorun::sim::net::Network;
use hunt::{Bug, PCT, RANDOM};

const DEADLOCK: &str = "a deadlock: main and all goroutines wait";
const LEAK: &str = "goroutines are left when main ends";

/// For each program: a constant, and two tests.
macro_rules! bugs {
    ($($name:ident: $program:path, $shows:expr, $strategy:expr, $setting:ident $value:expr;)*) => {
        const ALL: &[Bug] = &[$($name::BUG),*];

        $(mod $name {
            use super::*;

            pub(super) const BUG: Bug = Bug {
                name: stringify!($name),
                shows: $shows,
                setting: hunt::$setting($value),
                program: |planted| hunt::in_a_goroutine($program(planted)),
            };

            #[test]
            fn is_found() {
                BUG.is_found($strategy);
            }

            #[test]
            fn is_not_imagined() {
                BUG.is_not_imagined();
            }
        })*
    };
}

bugs! {
    a_deposit_is_lost_across_an_await: updates::lost_update, "a deposit is lost", RANDOM, jitter 0;
    a_head_of_a_stack_comes_back: updates::same_head_again, "two have the same slot", RANDOM, jitter 0;
    a_voter_votes_twice: updates::two_leaders, "there are two leaders", RANDOM, jitter 0;
    a_wake_is_lost_in_a_future_made_by_hand: waits::lost_wake, DEADLOCK, RANDOM, jitter 0;
    a_cancellation_is_missed_before_the_wait: waits::missed_cancellation, DEADLOCK, RANDOM, jitter 0;
    a_condition_is_asked_once: waits::condition_asked_once, "it was woken for an item", RANDOM, jitter 0;
    locks_are_taken_in_a_circle: locks::order_of_locks, DEADLOCK, RANDOM, jitter 0;
    a_writer_starves: locks::starving_writer, "the writer starves", PCT, jitter 0;
    an_abort_keeps_a_permit: locks::permit_of_an_aborted_query, DEADLOCK, RANDOM, jitter 0;
    a_send_comes_after_close: messages::send_after_close, "the feed is open", RANDOM, jitter 0;
    a_retry_delivers_twice: messages::delivered_twice, "a message is delivered twice", RANDOM, jitter 0;
    a_select_drops_what_it_took: messages::dropped_by_select, "a message is lost", RANDOM, jitter 0;
    an_answer_comes_at_the_limit: paths::answer_at_the_limit, "a seat is lost", RANDOM, jitter 2;
    a_watcher_is_left_on_a_rare_path: paths::watcher_is_left, LEAK, RANDOM, jitter 0;
    a_leader_outlives_its_lease: network::leader_of_the_past, "a leader of the past", RANDOM, network Network::new;
    a_read_is_taken_for_a_message: network::read_is_a_message, "not understood", RANDOM, network Network::new;
    an_old_request_comes_again: network::old_request_again, "made twice", RANDOM, network network::unreliable;
}

/// For the table above.
#[test]
#[ignore = "it measures"]
fn schedules_until_one_fails() {
    ALL.iter().for_each(Bug::print_schedules);
}

/// The same.
#[test]
#[ignore = "it measures"]
fn ordinary_runs_that_fail() {
    let on_one_host = ALL.iter().filter(|bug| bug.is_on_one_host());
    on_one_host.for_each(|bug| bug.print_ordinary_failures(10_000));
}
