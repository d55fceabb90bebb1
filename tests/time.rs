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

// TRIAL
#[test]
fn trial() {
    let Ok(only) = std::env::var("ONLY") else { return };
    for (name, test) in [
        (
            "after_func::a_call_comes_once_and_not_too_early_whether_its_owner_stays_or_goes",
            after_func::a_call_comes_once_and_not_too_early_whether_its_owner_stays_or_goes
                as fn(),
        ),
        (
            "after_func::a_call_that_was_called_off_does_not_come",
            after_func::a_call_that_was_called_off_does_not_come as fn(),
        ),
        (
            "after_func::stop_says_the_truth_in_a_race_with_the_time",
            after_func::stop_says_the_truth_in_a_race_with_the_time as fn(),
        ),
        (
            "after_func::no_call_is_lost_or_made_twice_while_many_reset_and_stop",
            after_func::no_call_is_lost_or_made_twice_while_many_reset_and_stop as fn(),
        ),
        (
            "after_func::a_call_that_is_reset_comes_at_the_new_time_alone",
            after_func::a_call_that_is_reset_comes_at_the_new_time_alone as fn(),
        ),
        (
            "after_func::a_call_may_plan_the_next_one",
            after_func::a_call_may_plan_the_next_one as fn(),
        ),
        (
            "after_func::a_call_that_always_plans_another_at_once_gives_way_and_ends_with_main",
            after_func::a_call_that_always_plans_another_at_once_gives_way_and_ends_with_main
                as fn(),
        ),
        (
            "after_func::calls_that_have_not_come_when_main_ends_are_dropped_and_say_so",
            after_func::calls_that_have_not_come_when_main_ends_are_dropped_and_say_so as fn(),
        ),
        (
            "after_func::a_panic_of_the_function_is_one_of_a_goroutine_without_a_handle",
            after_func::a_panic_of_the_function_is_one_of_a_goroutine_without_a_handle as fn(),
        ),
        (
            "after_func::a_call_that_blocks_holds_up_neither_stop_nor_others",
            after_func::a_call_that_blocks_holds_up_neither_stop_nor_others as fn(),
        ),
        (
            "after_func::a_function_that_is_being_dropped_is_not_said_to_be_called_again",
            after_func::a_function_that_is_being_dropped_is_not_said_to_be_called_again as fn(),
        ),
        (
            "channels::after_sends_the_time_once_and_not_early",
            channels::after_sends_the_time_once_and_not_early as fn(),
        ),
        (
            "channels::after_nothing_is_there_at_once",
            channels::after_nothing_is_there_at_once as fn(),
        ),
        (
            "channels::ticks_are_not_early_and_those_nobody_takes_are_dropped",
            channels::ticks_are_not_early_and_those_nobody_takes_are_dropped as fn(),
        ),
        (
            "channels::an_alarm_that_has_rung_is_not_chosen_again",
            channels::an_alarm_that_has_rung_is_not_chosen_again as fn(),
        ),
        (
            "channels::a_timeout_in_a_select_that_loops_fires_when_nothing_else_happens",
            channels::a_timeout_in_a_select_that_loops_fires_when_nothing_else_happens as fn(),
        ),
        (
            "channels::selects_take_turns_between_two_tickers_and_an_end",
            channels::selects_take_turns_between_two_tickers_and_an_end as fn(),
        ),
        (
            "channels::a_thread_can_wait_for_an_alarm",
            channels::a_thread_can_wait_for_an_alarm as fn(),
        ),
        (
            "channels::alarms_are_closed_when_their_runtime_ends",
            channels::alarms_are_closed_when_their_runtime_ends as fn(),
        ),
        (
            "channels::a_ticker_is_closed_by_its_receiver",
            channels::a_ticker_is_closed_by_its_receiver as fn(),
        ),
        (
            "channels::a_ticker_goes_on_when_its_tick_has_been_taken",
            channels::a_ticker_goes_on_when_its_tick_has_been_taken as fn(),
        ),
        (
            "channels::a_ticker_that_several_share_goes_on_for_all",
            channels::a_ticker_that_several_share_goes_on_for_all as fn(),
        ),
        (
            "channels::a_runtime_that_ends_closes_a_ticker_whose_tick_was_left",
            channels::a_runtime_that_ends_closes_a_ticker_whose_tick_was_left as fn(),
        ),
        (
            "channels::a_thousand_tickers_that_nobody_listens_to_cost_nothing",
            channels::a_thousand_tickers_that_nobody_listens_to_cost_nothing as fn(),
        ),
        (
            "channels::a_waker_that_panics_does_not_end_a_ticker_for_others",
            channels::a_waker_that_panics_does_not_end_a_ticker_for_others as fn(),
        ),
        (
            "go_tests::a_sleep_is_not_cut_short_by_wakes_meant_for_something_else",
            go_tests::a_sleep_is_not_cut_short_by_wakes_meant_for_something_else as fn(),
        ),
        (
            "go_tests::a_timer_started_by_what_a_timer_woke_fires",
            go_tests::a_timer_started_by_what_a_timer_woke_fires as fn(),
        ),
        (
            "go_tests::ticks_go_on_while_other_timers_come_and_go",
            go_tests::ticks_go_on_while_other_timers_come_and_go as fn(),
        ),
        (
            "go_tests::many_goroutines_can_receive_from_one_ticker",
            go_tests::many_goroutines_can_receive_from_one_ticker as fn(),
        ),
        (
            "go_tests::a_timer_fires_although_the_only_worker_never_rests",
            go_tests::a_timer_fires_although_the_only_worker_never_rests as fn(),
        ),
        (
            "go_tests::ten_waits_take_ten_times_as_long_as_one",
            go_tests::ten_waits_take_ten_times_as_long_as_one as fn(),
        ),
        (
            "go_tests::a_timer_that_is_dropped_never_fires",
            go_tests::a_timer_that_is_dropped_never_fires as fn(),
        ),
        (
            "go_tests::timers_fire_in_the_order_of_their_times",
            go_tests::timers_fire_in_the_order_of_their_times as fn(),
        ),
        (
            "go_tests::of_many_timers_dropped_at_once_none_fires",
            go_tests::of_many_timers_dropped_at_once_none_fires as fn(),
        ),
        (
            "go_tests::a_sleep_of_no_time_does_not_hang",
            go_tests::a_sleep_of_no_time_does_not_hang as fn(),
        ),
        (
            "go_tests::a_panic_beside_a_timer_leaves_the_timers_usable",
            go_tests::a_panic_beside_a_timer_leaves_the_timers_usable as fn(),
        ),
        (
            "go_tests::a_period_too_long_for_the_clock_does_not_tick_for_ever",
            go_tests::a_period_too_long_for_the_clock_does_not_tick_for_ever as fn(),
        ),
        (
            "go_tests::timers_of_no_time_are_not_overlooked",
            go_tests::timers_of_no_time_are_not_overlooked as fn(),
        ),
        (
            "go_tests::a_timer_due_before_all_others_is_not_overlooked",
            go_tests::a_timer_due_before_all_others_is_not_overlooked as fn(),
        ),
        (
            "go_tests::timers_made_and_dropped_in_random_order_fire_if_they_are_there",
            go_tests::timers_made_and_dropped_in_random_order_fire_if_they_are_there as fn(),
        ),
        (
            "go_tests::of_two_timers_due_at_once_neither_is_lost",
            go_tests::of_two_timers_due_at_once_neither_is_lost as fn(),
        ),
        (
            "go_tests::many_goroutines_select_between_one_ticker_and_timers_of_their_own",
            go_tests::many_goroutines_select_between_one_ticker_and_timers_of_their_own as fn(),
        ),
        (
            "go_tests::of_many_goroutines_that_look_at_one_timer_one_receives",
            go_tests::of_many_goroutines_that_look_at_one_timer_one_receives as fn(),
        ),
        (
            "go_tests::ticks_come_at_their_rate_until_the_receiver_is_dropped",
            go_tests::ticks_come_at_their_rate_until_the_receiver_is_dropped as fn(),
        ),
        (
            "go_tests::dropping_a_ticker_does_not_hang",
            go_tests::dropping_a_ticker_does_not_hang as fn(),
        ),
        (
            "go_tests::timers_that_were_dropped_do_not_slow_down_the_others",
            go_tests::timers_that_were_dropped_do_not_slow_down_the_others as fn(),
        ),
        (
            "go_tests::a_ticker_keeps_one_tick_and_gives_it_to_one_of_those_who_wait",
            go_tests::a_ticker_keeps_one_tick_and_gives_it_to_one_of_those_who_wait as fn(),
        ),
        (
            "go_tests::after_sends_the_time_at_which_it_fired",
            go_tests::after_sends_the_time_at_which_it_fired as fn(),
        ),
        (
            "go_tests::a_tick_is_the_time_at_which_it_was_sent",
            go_tests::a_tick_is_the_time_at_which_it_was_sent as fn(),
        ),
        (
            "misuse::a_timer_outside_a_runtime_is_refused_at_the_callers_line",
            misuse::a_timer_outside_a_runtime_is_refused_at_the_callers_line as fn(),
        ),
        (
            "misuse::a_call_that_no_goroutine_can_make_is_refused_at_the_callers_line",
            misuse::a_call_that_no_goroutine_can_make_is_refused_at_the_callers_line as fn(),
        ),
        (
            "misuse::ticks_without_any_time_between_them_are_refused_at_the_callers_line",
            misuse::ticks_without_any_time_between_them_are_refused_at_the_callers_line as fn(),
        ),
        (
            "misuse::a_sleep_that_outlives_its_runtime_says_so_instead_of_hanging",
            misuse::a_sleep_that_outlives_its_runtime_says_so_instead_of_hanging as fn(),
        ),
        (
            "misuse::a_thread_whose_sleep_is_cut_short_by_exit_is_told",
            misuse::a_thread_whose_sleep_is_cut_short_by_exit_is_told as fn(),
        ),
        (
            "misuse::a_goroutine_left_behind_in_a_sleep_says_nothing",
            misuse::a_goroutine_left_behind_in_a_sleep_says_nothing as fn(),
        ),
        (
            "misuse::a_waker_that_panics_is_an_unhandled_panic",
            misuse::a_waker_that_panics_is_an_unhandled_panic as fn(),
        ),
        (
            "misuse::a_timer_dropped_after_its_runtime_is_harmless",
            misuse::a_timer_dropped_after_its_runtime_is_harmless as fn(),
        ),
        (
            "misuse::a_goroutine_of_another_runtime_is_told_that_the_timer_s_runtime_has_ended",
            misuse::a_goroutine_of_another_runtime_is_told_that_the_timer_s_runtime_has_ended
                as fn(),
        ),
        ("misuse::timers_can_be_debugged", misuse::timers_can_be_debugged as fn()),
        ("sleeping::no_sleep_is_over_too_early", sleeping::no_sleep_is_over_too_early as fn()),
        (
            "sleeping::a_sleep_counts_from_the_call_and_not_from_the_first_poll",
            sleeping::a_sleep_counts_from_the_call_and_not_from_the_first_poll as fn(),
        ),
        (
            "sleeping::a_sleep_of_nothing_and_one_until_the_past_are_ready_at_once",
            sleeping::a_sleep_of_nothing_and_one_until_the_past_are_ready_at_once as fn(),
        ),
        (
            "sleeping::a_duration_beyond_the_clock_overflows_nothing_and_does_not_end",
            sleeping::a_duration_beyond_the_clock_overflows_nothing_and_does_not_end as fn(),
        ),
        (
            "sleeping::a_sleeper_that_moved_to_another_goroutine_wakes_that_one",
            sleeping::a_sleeper_that_moved_to_another_goroutine_wakes_that_one as fn(),
        ),
        (
            "sleeping::a_sleep_of_one_runtime_wakes_a_goroutine_of_another",
            sleeping::a_sleep_of_one_runtime_wakes_a_goroutine_of_another as fn(),
        ),
        (
            "sleeping::a_plain_thread_sleeps_inside_block_on_of_a_handle",
            sleeping::a_plain_thread_sleeps_inside_block_on_of_a_handle as fn(),
        ),
        (
            "sleeping::goroutines_that_block_on_a_sleep_are_woken",
            sleeping::goroutines_that_block_on_a_sleep_are_woken as fn(),
        ),
        (
            "sleeping::a_goroutine_whose_sleeps_are_always_over_gives_way",
            sleeping::a_goroutine_whose_sleeps_are_always_over_gives_way as fn(),
        ),
        (
            "sleeping::a_million_timers_are_pending_and_exit_drops_them",
            sleeping::a_million_timers_are_pending_and_exit_drops_them as fn(),
        ),
        (
            "sleeping::destructors_at_exit_may_still_sleep",
            sleeping::destructors_at_exit_may_still_sleep as fn(),
        ),
        (
            "sleeping::timers_that_others_wake_for_fire_too",
            sleeping::timers_that_others_wake_for_fire_too as fn(),
        ),
        (
            "sleeping::a_future_that_is_ready_never_times_out",
            sleeping::a_future_that_is_ready_never_times_out as fn(),
        ),
        (
            "sleeping::a_future_that_takes_too_long_is_dropped_and_the_error_says_the_limit",
            sleeping::a_future_that_takes_too_long_is_dropped_and_the_error_says_the_limit
                as fn(),
        ),
        (
            "sleeping::a_timeout_that_loses_to_the_future_wakes_nobody_later",
            sleeping::a_timeout_that_loses_to_the_future_wakes_nobody_later as fn(),
        ),
        (
            "sleeping::sleeps_that_are_dropped_at_random_points_disturb_nobody",
            sleeping::sleeps_that_are_dropped_at_random_points_disturb_nobody as fn(),
        ),
        (
            "sleeping::a_sleep_that_nobody_polls_again_is_over_all_the_same",
            sleeping::a_sleep_that_nobody_polls_again_is_over_all_the_same as fn(),
        ),
        (
            "sleeping::a_future_that_gives_way_is_not_late",
            sleeping::a_future_that_gives_way_is_not_late as fn(),
        ),
        (
            "sleeping::a_sleep_that_is_reset_ends_at_the_new_deadline_alone",
            sleeping::a_sleep_that_is_reset_ends_at_the_new_deadline_alone as fn(),
        ),
        (
            "sleeping::a_sleep_that_is_reset_and_awaited_elsewhere_wakes_that_one",
            sleeping::a_sleep_that_is_reset_and_awaited_elsewhere_wakes_that_one as fn(),
        ),
        (
            "sleeping::a_deadline_that_has_passed_is_a_limit_of_zero",
            sleeping::a_deadline_that_has_passed_is_a_limit_of_zero as fn(),
        ),
        (
            "stuck_workers::mains_sleep_is_over_while_every_worker_is_stuck_and_nobody_may_cover",
            stuck_workers::mains_sleep_is_over_while_every_worker_is_stuck_and_nobody_may_cover
                as fn(),
        ),
        (
            "stuck_workers::a_goroutines_sleep_is_over_while_every_worker_is_stuck",
            stuck_workers::a_goroutines_sleep_is_over_while_every_worker_is_stuck as fn(),
        ),
        (
            "stuck_workers::wakers_that_are_not_gorun_s_are_woken_while_every_worker_is_stuck",
            stuck_workers::wakers_that_are_not_gorun_s_are_woken_while_every_worker_is_stuck
                as fn(),
        ),
        (
            "stuck_workers::a_timer_added_by_a_goroutine_that_then_computes_wakes_main",
            stuck_workers::a_timer_added_by_a_goroutine_that_then_computes_wakes_main as fn(),
        ),
        (
            "stuck_workers::busy_workers_come_to_timers_between_polls",
            stuck_workers::busy_workers_come_to_timers_between_polls as fn(),
        ),
        (
            "stuck_workers::a_waker_without_data_is_not_taken_for_gorun_s",
            stuck_workers::a_waker_without_data_is_not_taken_for_gorun_s as fn(),
        ),
        (
            "ticking::an_interval_ticks_at_once_and_then_never_early",
            ticking::an_interval_ticks_at_once_and_then_never_early as fn(),
        ),
        (
            "ticking::ticks_that_were_missed_are_skipped_and_not_made_up_for",
            ticking::ticks_that_were_missed_are_skipped_and_not_made_up_for as fn(),
        ),
        (
            "ticking::a_tick_that_is_dropped_while_it_waits_is_not_lost",
            ticking::a_tick_that_is_dropped_while_it_waits_is_not_lost as fn(),
        ),
        (
            "ticking::a_goroutine_whose_ticks_are_always_due_gives_way",
            ticking::a_goroutine_whose_ticks_are_always_due_gives_way as fn(),
        ),
        (
            "ticking::a_period_beyond_the_clock_ticks_once",
            ticking::a_period_beyond_the_clock_ticks_once as fn(),
        ),
        (
            "ticking::ticks_that_were_missed_are_made_up_for_where_that_is_wanted",
            ticking::ticks_that_were_missed_are_made_up_for_where_that_is_wanted as fn(),
        ),
        (
            "ticking::ticks_never_come_closer_than_a_period_where_that_is_wanted",
            ticking::ticks_never_come_closer_than_a_period_where_that_is_wanted as fn(),
        ),
        (
            "ticking::a_behaviour_that_is_changed_counts_from_the_next_tick",
            ticking::a_behaviour_that_is_changed_counts_from_the_next_tick as fn(),
        ),
        (
            "ticking::a_stream_of_ticks_loses_none_that_it_was_not_asked_for_to_the_end",
            ticking::a_stream_of_ticks_loses_none_that_it_was_not_asked_for_to_the_end as fn(),
        ),
        (
            "ticking::a_stream_of_ticks_wakes_the_goroutine_that_asks_last",
            ticking::a_stream_of_ticks_wakes_the_goroutine_that_asks_last as fn(),
        ),
    ] {
        if name == only {
            crate::common::under_schedules(name, test);
        }
    }
}
