//! Time: what timers promise, hazard by hazard.

mod common;

#[path = "time/after_func.rs"]
mod after_func;
#[path = "time/channels.rs"]
mod channels;
#[path = "time/go_tests.rs"]
mod go_tests;
#[path = "time/misuse.rs"]
mod misuse;
#[path = "time/sleeping.rs"]
mod sleeping;
#[path = "time/stuck_workers.rs"]
mod stuck_workers;
#[path = "time/ticking.rs"]
mod ticking;

use std::time::Duration;

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Those of the tests above whose goroutines meet, under schedules that a simulation chooses.
#[test]
fn an_order_that_seldom_occurs_breaks_a_promise() {
    common::simulate![
        after_func::a_call_comes_once_and_not_too_early_whether_its_owner_stays_or_goes,
        after_func::a_call_may_plan_the_next_one,
        after_func::a_call_that_is_reset_comes_at_the_new_time_alone,
        channels::a_ticker_is_closed_by_its_receiver,
        channels::after_nothing_is_there_at_once,
        channels::an_alarm_that_has_rung_is_not_chosen_again,
        channels::selects_take_turns_between_two_tickers_and_an_end,
        channels::ticks_are_not_early_and_those_nobody_takes_are_dropped,
        go_tests::a_panic_beside_a_timer_leaves_the_timers_usable,
        go_tests::a_period_too_long_for_the_clock_does_not_tick_for_ever,
        go_tests::a_sleep_of_no_time_does_not_hang,
        go_tests::a_ticker_keeps_one_tick_and_gives_it_to_one_of_those_who_wait,
        go_tests::a_timer_due_before_all_others_is_not_overlooked,
        go_tests::dropping_a_ticker_does_not_hang,
        go_tests::ten_waits_take_ten_times_as_long_as_one,
        go_tests::ticks_come_at_their_rate_until_the_receiver_is_dropped,
        go_tests::timers_fire_in_the_order_of_their_times,
        sleeping::a_deadline_that_has_passed_is_a_limit_of_zero,
        sleeping::a_duration_beyond_the_clock_overflows_nothing_and_does_not_end,
        sleeping::a_future_that_gives_way_is_not_late,
        sleeping::a_future_that_takes_too_long_is_dropped_and_the_error_says_the_limit,
        sleeping::a_goroutine_whose_sleeps_are_always_over_gives_way,
        sleeping::a_sleep_that_is_reset_and_awaited_elsewhere_wakes_that_one,
        sleeping::a_timeout_that_loses_to_the_future_wakes_nobody_later,
        sleeping::timers_that_others_wake_for_fire_too,
        stuck_workers::a_waker_without_data_is_not_taken_for_gorun_s,
        ticking::a_goroutine_whose_ticks_are_always_due_gives_way,
        ticking::a_period_beyond_the_clock_ticks_once,
        ticking::a_stream_of_ticks_loses_none_that_it_was_not_asked_for_to_the_end,
        ticking::a_stream_of_ticks_wakes_the_goroutine_that_asks_last,
        ticking::a_tick_that_is_dropped_while_it_waits_is_not_lost,
        ticking::an_interval_ticks_at_once_and_then_never_early,
    ];
}
