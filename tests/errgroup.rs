//! `gorun::errgroup`: the first error, the limit, and what becomes of those who still run.

mod common;

#[path = "errgroup/go_tests.rs"]
mod go_tests;
#[path = "errgroup/hazards.rs"]
mod hazards;

const WORKERS: [usize; 3] = [1, 2, 16];

// TRIAL
#[test]
fn trial() {
    let Ok(only) = std::env::var("ONLY") else { return };
    for (name, test) in [
        ("go_tests::a_group_without_a_context_gives_the_first_error", go_tests::a_group_without_a_context_gives_the_first_error as fn()),
        ("go_tests::the_context_of_a_group_is_done_after_the_wait_whatever_the_outcome", go_tests::the_context_of_a_group_is_done_after_the_wait_whatever_the_outcome as fn()),
        ("go_tests::the_cause_of_the_context_is_the_first_error_or_the_cancellation", go_tests::the_cause_of_the_context_is_the_first_error_or_the_cancellation as fn()),
        ("go_tests::one_more_than_the_limit_is_not_started_until_another_one_ends", go_tests::one_more_than_the_limit_is_not_started_until_another_one_ends as fn()),
        ("go_tests::no_more_than_the_limit_run_at_once", go_tests::no_more_than_the_limit_run_at_once as fn()),
        ("hazards::the_first_error_tells_the_others_to_stop_and_the_wait_is_over_when_they_have", hazards::the_first_error_tells_the_others_to_stop_and_the_wait_is_over_when_they_have as fn()),
        ("hazards::errors_at_once_leave_one_that_is_both_returned_and_the_cause", hazards::errors_at_once_leave_one_that_is_both_returned_and_the_cause as fn()),
        ("hazards::a_group_that_is_dropped_cancels_its_context_and_its_goroutines_run_on", hazards::a_group_that_is_dropped_cancels_its_context_and_its_goroutines_run_on as fn()),
        ("hazards::a_parent_that_is_cancelled_ends_a_group", hazards::a_parent_that_is_cancelled_ends_a_group as fn()),
        ("hazards::a_wait_includes_those_that_the_groups_own_goroutines_start", hazards::a_wait_includes_those_that_the_groups_own_goroutines_start as fn()),
        ("hazards::those_that_wait_for_room_start_in_their_order_and_one_that_goes_away_is_passed_over", hazards::those_that_wait_for_room_start_in_their_order_and_one_that_goes_away_is_passed_over as fn()),
        ("hazards::a_limit_is_not_changed_under_goroutines_that_run", hazards::a_limit_is_not_changed_under_goroutines_that_run as fn()),
        ("hazards::a_limit_beyond_what_can_be_counted_is_none", hazards::a_limit_beyond_what_can_be_counted_is_none as fn()),
        ("hazards::a_panic_is_unhandled_and_main_does_not_get_past_the_wait", hazards::a_panic_is_unhandled_and_main_does_not_get_past_the_wait as fn()),
        ("hazards::a_wait_that_is_dropped_loses_nothing", hazards::a_wait_that_is_dropped_loses_nothing as fn()),
        ("hazards::a_large_future_is_started_and_is_reported_at_the_callers_line", hazards::a_large_future_is_started_and_is_reported_at_the_callers_line as fn()),
        ("hazards::an_error_whose_text_panics_is_returned_all_the_same", hazards::an_error_whose_text_panics_is_returned_all_the_same as fn()),
        ("hazards::a_goroutine_outside_of_any_runtime_is_refused_at_the_callers_line_and_leaves_the_group_usable", hazards::a_goroutine_outside_of_any_runtime_is_refused_at_the_callers_line_and_leaves_the_group_usable as fn()),
    ] {
        if name == only { crate::common::under_schedules(name, test); }
    }
}
