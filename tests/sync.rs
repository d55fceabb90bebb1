//! `gorun::sync`: what goes wrong with locks, permits and notifications, hazard by hazard: order, cancellation
//! at each moment, panics and aborts, closing, wakers that come back in.
//!
//! `GORUN_STRESS=600s cargo test --release --test sync conserved -- --nocapture` goes on for that long, with
//! a new seed each time. `GORUN_SEED` begins with that seed.

mod common;

#[path = "sync/broadcast.rs"]
mod broadcast;
#[path = "sync/cancellation.rs"]
mod cancellation;
#[path = "sync/cond.rs"]
mod cond;
#[path = "sync/conservation.rs"]
mod conservation;
#[path = "sync/endings.rs"]
mod endings;
#[path = "sync/event_listener.rs"]
mod event_listener;
#[path = "sync/go_tests.rs"]
mod go_tests;
#[path = "sync/locks.rs"]
mod locks;
#[path = "sync/meetings.rs"]
mod meetings;
#[path = "sync/notify.rs"]
mod notify;
#[path = "sync/once.rs"]
mod once;
#[path = "sync/oneshot.rs"]
mod oneshot;
#[path = "sync/semaphore.rs"]
mod semaphore;
#[path = "sync/starvation.rs"]
mod starvation;
#[path = "sync/values.rs"]
mod values;
#[path = "sync/watch.rs"]
mod watch;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

const WORKERS: [usize; 3] = [1, 2, 16];

/// Polls by hand, and counts the wakes.
struct Task<F> {
    future: std::pin::Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Task { future: Box::pin(future), wakes: Arc::default() }
    }

    /// One that waits.
    #[track_caller]
    fn waiting(future: F) -> Self {
        let mut task = Task::new(future);
        assert!(task.poll().is_pending(), "it has nothing to wait for");
        task
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(SeqCst)
    }

    /// It has been woken, and is ready.
    #[track_caller]
    fn finish(mut self) -> F::Output {
        assert!(self.wakes() > 0, "it was not woken");
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it was woken for nothing"),
        }
    }

    /// It has not been woken, and is not ready.
    #[track_caller]
    fn waits(&mut self) {
        assert_eq!(self.wakes(), 0, "it was woken");
        assert!(self.poll().is_pending(), "it is ready and was not woken");
    }
}

/// The output of a future that is ready at once.
#[track_caller]
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Calls a function when it is woken, or when its last clone is dropped.
struct Callback<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Callback<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn calls(callback: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Callback(callback)))
}

struct DropCallback<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for DropCallback<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn() + Send + Sync> Drop for DropCallback<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn calls_when_dropped(callback: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(DropCallback(callback)))
}

// TRIAL
#[test]
fn trial() {
    let Ok(only) = std::env::var("ONLY") else { return };
    for (name, test) in [
        ("broadcast::every_receiver_gets_every_value_in_order", broadcast::every_receiver_gets_every_value_in_order as fn()),
        ("broadcast::one_that_lags_is_told_how_much_and_goes_on_with_the_oldest_kept", broadcast::one_that_lags_is_told_how_much_and_goes_on_with_the_oldest_kept as fn()),
        ("broadcast::nothing_is_missed_that_is_not_reported", broadcast::nothing_is_missed_that_is_not_reported as fn()),
        ("broadcast::a_receiver_gets_what_is_left_after_the_last_sender_has_gone", broadcast::a_receiver_gets_what_is_left_after_the_last_sender_has_gone as fn()),
        ("broadcast::values_are_dropped_as_soon_as_all_have_got_them", broadcast::values_are_dropped_as_soon_as_all_have_got_them as fn()),
        ("broadcast::a_receiver_that_goes_away_takes_nothing_from_others", broadcast::a_receiver_that_goes_away_takes_nothing_from_others as fn()),
        ("broadcast::the_last_receiver_gets_the_value_itself_and_no_clone", broadcast::the_last_receiver_gets_the_value_itself_and_no_clone as fn()),
        ("broadcast::the_last_receiver_that_goes_tells_the_senders", broadcast::the_last_receiver_that_goes_tells_the_senders as fn()),
        ("broadcast::a_channel_without_room_is_refused", broadcast::a_channel_without_room_is_refused as fn()),
        ("broadcast::a_receive_that_is_dropped_loses_nothing", broadcast::a_receive_that_is_dropped_loses_nothing as fn()),
        ("broadcast::values_do_not_wake_those_who_wait_for_the_last_receiver_to_go", broadcast::values_do_not_wake_those_who_wait_for_the_last_receiver_to_go as fn()),
        ("broadcast::a_sender_learns_that_there_was_no_receiver_although_one_has_come_since", broadcast::a_sender_learns_that_there_was_no_receiver_although_one_has_come_since as fn()),
        ("broadcast::nobody_misses_the_end_of_the_other_side", broadcast::nobody_misses_the_end_of_the_other_side as fn()),
        ("broadcast::a_stream_tells_what_was_missed_and_ends_with_the_senders", broadcast::a_stream_tells_what_was_missed_and_ends_with_the_senders as fn()),
        ("broadcast::a_stream_that_is_no_longer_awaited_lets_its_waker_go", broadcast::a_stream_that_is_no_longer_awaited_lets_its_waker_go as fn()),
        ("broadcast::a_receiver_knows_how_many_values_it_has_not_got", broadcast::a_receiver_knows_how_many_values_it_has_not_got as fn()),
        ("cancellation::the_first_one_goes_away_and_the_second_one_is_served", cancellation::the_first_one_goes_away_and_the_second_one_is_served as fn()),
        ("cancellation::one_in_the_middle_or_at_the_end_goes_away_and_the_order_stays", cancellation::one_in_the_middle_or_at_the_end_goes_away_and_the_order_stays as fn()),
        ("cancellation::what_was_served_and_is_dropped_goes_to_the_next_one", cancellation::what_was_served_and_is_dropped_goes_to_the_next_one as fn()),
        ("cancellation::what_was_served_and_is_dropped_is_free_if_nobody_waits", cancellation::what_was_served_and_is_dropped_is_free_if_nobody_waits as fn()),
        ("cancellation::a_writer_that_goes_away_lets_the_readers_behind_it_in", cancellation::a_writer_that_goes_away_lets_the_readers_behind_it_in as fn()),
        ("cancellation::one_that_collects_permits_goes_away_and_those_behind_it_get_them", cancellation::one_that_collects_permits_goes_away_and_those_behind_it_get_them as fn()),
        ("cancellation::a_timeout_that_has_elapsed_leaves_the_lock_to_others", cancellation::a_timeout_that_has_elapsed_leaves_the_lock_to_others as fn()),
        ("cancellation::a_future_that_outlives_its_timeout_still_gets_the_lock_in_its_turn", cancellation::a_future_that_outlives_its_timeout_still_gets_the_lock_in_its_turn as fn()),
        ("cancellation::a_waker_that_comes_back_in_finds_no_lock_held", cancellation::a_waker_that_comes_back_in_finds_no_lock_held as fn()),
        ("cancellation::a_waker_that_panics_keeps_no_other_from_being_woken", cancellation::a_waker_that_panics_keeps_no_other_from_being_woken as fn()),
        ("cancellation::a_value_whose_destructor_comes_back_in_finds_no_lock_held", cancellation::a_value_whose_destructor_comes_back_in_finds_no_lock_held as fn()),
        ("cancellation::an_operation_whose_waker_s_clone_panics_can_be_polled_again", cancellation::an_operation_whose_waker_s_clone_panics_can_be_polled_again as fn()),
        ("cond::a_wait_releases_the_lock_only_when_it_can_be_notified", cond::a_wait_releases_the_lock_only_when_it_can_be_notified as fn()),
        ("cond::a_wait_that_is_over_waits_for_the_lock", cond::a_wait_that_is_over_waits_for_the_lock as fn()),
        ("cond::a_notification_without_a_wait_is_not_kept", cond::a_notification_without_a_wait_is_not_kept as fn()),
        ("cond::each_notification_lets_one_go_on_in_the_order_of_the_waits", cond::each_notification_lets_one_go_on_in_the_order_of_the_waits as fn()),
        ("cond::notifying_all_lets_all_go_on_one_after_the_other", cond::notifying_all_lets_all_go_on_one_after_the_other as fn()),
        ("cond::a_notification_of_a_wait_that_goes_away_reaches_the_next_one", cond::a_notification_of_a_wait_that_goes_away_reaches_the_next_one as fn()),
        ("cond::a_notification_of_one_that_goes_away_while_it_locks_reaches_the_next_one", cond::a_notification_of_one_that_goes_away_while_it_locks_reaches_the_next_one as fn()),
        ("cond::a_wait_that_goes_away_at_any_stage_leaves_the_lock_free", cond::a_wait_that_goes_away_at_any_stage_leaves_the_lock_free as fn()),
        ("cond::a_wait_that_is_over_before_it_began_still_has_the_lock", cond::a_wait_that_is_over_before_it_began_still_has_the_lock as fn()),
        ("cond::nothing_is_missed_between_goroutines_that_take_turns", cond::nothing_is_missed_between_goroutines_that_take_turns as fn()),
        ("cond::any_guard_of_a_lock_is_given_back_after_the_wait", cond::any_guard_of_a_lock_is_given_back_after_the_wait as fn()),
        ("conservation::permits_and_guards_are_conserved_whatever_is_dropped_and_aborted", conservation::permits_and_guards_are_conserved_whatever_is_dropped_and_aborted as fn()),
        ("endings::of_many_whose_context_ends_none_begins_its_work", endings::of_many_whose_context_ends_none_begins_its_work as fn()),
        ("endings::a_value_that_is_there_is_given_to_one_whose_context_ends", endings::a_value_that_is_there_is_given_to_one_whose_context_ends as fn()),
        ("event_listener::event_listener_calls_wakers_under_its_lock", event_listener::event_listener_calls_wakers_under_its_lock as fn()),
        ("go_tests::ten_that_take_and_give_back_one_permit_leave_it_there", go_tests::ten_that_take_and_give_back_one_permit_leave_it_there as fn()),
        ("go_tests::a_mutex_that_some_lock_and_others_try_is_free_in_the_end", go_tests::a_mutex_that_some_lock_and_others_try_is_free_in_the_end as fn()),
        ("go_tests::one_that_always_locks_again_does_not_keep_another_one_out", go_tests::one_that_always_locks_again_does_not_keep_another_one_out as fn()),
        ("go_tests::readers_have_the_lock_at_the_same_time", go_tests::readers_have_the_lock_at_the_same_time as fn()),
        ("go_tests::writers_are_alone_among_any_number_of_readers", go_tests::writers_are_alone_among_any_number_of_readers as fn()),
        ("go_tests::a_writer_waits_for_each_of_two_reads_and_keeps_readers_out", go_tests::a_writer_waits_for_each_of_two_reads_and_keeps_readers_out as fn()),
        ("go_tests::each_signal_wakes_one_and_never_two", go_tests::each_signal_wakes_one_and_never_two as fn()),
        ("go_tests::a_signal_wakes_the_one_that_waits_and_not_the_one_that_comes_next", go_tests::a_signal_wakes_the_one_that_waits_and_not_the_one_that_comes_next as fn()),
        ("go_tests::all_that_wait_go_on_in_each_of_many_rounds_and_each_once", go_tests::all_that_wait_go_on_in_each_of_many_rounds_and_each_once as fn()),
        ("go_tests::a_change_is_seen_by_the_one_it_was_signalled_to", go_tests::a_change_is_seen_by_the_one_it_was_signalled_to as fn()),
        ("go_tests::one_that_comes_later_does_not_take_the_notification_of_one_that_waits", go_tests::one_that_comes_later_does_not_take_the_notification_of_one_that_waits as fn()),
        ("go_tests::what_is_done_once_is_done_before_anybody_goes_on", go_tests::what_is_done_once_is_done_before_anybody_goes_on as fn()),
        ("go_tests::a_panic_does_not_count_as_done", go_tests::a_panic_does_not_count_as_done as fn()),
        ("go_tests::a_value_is_made_by_the_first_call_and_given_by_all", go_tests::a_value_is_made_by_the_first_call_and_given_by_all as fn()),
        ("go_tests::a_panic_is_that_of_the_call_that_made_the_value_and_of_no_other", go_tests::a_panic_is_that_of_the_call_that_made_the_value_and_of_no_other as fn()),
        ("go_tests::a_goroutine_that_is_aborted_while_it_makes_the_value_leaves_that_to_the_next_one", go_tests::a_goroutine_that_is_aborted_while_it_makes_the_value_leaves_that_to_the_next_one as fn()),
        ("go_tests::a_panic_is_reported_where_it_began", go_tests::a_panic_is_reported_where_it_began as fn()),
        ("go_tests::what_makes_the_value_is_dropped_when_it_has_and_not_before", go_tests::what_makes_the_value_is_dropped_when_it_has_and_not_before as fn()),
        ("locks::two_never_have_the_mutex_at_the_same_time", locks::two_never_have_the_mutex_at_the_same_time as fn()),
        ("locks::writers_are_alone_and_readers_together", locks::writers_are_alone_and_readers_together as fn()),
        ("locks::newcomers_overtake_one_that_is_being_woken_so_often_and_no_more", locks::newcomers_overtake_one_that_is_being_woken_so_often_and_no_more as fn()),
        ("locks::a_mutex_is_handed_over_to_one_that_was_late_and_a_newcomer_does_not_barge_in", locks::a_mutex_is_handed_over_to_one_that_was_late_and_a_newcomer_does_not_barge_in as fn()),
        ("locks::one_that_was_late_and_is_dropped_passes_the_lock_on", locks::one_that_was_late_and_is_dropped_passes_the_lock_on as fn()),
        ("locks::a_waiter_gets_the_lock_in_time_beside_goroutines_that_lock_in_a_loop", locks::a_waiter_gets_the_lock_in_time_beside_goroutines_that_lock_in_a_loop as fn()),
        ("locks::readers_overtake_a_writer_only_while_it_is_being_woken", locks::readers_overtake_a_writer_only_while_it_is_being_woken as fn()),
        ("locks::readers_that_come_later_do_not_starve_a_writer", locks::readers_that_come_later_do_not_starve_a_writer as fn()),
        ("locks::a_writer_gets_its_turn_among_readers_that_never_all_leave", locks::a_writer_gets_its_turn_among_readers_that_never_all_leave as fn()),
        ("locks::all_readers_behind_a_writer_go_on_together", locks::all_readers_behind_a_writer_go_on_together as fn()),
        ("locks::a_downgrade_lets_readers_in_and_no_writer", locks::a_downgrade_lets_readers_in_and_no_writer as fn()),
        ("locks::a_panic_while_a_guard_is_held_releases_the_lock_and_leaves_the_value", locks::a_panic_while_a_guard_is_held_releases_the_lock_and_leaves_the_value as fn()),
        ("locks::a_goroutine_that_is_aborted_with_a_guard_releases_the_lock", locks::a_goroutine_that_is_aborted_with_a_guard_releases_the_lock as fn()),
        ("locks::a_lock_outlives_the_runtime_whose_goroutines_had_it", locks::a_lock_outlives_the_runtime_whose_goroutines_had_it as fn()),
        ("locks::a_forgotten_future_keeps_nobody_out", locks::a_forgotten_future_keeps_nobody_out as fn()),
        ("locks::a_guard_that_moves_to_another_goroutine_is_the_same_lock", locks::a_guard_that_moves_to_another_goroutine_is_the_same_lock as fn()),
        ("locks::threads_that_block_for_a_lock_take_turns", locks::threads_that_block_for_a_lock_take_turns as fn()),
        ("locks::values_without_a_size_can_be_locked", locks::values_without_a_size_can_be_locked as fn()),
        ("locks::a_value_is_dropped_once_with_its_lock", locks::a_value_is_dropped_once_with_its_lock as fn()),
        ("locks::debugging_a_lock_shows_the_value_or_that_it_is_locked", locks::debugging_a_lock_shows_the_value_or_that_it_is_locked as fn()),
        ("locks::a_served_goroutine_runs_although_others_lock_in_a_loop", locks::a_served_goroutine_runs_although_others_lock_in_a_loop as fn()),
        ("locks::locks_in_statics_need_no_cell", locks::locks_in_statics_need_no_cell as fn()),
        ("locks::owned_guards_that_are_taken_at_once_exclude_each_other", locks::owned_guards_that_are_taken_at_once_exclude_each_other as fn()),
        ("meetings::nobody_passes_before_the_last_one_has_come", meetings::nobody_passes_before_the_last_one_has_come as fn()),
        ("meetings::with_one_or_none_nobody_waits", meetings::with_one_or_none_nobody_waits as fn()),
        ("meetings::one_that_goes_away_is_not_counted", meetings::one_that_goes_away_is_not_counted as fn()),
        ("meetings::one_that_goes_away_after_all_have_met_does_not_count_for_the_next_meeting", meetings::one_that_goes_away_after_all_have_met_does_not_count_for_the_next_meeting as fn()),
        ("meetings::a_barrier_that_is_used_again_and_again_keeps_all_together", meetings::a_barrier_that_is_used_again_and_again_keeps_all_together as fn()),
        ("meetings::a_task_whose_time_is_up_has_met_nobody", meetings::a_task_whose_time_is_up_has_met_nobody as fn()),
        ("meetings::a_task_that_was_met_just_before_its_time_was_up_goes_on", meetings::a_task_that_was_met_just_before_its_time_was_up_goes_on as fn()),
        ("meetings::a_task_that_is_kept_after_its_time_is_up_comes_again", meetings::a_task_that_is_kept_after_its_time_is_up_comes_again as fn()),
        ("meetings::of_those_whose_time_is_not_up_each_has_met_another_one", meetings::of_those_whose_time_is_not_up_each_has_met_another_one as fn()),
        ("meetings::a_wait_that_is_polled_after_it_was_ready_does_not_come_a_second_time", meetings::a_wait_that_is_polled_after_it_was_ready_does_not_come_a_second_time as fn()),
        ("notify::a_notification_before_the_wait_is_kept_once", notify::a_notification_before_the_wait_is_kept_once as fn()),
        ("notify::a_notification_during_the_wait_goes_to_the_first_one_only", notify::a_notification_during_the_wait_goes_to_the_first_one_only as fn()),
        ("notify::a_notification_of_one_that_goes_away_reaches_the_next_one", notify::a_notification_of_one_that_goes_away_reaches_the_next_one as fn()),
        ("notify::a_notification_of_one_that_goes_away_is_kept_if_nobody_else_waits", notify::a_notification_of_one_that_goes_away_is_kept_if_nobody_else_waits as fn()),
        ("notify::a_notification_of_one_that_only_began_to_wait_is_not_used_up_by_its_drop", notify::a_notification_of_one_that_only_began_to_wait_is_not_used_up_by_its_drop as fn()),
        ("notify::notifying_all_reaches_all_that_wait_and_keeps_nothing", notify::notifying_all_reaches_all_that_wait_and_keeps_nothing as fn()),
        ("notify::notifying_all_reaches_one_that_was_made_before_and_not_polled", notify::notifying_all_reaches_one_that_was_made_before_and_not_polled as fn()),
        ("notify::notifying_all_is_not_passed_on_by_one_that_goes_away", notify::notifying_all_is_not_passed_on_by_one_that_goes_away as fn()),
        ("notify::notifying_all_leaves_a_kept_notification_for_the_next_one", notify::notifying_all_leaves_a_kept_notification_for_the_next_one as fn()),
        ("notify::one_and_all_in_turn_serve_each_waiter_once", notify::one_and_all_in_turn_serve_each_waiter_once as fn()),
        ("notify::no_notification_between_goroutines_is_missed", notify::no_notification_between_goroutines_is_missed as fn()),
        ("notify::two_notifications_before_the_first_polls_reach_two_that_were_enabled", notify::two_notifications_before_the_first_polls_reach_two_that_were_enabled as fn()),
        ("notify::enabling_one_that_waits_does_not_cost_it_its_waker", notify::enabling_one_that_waits_does_not_cost_it_its_waker as fn()),
        ("notify::enabling_one_that_was_notified_before_makes_it_ready", notify::enabling_one_that_was_notified_before_makes_it_ready as fn()),
        ("notify::one_that_was_enabled_and_goes_away_passes_its_notification_on", notify::one_that_was_enabled_and_goes_away_passes_its_notification_on as fn()),
        ("once::many_that_need_a_value_at_the_same_time_make_it_once", once::many_that_need_a_value_at_the_same_time_make_it_once as fn()),
        ("once::if_the_maker_is_dropped_the_next_one_makes_the_value", once::if_the_maker_is_dropped_the_next_one_makes_the_value as fn()),
        ("once::if_the_maker_panics_the_next_one_makes_the_value", once::if_the_maker_panics_the_next_one_makes_the_value as fn()),
        ("once::if_the_maker_fails_it_gets_the_error_and_the_next_one_tries", once::if_the_maker_fails_it_gets_the_error_and_the_next_one_tries as fn()),
        ("once::all_that_wait_go_on_when_the_value_is_there", once::all_that_wait_go_on_when_the_value_is_there as fn()),
        ("once::calls_with_the_same_key_share_one_run_and_others_do_not", once::calls_with_the_same_key_share_one_run_and_others_do_not as fn()),
        ("once::if_the_leader_is_dropped_a_follower_does_its_own_work", once::if_the_leader_is_dropped_a_follower_does_its_own_work as fn()),
        ("once::if_all_callers_are_dropped_nothing_of_the_call_is_left", once::if_all_callers_are_dropped_nothing_of_the_call_is_left as fn()),
        ("once::a_forgotten_call_is_not_joined_and_keeps_its_followers", once::a_forgotten_call_is_not_joined_and_keeps_its_followers as fn()),
        ("once::keys_are_compared_without_a_lock", once::keys_are_compared_without_a_lock as fn()),
        ("once::calls_of_many_goroutines_end_whoever_of_them_is_aborted", once::calls_of_many_goroutines_end_whoever_of_them_is_aborted as fn()),
        ("once::one_that_was_overtaken_gets_the_value_and_makes_none", once::one_that_was_overtaken_gets_the_value_and_makes_none as fn()),
        ("oneshot::a_value_sent_before_or_during_the_wait_arrives", oneshot::a_value_sent_before_or_during_the_wait_arrives as fn()),
        ("oneshot::a_sender_that_is_dropped_ends_the_wait", oneshot::a_sender_that_is_dropped_ends_the_wait as fn()),
        ("oneshot::a_receiver_that_is_dropped_or_closed_ends_the_senders_wait", oneshot::a_receiver_that_is_dropped_or_closed_ends_the_senders_wait as fn()),
        ("oneshot::a_value_that_was_sent_before_the_close_is_received", oneshot::a_value_that_was_sent_before_the_close_is_received as fn()),
        ("oneshot::a_value_that_nobody_receives_is_dropped_with_the_receiver", oneshot::a_value_that_nobody_receives_is_dropped_with_the_receiver as fn()),
        ("oneshot::a_receiver_that_is_kept_after_a_timeout_gets_the_value", oneshot::a_receiver_that_is_kept_after_a_timeout_gets_the_value as fn()),
        ("oneshot::a_value_is_delivered_or_given_back", oneshot::a_value_is_delivered_or_given_back as fn()),
        ("oneshot::a_thread_that_blocks_for_a_value_is_woken", oneshot::a_thread_that_blocks_for_a_value_is_woken as fn()),
        ("oneshot::a_value_that_has_come_is_the_last_one_at_once", oneshot::a_value_that_has_come_is_the_last_one_at_once as fn()),
        ("semaphore::who_came_first_is_served_first", semaphore::who_came_first_is_served_first as fn()),
        ("semaphore::one_that_needs_little_does_not_overtake_one_that_needs_much", semaphore::one_that_needs_little_does_not_overtake_one_that_needs_much as fn()),
        ("semaphore::one_that_was_late_gets_what_another_late_one_leaves", semaphore::one_that_was_late_gets_what_another_late_one_leaves as fn()),
        ("semaphore::newcomers_overtake_each_one_that_is_woken_although_another_one_has_not_come", semaphore::newcomers_overtake_each_one_that_is_woken_although_another_one_has_not_come as fn()),
        ("semaphore::permits_that_come_one_by_one_are_collected_for_the_first", semaphore::permits_that_come_one_by_one_are_collected_for_the_first as fn()),
        ("semaphore::several_that_need_little_are_served_by_one_large_gift", semaphore::several_that_need_little_are_served_by_one_large_gift as fn()),
        ("semaphore::nothing_is_acquired_at_once_even_by_those_that_need_none", semaphore::nothing_is_acquired_at_once_even_by_those_that_need_none as fn()),
        ("semaphore::closing_ends_all_waits_and_refuses_all_that_come_later", semaphore::closing_ends_all_waits_and_refuses_all_that_come_later as fn()),
        ("semaphore::those_that_were_woken_together_and_overtaken_are_served_in_their_order", semaphore::those_that_were_woken_together_and_overtaken_are_served_in_their_order as fn()),
        ("semaphore::one_that_was_overtaken_before_the_closing_gets_an_error", semaphore::one_that_was_overtaken_before_the_closing_gets_an_error as fn()),
        ("semaphore::one_that_is_woken_and_left_alone_keeps_no_more_than_its_own_from_others", semaphore::one_that_is_woken_and_left_alone_keeps_no_more_than_its_own_from_others as fn()),
        ("semaphore::a_wait_that_is_dropped_after_closing_harms_nobody", semaphore::a_wait_that_is_dropped_after_closing_harms_nobody as fn()),
        ("semaphore::more_permits_than_can_be_counted_are_refused_and_change_nothing", semaphore::more_permits_than_can_be_counted_are_refused_and_change_nothing as fn()),
        ("semaphore::permits_are_split_and_forgotten_one_by_one", semaphore::permits_are_split_and_forgotten_one_by_one as fn()),
        ("semaphore::a_wait_for_more_than_there_ever_are_keeps_others_waiting_until_it_goes", semaphore::a_wait_for_more_than_there_ever_are_keeps_others_waiting_until_it_goes as fn()),
        ("semaphore::a_future_that_is_polled_with_another_waker_wakes_that_one", semaphore::a_future_that_is_polled_with_another_waker_wakes_that_one as fn()),
        ("semaphore::a_thread_that_blocks_for_a_permit_is_woken", semaphore::a_thread_that_blocks_for_a_permit_is_woken as fn()),
        ("semaphore::permits_that_are_out_count_when_more_are_added", semaphore::permits_that_are_out_count_when_more_are_added as fn()),
        ("semaphore::permits_that_are_merged_are_given_back_once", semaphore::permits_that_are_merged_are_given_back_once as fn()),
        ("semaphore::a_semaphore_in_a_static_needs_no_cell", semaphore::a_semaphore_in_a_static_needs_no_cell as fn()),
        ("starvation::a_condition_that_never_has_to_wait_keeps_a_worker_from_other_goroutines", starvation::a_condition_that_never_has_to_wait_keeps_a_worker_from_other_goroutines as fn()),
        ("values::a_clone_that_panics_costs_one_receiver_one_value_and_nobody_else_anything", values::a_clone_that_panics_costs_one_receiver_one_value_and_nobody_else_anything as fn()),
        ("values::a_clone_that_panics_leaves_the_value_of_a_watch_as_it_was", values::a_clone_that_panics_leaves_the_value_of_a_watch_as_it_was as fn()),
        ("values::a_change_that_panics_leaves_the_value_of_a_watch_as_it_was", values::a_change_that_panics_leaves_the_value_of_a_watch_as_it_was as fn()),
        ("values::a_destructor_that_panics_in_a_send_hides_the_new_value_from_nobody", values::a_destructor_that_panics_in_a_send_hides_the_new_value_from_nobody as fn()),
        ("values::a_destructor_that_panics_when_the_last_receiver_goes_still_tells_the_sender", values::a_destructor_that_panics_when_the_last_receiver_goes_still_tells_the_sender as fn()),
        ("values::a_key_or_a_result_that_panics_leaves_the_group_usable", values::a_key_or_a_result_that_panics_leaves_the_group_usable as fn()),
        ("values::a_waker_that_sends_when_it_is_dropped_finds_the_channel_unlocked", values::a_waker_that_sends_when_it_is_dropped_finds_the_channel_unlocked as fn()),
        ("values::a_wait_that_goes_to_another_task_wakes_that_one_and_forgets_the_first", values::a_wait_that_goes_to_another_task_wakes_that_one_and_forgets_the_first as fn()),
        ("values::a_receiver_that_is_made_after_the_end_finds_the_end", values::a_receiver_that_is_made_after_the_end_finds_the_end as fn()),
        ("values::receivers_lag_each_for_itself_and_again_and_again", values::receivers_lag_each_for_itself_and_again_and_again as fn()),
        ("values::one_that_all_were_notified_with_leaves_the_kept_notification", values::one_that_all_were_notified_with_leaves_the_kept_notification as fn()),
        ("values::permits_of_another_semaphore_are_refused_at_the_callers_line", values::permits_of_another_semaphore_are_refused_at_the_callers_line as fn()),
        ("values::a_receive_that_has_given_its_value_is_not_polled_again", values::a_receive_that_has_given_its_value_is_not_polled_again as fn()),
        ("watch::a_receiver_sees_the_value_it_was_made_with_as_old", watch::a_receiver_sees_the_value_it_was_made_with_as_old as fn()),
        ("watch::values_that_are_replaced_are_not_seen_and_the_last_one_is", watch::values_that_are_replaced_are_not_seen_and_the_last_one_is as fn()),
        ("watch::the_last_value_is_seen_although_the_sender_has_gone", watch::the_last_value_is_seen_although_the_sender_has_gone as fn()),
        ("watch::the_last_sender_that_goes_ends_the_waits_and_no_other", watch::the_last_sender_that_goes_ends_the_waits_and_no_other as fn()),
        ("watch::the_last_receiver_that_goes_tells_the_senders", watch::the_last_receiver_that_goes_tells_the_senders as fn()),
        ("watch::a_value_that_is_looked_at_does_not_keep_senders_waiting", watch::a_value_that_is_looked_at_does_not_keep_senders_waiting as fn()),
        ("watch::a_change_that_was_not_awaited_to_its_end_is_still_new", watch::a_change_that_was_not_awaited_to_its_end_is_still_new as fn()),
        ("watch::a_change_that_changes_the_channel_itself_is_made_again", watch::a_change_that_changes_the_channel_itself_is_made_again as fn()),
        ("watch::no_change_of_many_senders_is_lost", watch::no_change_of_many_senders_is_lost as fn()),
        ("watch::the_last_value_reaches_every_receiver", watch::the_last_value_reaches_every_receiver as fn()),
        ("watch::replaced_values_are_dropped", watch::replaced_values_are_dropped as fn()),
        ("watch::values_do_not_wake_those_who_wait_for_the_last_receiver_to_go", watch::values_do_not_wake_those_who_wait_for_the_last_receiver_to_go as fn()),
        ("watch::a_change_that_turns_out_to_be_none_wakes_nobody", watch::a_change_that_turns_out_to_be_none_wakes_nobody as fn()),
        ("watch::a_stream_gives_what_was_not_seen_and_ends_with_the_senders", watch::a_stream_gives_what_was_not_seen_and_ends_with_the_senders as fn()),
        ("watch::a_stream_that_is_no_longer_awaited_lets_its_waker_go", watch::a_stream_that_is_no_longer_awaited_lets_its_waker_go as fn()),
        ("watch::a_value_that_is_marked_is_new_or_not", watch::a_value_that_is_marked_is_new_or_not as fn()),
    ] {
        if name == only { crate::common::under_schedules(name, test); }
    }
}
