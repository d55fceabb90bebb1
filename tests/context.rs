//! `gorun::context`, hazard by hazard: who is cancelled and who is not, at each moment; large trees and
//! deep ones; deadlines; what comes back in; and what Go's tests ask.
//!
//! `GORUN_STRESS=600s cargo test --release --test context random -- --nocapture` goes on for that long,
//! with a new seed each time. `GORUN_SEED` begins with that seed.

mod common;

#[path = "context/after_func.rs"]
mod after_func;
#[path = "context/cancelling.rs"]
mod cancelling;
#[path = "context/deadlines.rs"]
mod deadlines;
#[path = "context/go_tests.rs"]
mod go_tests;
#[path = "context/running.rs"]
mod running;
#[path = "context/trees.rs"]
mod trees;
#[path = "context/user_code.rs"]
mod user_code;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context as Cx, Poll, Wake, Waker};

use gorun::context::{CancelGuard, Context};

const WORKERS: [usize; 3] = [1, 2, 16];

fn background() -> Context {
    Context::background()
}

/// Children of one parent.
fn children(parent: &Context, count: usize) -> Vec<(Context, CancelGuard)> {
    (0..count).map(|_| parent.with_cancel()).collect()
}

/// Counts the wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls once, with a waker that counts.
fn poll<F: Future + Unpin>(future: &mut F, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    let waker = Waker::from(wakes.clone());
    std::pin::Pin::new(future).poll(&mut Cx::from_waker(&waker))
}

// TRIAL
#[test]
fn trial() {
    let Ok(only) = std::env::var("ONLY") else { return };
    for (name, test) in [
        ("after_func::either_the_function_is_called_or_a_stop_says_that_it_is_not", after_func::either_the_function_is_called_or_a_stop_says_that_it_is_not as fn()),
        ("after_func::a_function_that_was_stopped_is_dropped", after_func::a_function_that_was_stopped_is_dropped as fn()),
        ("after_func::a_function_is_called_though_the_context_was_dropped", after_func::a_function_is_called_though_the_context_was_dropped as fn()),
        ("after_func::a_function_of_a_context_that_is_never_done_is_never_called_and_has_no_goroutine", after_func::a_function_of_a_context_that_is_never_done_is_never_called_and_has_no_goroutine as fn()),
        ("after_func::a_panic_of_the_function_is_unhandled_and_names_the_callers_line", after_func::a_panic_of_the_function_is_unhandled_and_names_the_callers_line as fn()),
        ("after_func::functions_that_wait_when_main_ends_are_dropped_and_not_called", after_func::functions_that_wait_when_main_ends_are_dropped_and_not_called as fn()),
        ("after_func::a_stop_that_comes_after_the_end_of_main_prevents_nothing", after_func::a_stop_that_comes_after_the_end_of_main_prevents_nothing as fn()),
        ("cancelling::a_guard_that_is_dropped_cancels_and_one_that_is_detached_does_not", cancelling::a_guard_that_is_dropped_cancels_and_one_that_is_detached_does_not as fn()),
        ("cancelling::a_clone_is_the_same_context", cancelling::a_clone_is_the_same_context as fn()),
        ("cancelling::a_cancellation_passes_through_contexts_that_nobody_has_any_more", cancelling::a_cancellation_passes_through_contexts_that_nobody_has_any_more as fn()),
        ("cancelling::a_sibling_and_a_parent_of_a_cancelled_context_go_on", cancelling::a_sibling_and_a_parent_of_a_cancelled_context_go_on as fn()),
        ("cancelling::a_child_that_has_ended_does_not_take_another_one_off_the_list_when_it_is_dropped", cancelling::a_child_that_has_ended_does_not_take_another_one_off_the_list_when_it_is_dropped as fn()),
        ("cancelling::the_first_reason_stays", cancelling::the_first_reason_stays as fn()),
        ("cancelling::a_cause_keeps_its_type", cancelling::a_cause_keeps_its_type as fn()),
        ("cancelling::a_wait_is_woken_once_and_leaves_nothing_when_it_is_dropped", cancelling::a_wait_is_woken_once_and_leaves_nothing_when_it_is_dropped as fn()),
        ("cancelling::a_wait_that_changes_its_waker_wakes_the_new_one", cancelling::a_wait_that_changes_its_waker_wakes_the_new_one as fn()),
        ("cancelling::a_background_context_is_never_done_and_keeps_no_waker", cancelling::a_background_context_is_never_done_and_keeps_no_waker as fn()),
        ("cancelling::a_context_that_was_made_from_a_done_one_is_done_for_the_same_reason", cancelling::a_context_that_was_made_from_a_done_one_is_done_for_the_same_reason as fn()),
        ("cancelling::the_latest_value_of_a_type_is_found_and_other_contexts_do_not_see_it", cancelling::the_latest_value_of_a_type_is_found_and_other_contexts_do_not_see_it as fn()),
        ("cancelling::goroutines_that_wait_for_contexts_at_all_levels_are_all_woken", cancelling::goroutines_that_wait_for_contexts_at_all_levels_are_all_woken as fn()),
        ("cancelling::a_cancel_that_comes_second_returns_when_the_whole_tree_is_done", cancelling::a_cancel_that_comes_second_returns_when_the_whole_tree_is_done as fn()),
        ("cancelling::a_child_made_during_a_cancel_is_not_forgotten", cancelling::a_child_made_during_a_cancel_is_not_forgotten as fn()),
        ("cancelling::in_random_trees_those_below_a_cancelled_one_are_done_and_no_others", cancelling::in_random_trees_those_below_a_cancelled_one_are_done_and_no_others as fn()),
        ("deadlines::a_deadline_is_not_early_and_reaches_all_below", deadlines::a_deadline_is_not_early_and_reaches_all_below as fn()),
        ("deadlines::the_earlier_deadline_counts_and_a_later_one_has_no_goroutine", deadlines::the_earlier_deadline_counts_and_a_later_one_has_no_goroutine as fn()),
        ("deadlines::a_deadline_beyond_the_clock_never_comes_and_needs_no_runtime", deadlines::a_deadline_beyond_the_clock_never_comes_and_needs_no_runtime as fn()),
        ("deadlines::a_deadline_that_has_passed_needs_no_runtime", deadlines::a_deadline_that_has_passed_needs_no_runtime as fn()),
        ("deadlines::a_deadline_outside_a_runtime_panics_at_the_callers_line_and_says_what_to_do", deadlines::a_deadline_outside_a_runtime_panics_at_the_callers_line_and_says_what_to_do as fn()),
        ("deadlines::nobody_waits_for_the_deadline_of_a_context_that_is_done_or_gone", deadlines::nobody_waits_for_the_deadline_of_a_context_that_is_done_or_gone as fn()),
        ("deadlines::a_deadline_and_a_cancellation_at_once_leave_one_reason_and_no_goroutine", deadlines::a_deadline_and_a_cancellation_at_once_leave_one_reason_and_no_goroutine as fn()),
        ("deadlines::a_deadline_whose_runtime_has_ended_cancels_the_context", deadlines::a_deadline_whose_runtime_has_ended_cancels_the_context as fn()),
        ("deadlines::a_deadline_wakes_who_waits_on_a_thread_outside", deadlines::a_deadline_wakes_who_waits_on_a_thread_outside as fn()),
        ("deadlines::a_deadline_passes_while_main_blocks_its_thread", deadlines::a_deadline_passes_while_main_blocks_its_thread as fn()),
        ("deadlines::the_cause_of_a_deadline_is_not_that_of_a_cancellation", deadlines::the_cause_of_a_deadline_is_not_that_of_a_cancellation as fn()),
        ("deadlines::a_wait_of_a_context_with_a_deadline_does_not_keep_it_for_ever", deadlines::a_wait_of_a_context_with_a_deadline_does_not_keep_it_for_ever as fn()),
        ("go_tests::a_background_context_waits_for_ever", go_tests::a_background_context_waits_for_ever as fn()),
        ("go_tests::a_cancellation_reaches_a_context_and_its_child_before_the_call_returns", go_tests::a_cancellation_reaches_a_context_and_its_child_before_the_call_returns as fn()),
        ("go_tests::a_parent_that_ends_takes_along_children_of_every_kind", go_tests::a_parent_that_ends_takes_along_children_of_every_kind as fn()),
        ("go_tests::a_child_that_ends_leaves_its_parent_alone", go_tests::a_child_that_ends_leaves_its_parent_alone as fn()),
        ("go_tests::a_deadline_passes_whether_it_is_to_come_or_present_or_past", go_tests::a_deadline_passes_whether_it_is_to_come_or_present_or_past as fn()),
        ("go_tests::a_timeout_passes_also_above_a_longer_one", go_tests::a_timeout_passes_also_above_a_longer_one as fn()),
        ("go_tests::a_cancellation_comes_before_two_timeouts", go_tests::a_cancellation_comes_before_two_timeouts as fn()),
        ("go_tests::a_value_is_found_by_its_type_and_a_later_one_hides_it", go_tests::a_value_is_found_by_its_type_and_a_later_one_hides_it as fn()),
        ("go_tests::all_contexts_of_a_tree_can_be_cancelled_at_once", go_tests::all_contexts_of_a_tree_can_be_cancelled_at_once as fn()),
        ("go_tests::a_child_can_be_cancelled_by_one_who_is_woken_by_its_parent", go_tests::a_child_can_be_cancelled_by_one_who_is_woken_by_its_parent as fn()),
        ("go_tests::any_of_many_layers_can_be_cancelled_and_values_stay", go_tests::any_of_many_layers_can_be_cancelled_and_values_stay as fn()),
        ("go_tests::any_of_many_layers_can_time_out_and_values_stay", go_tests::any_of_many_layers_can_time_out_and_values_stay as fn()),
        ("go_tests::a_child_of_a_cancelled_context_is_done_at_once_with_its_cause", go_tests::a_child_of_a_cancelled_context_is_done_at_once_with_its_cause as fn()),
        ("go_tests::a_child_that_is_made_while_its_parent_is_cancelled_has_its_cause", go_tests::a_child_that_is_made_while_its_parent_is_cancelled_has_its_cause as fn()),
        ("go_tests::a_deadline_that_has_passed_is_a_timeout_among_errors_of_the_system", go_tests::a_deadline_that_has_passed_is_a_timeout_among_errors_of_the_system as fn()),
        ("go_tests::the_cause_is_that_of_whoever_came_first", go_tests::the_cause_is_that_of_whoever_came_first as fn()),
        ("go_tests::a_cause_that_is_seen_is_complete", go_tests::a_cause_that_is_seen_is_complete as fn()),
        ("go_tests::without_cancellation_there_is_no_deadline_and_the_values_are_there", go_tests::without_cancellation_there_is_no_deadline_and_the_values_are_there as fn()),
        ("go_tests::a_function_is_called_after_the_end_and_not_before", go_tests::a_function_is_called_after_the_end_and_not_before as fn()),
        ("go_tests::a_function_that_was_stopped_is_not_called", go_tests::a_function_that_was_stopped_is_not_called as fn()),
        ("go_tests::a_cancellation_does_not_wait_for_the_functions_it_sets_off", go_tests::a_cancellation_does_not_wait_for_the_functions_it_sets_off as fn()),
        ("go_tests::a_context_that_says_why_it_is_done_is_ready", go_tests::a_context_that_says_why_it_is_done_is_ready as fn()),
        ("running::a_future_that_is_ready_gives_its_value", running::a_future_that_is_ready_gives_its_value as fn()),
        ("running::a_future_in_a_done_context_is_not_polled", running::a_future_in_a_done_context_is_not_polled as fn()),
        ("running::a_cancellation_wakes_and_drops_the_future_before_it_is_reported", running::a_cancellation_wakes_and_drops_the_future_before_it_is_reported as fn()),
        ("running::a_value_that_is_there_when_the_context_ends_is_not_lost", running::a_value_that_is_there_when_the_context_ends_is_not_lost as fn()),
        ("running::a_send_that_is_reported_as_cancelled_has_not_happened_and_one_that_has_is_reported", running::a_send_that_is_reported_as_cancelled_has_not_happened_and_one_that_has_is_reported as fn()),
        ("running::a_send_leaves_its_queue_in_the_last_poll", running::a_send_leaves_its_queue_in_the_last_poll as fn()),
        ("running::sends_and_cancellations_that_race_agree", running::sends_and_cancellations_that_race_agree as fn()),
        ("running::a_future_that_always_has_something_to_do_is_ended", running::a_future_that_always_has_something_to_do_is_ended as fn()),
        ("running::a_run_inside_a_timeout_and_a_timeout_inside_a_run_end_in_time", running::a_run_inside_a_timeout_and_a_timeout_inside_a_run_end_in_time as fn()),
        ("running::a_run_that_is_dropped_drops_its_future_and_its_waker", running::a_run_that_is_dropped_drops_its_future_and_its_waker as fn()),
        ("running::a_panic_of_the_future_goes_to_who_polls", running::a_panic_of_the_future_goes_to_who_polls as fn()),
        ("running::a_run_polled_after_it_was_ready_panics_at_the_callers_line", running::a_run_polled_after_it_was_ready_panics_at_the_callers_line as fn()),
        ("trees::a_wide_tree_is_cancelled_as_a_whole", trees::a_wide_tree_is_cancelled_as_a_whole as fn()),
        ("trees::a_deep_tree_is_cancelled_from_above_without_a_deep_stack", trees::a_deep_tree_is_cancelled_from_above_without_a_deep_stack as fn()),
        ("trees::a_deep_tree_is_dropped_without_a_deep_stack", trees::a_deep_tree_is_dropped_without_a_deep_stack as fn()),
        ("trees::a_deep_tree_of_done_contexts_is_dropped_without_a_deep_stack", trees::a_deep_tree_of_done_contexts_is_dropped_without_a_deep_stack as fn()),
        ("trees::a_long_list_of_values_is_dropped_without_a_deep_stack", trees::a_long_list_of_values_is_dropped_without_a_deep_stack as fn()),
        ("trees::of_two_lists_that_share_values_the_other_one_keeps_them", trees::of_two_lists_that_share_values_the_other_one_keeps_them as fn()),
        ("trees::a_hundred_thousand_goroutines_that_wait_for_a_tree_are_woken", trees::a_hundred_thousand_goroutines_that_wait_for_a_tree_are_woken as fn()),
        ("user_code::a_waker_that_comes_back_in_finds_no_lock_held_and_all_contexts_done", user_code::a_waker_that_comes_back_in_finds_no_lock_held_and_all_contexts_done as fn()),
        ("user_code::a_waker_that_is_dropped_with_a_wait_may_come_back_in", user_code::a_waker_that_is_dropped_with_a_wait_may_come_back_in as fn()),
        ("user_code::a_waker_that_panics_keeps_no_other_from_being_woken", user_code::a_waker_that_panics_keeps_no_other_from_being_woken as fn()),
        ("user_code::a_cause_that_comes_back_in_when_it_is_dropped_finds_no_lock_held", user_code::a_cause_that_comes_back_in_when_it_is_dropped_finds_no_lock_held as fn()),
        ("user_code::a_child_that_goes_during_a_cancel_takes_its_cause_along_without_a_lock", user_code::a_child_that_goes_during_a_cancel_takes_its_cause_along_without_a_lock as fn()),
        ("user_code::a_value_that_comes_back_in_when_it_is_dropped_finds_no_lock_held", user_code::a_value_that_comes_back_in_when_it_is_dropped_finds_no_lock_held as fn()),
        ("user_code::a_value_whose_destructor_panics_lets_the_others_be_dropped", user_code::a_value_whose_destructor_panics_lets_the_others_be_dropped as fn()),
        ("user_code::many_that_wait_elsewhere_are_all_woken_though_the_runtime_ends_at_once", user_code::many_that_wait_elsewhere_are_all_woken_though_the_runtime_ends_at_once as fn()),
        ("user_code::many_are_woken_at_once_outside_a_runtime", user_code::many_are_woken_at_once_outside_a_runtime as fn()),
    ] {
        if name == only { crate::common::under_schedules(name, test); }
    }
}
