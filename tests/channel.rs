//! Channels: what they promise, hazard by hazard.

mod common;

#[path = "channel/blocking.rs"]
mod blocking;
#[path = "channel/cancellation.rs"]
mod cancellation;
#[path = "channel/closing.rs"]
mod closing;
#[path = "channel/fairness.rs"]
mod fairness;
#[path = "channel/go_tests.rs"]
mod go_tests;
#[path = "channel/limits.rs"]
mod limits;
#[path = "channel/order.rs"]
mod order;
#[path = "channel/power_series.rs"]
mod power_series;
#[path = "channel/series.rs"]
mod series;
#[path = "channel/stream.rs"]
mod stream;
#[path = "channel/stress.rs"]
mod stress;
#[path = "channel/user_code.rs"]
mod user_code;

const WORKERS: [usize; 3] = [1, 2, 16];

// TRIAL
#[test]
fn trial() {
    let Ok(only) = std::env::var("ONLY") else { return };
    for (name, test) in [
        ("blocking::threads_talk_to_threads", blocking::threads_talk_to_threads as fn()),
        ("blocking::threads_talk_to_goroutines", blocking::threads_talk_to_goroutines as fn()),
        (
            "blocking::goroutines_that_block_do_not_hold_each_other_up",
            blocking::goroutines_that_block_do_not_hold_each_other_up as fn(),
        ),
        ("blocking::main_may_block", blocking::main_may_block as fn()),
        (
            "blocking::an_unhandled_panic_reaches_a_main_that_blocks",
            blocking::an_unhandled_panic_reaches_a_main_that_blocks as fn(),
        ),
        (
            "blocking::a_goroutine_that_blocks_is_left_behind_by_the_end_of_main",
            blocking::a_goroutine_that_blocks_is_left_behind_by_the_end_of_main as fn(),
        ),
        (
            "cancellation::a_send_that_is_dropped_before_it_is_committed_drops_its_value_unseen",
            cancellation::a_send_that_is_dropped_before_it_is_committed_drops_its_value_unseen
                as fn(),
        ),
        (
            "cancellation::a_send_that_is_dropped_after_it_was_committed_has_delivered",
            cancellation::a_send_that_is_dropped_after_it_was_committed_has_delivered as fn(),
        ),
        (
            "cancellation::what_a_dropped_receive_was_given_goes_to_the_next_receiver",
            cancellation::what_a_dropped_receive_was_given_goes_to_the_next_receiver as fn(),
        ),
        (
            "cancellation::what_a_dropped_receive_was_given_is_the_first_in_the_channel_again",
            cancellation::what_a_dropped_receive_was_given_is_the_first_in_the_channel_again
                as fn(),
        ),
        (
            "cancellation::what_a_dropped_receive_was_given_is_kept_by_a_closed_channel",
            cancellation::what_a_dropped_receive_was_given_is_kept_by_a_closed_channel as fn(),
        ),
        (
            "cancellation::what_a_dropped_receive_was_given_is_dropped_with_the_last_receiver",
            cancellation::what_a_dropped_receive_was_given_is_dropped_with_the_last_receiver
                as fn(),
        ),
        (
            "cancellation::a_lost_race_leaves_the_value_of_send_from_in_its_option",
            cancellation::a_lost_race_leaves_the_value_of_send_from_in_its_option as fn(),
        ),
        (
            "cancellation::a_failed_send_from_leaves_the_value_in_its_option",
            cancellation::a_failed_send_from_leaves_the_value_in_its_option as fn(),
        ),
        (
            "cancellation::send_from_an_empty_option_panics_at_its_line",
            cancellation::send_from_an_empty_option_panics_at_its_line as fn(),
        ),
        (
            "cancellation::an_aborted_goroutine_leaves_the_queue",
            cancellation::an_aborted_goroutine_leaves_the_queue as fn(),
        ),
        (
            "cancellation::goroutines_that_main_leaves_waiting_are_dropped_with_their_values",
            cancellation::goroutines_that_main_leaves_waiting_are_dropped_with_their_values
                as fn(),
        ),
        (
            "closing::what_is_in_the_buffer_is_received_after_close",
            closing::what_is_in_the_buffer_is_received_after_close as fn(),
        ),
        (
            "closing::close_gives_their_values_back_to_senders_that_wait",
            closing::close_gives_their_values_back_to_senders_that_wait as fn(),
        ),
        (
            "closing::close_ends_receivers_that_wait",
            closing::close_ends_receivers_that_wait as fn(),
        ),
        ("closing::the_last_sender_closes", closing::the_last_sender_closes as fn()),
        (
            "closing::the_last_receiver_closes_and_drops_what_is_in_the_buffer",
            closing::the_last_receiver_closes_and_drops_what_is_in_the_buffer as fn(),
        ),
        (
            "closing::a_channel_nobody_uses_any_more_drops_its_values_once",
            closing::a_channel_nobody_uses_any_more_drops_its_values_once as fn(),
        ),
        (
            "closing::close_races_with_senders_and_receivers",
            closing::close_races_with_senders_and_receivers as fn(),
        ),
        (
            "closing::a_channel_outlives_the_runtime_it_was_used_in",
            closing::a_channel_outlives_the_runtime_it_was_used_in as fn(),
        ),
        (
            "closing::errors_say_what_happened_whatever_the_value",
            closing::errors_say_what_happened_whatever_the_value as fn(),
        ),
        (
            "fairness::a_goroutine_that_could_receive_for_ever_gives_way",
            fairness::a_goroutine_that_could_receive_for_ever_gives_way as fn(),
        ),
        (
            "fairness::two_that_only_feed_each_other_do_not_keep_a_third_from_running",
            fairness::two_that_only_feed_each_other_do_not_keep_a_third_from_running as fn(),
        ),
        (
            "fairness::operations_that_do_not_wait_are_not_counted",
            fairness::operations_that_do_not_wait_are_not_counted as fn(),
        ),
        (
            "fairness::code_that_is_no_goroutines_is_not_counted",
            fairness::code_that_is_no_goroutines_is_not_counted as fn(),
        ),
        (
            "fairness::an_executor_inside_a_goroutine_goes_on",
            fairness::an_executor_inside_a_goroutine_goes_on as fn(),
        ),
        (
            "fairness::giving_way_is_one_poll_that_wakes_its_own_waker",
            fairness::giving_way_is_one_poll_that_wakes_its_own_waker as fn(),
        ),
        (
            "fairness::a_first_receive_of_a_goroutine_is_never_put_off",
            fairness::a_first_receive_of_a_goroutine_is_never_put_off as fn(),
        ),
        (
            "go_tests::receives_from_an_empty_channel_and_sends_to_a_full_one_wait",
            go_tests::receives_from_an_empty_channel_and_sends_to_a_full_one_wait as fn(),
        ),
        (
            "go_tests::a_closed_channel_gives_what_is_in_it_and_then_nothing",
            go_tests::a_closed_channel_gives_what_is_in_it_and_then_nothing as fn(),
        ),
        (
            "go_tests::a_hundred_numbers_arrive_in_order",
            go_tests::a_hundred_numbers_arrive_in_order as fn(),
        ),
        (
            "go_tests::a_receive_that_does_not_wait_finds_what_is_there_while_another_closes",
            go_tests::a_receive_that_does_not_wait_finds_what_is_there_while_another_closes
                as fn(),
        ),
        (
            "go_tests::numbers_go_through_many_hands_and_none_is_lost",
            go_tests::numbers_go_through_many_hands_and_none_is_lost as fn(),
        ),
        (
            "go_tests::a_value_passes_through_ten_thousand_goroutines",
            go_tests::a_value_passes_through_ten_thousand_goroutines as fn(),
        ),
        (
            "go_tests::a_chain_of_goroutines_hands_over_in_order",
            go_tests::a_chain_of_goroutines_hands_over_in_order as fn(),
        ),
        (
            "go_tests::operations_that_do_not_wait_meet_those_that_do",
            go_tests::operations_that_do_not_wait_meet_those_that_do as fn(),
        ),
        (
            "go_tests::a_chain_of_filters_finds_primes",
            go_tests::a_chain_of_filters_finds_primes as fn(),
        ),
        (
            "go_tests::channels_of_nothing_can_be_made_and_used",
            go_tests::channels_of_nothing_can_be_made_and_used as fn(),
        ),
        (
            "go_tests::a_send_or_receive_that_waits_may_be_moved_in_memory",
            go_tests::a_send_or_receive_that_waits_may_be_moved_in_memory as fn(),
        ),
        (
            "limits::a_limit_counts_from_the_call_and_not_from_the_first_poll",
            limits::a_limit_counts_from_the_call_and_not_from_the_first_poll as fn(),
        ),
        (
            "limits::what_can_be_done_at_once_is_done_within_no_time",
            limits::what_can_be_done_at_once_is_done_within_no_time as fn(),
        ),
        (
            "limits::a_close_ends_them_before_their_time",
            limits::a_close_ends_them_before_their_time as fn(),
        ),
        (
            "limits::a_limit_that_has_passed_says_that_nothing_has_happened",
            limits::a_limit_that_has_passed_says_that_nothing_has_happened as fn(),
        ),
        (
            "limits::a_limit_is_exact_inside_a_combinator_with_its_own_wakers",
            limits::a_limit_is_exact_inside_a_combinator_with_its_own_wakers as fn(),
        ),
        (
            "limits::a_send_or_receive_with_a_limit_that_is_dropped_leaves_the_line",
            limits::a_send_or_receive_with_a_limit_that_is_dropped_leaves_the_line as fn(),
        ),
        (
            "limits::many_are_received_in_order_as_far_as_they_are_there_and_wanted",
            limits::many_are_received_in_order_as_far_as_they_are_there_and_wanted as fn(),
        ),
        (
            "limits::many_are_received_from_senders_of_a_rendezvous",
            limits::many_are_received_from_senders_of_a_rendezvous as fn(),
        ),
        (
            "limits::senders_that_never_rest_do_not_keep_one_who_receives_many_for_ever",
            limits::senders_that_never_rest_do_not_keep_one_who_receives_many_for_ever as fn(),
        ),
        (
            "limits::a_sender_that_comes_back_at_each_receive_does_not_keep_one_who_receives_many",
            limits::a_sender_that_comes_back_at_each_receive_does_not_keep_one_who_receives_many
                as fn(),
        ),
        (
            "limits::a_receive_of_many_that_is_dropped_takes_nothing",
            limits::a_receive_of_many_that_is_dropped_takes_nothing as fn(),
        ),
        (
            "limits::every_value_arrives_once_where_several_receive_many",
            limits::every_value_arrives_once_where_several_receive_many as fn(),
        ),
        (
            "limits::a_receive_of_many_that_goes_on_is_polled_with_the_waker_of_its_owner",
            limits::a_receive_of_many_that_goes_on_is_polled_with_the_waker_of_its_owner as fn(),
        ),
        (
            "order::values_arrive_in_the_order_in_which_they_were_sent",
            order::values_arrive_in_the_order_in_which_they_were_sent as fn(),
        ),
        (
            "order::a_rendezvous_send_completes_when_a_receive_is_committed_to_its_value",
            order::a_rendezvous_send_completes_when_a_receive_is_committed_to_its_value as fn(),
        ),
        (
            "order::try_operations_need_a_partner_that_waits_at_a_rendezvous",
            order::try_operations_need_a_partner_that_waits_at_a_rendezvous as fn(),
        ),
        (
            "order::receivers_that_wait_are_served_first_come_first_served",
            order::receivers_that_wait_are_served_first_come_first_served as fn(),
        ),
        (
            "order::senders_that_wait_are_served_first_come_first_served",
            order::senders_that_wait_are_served_first_come_first_served as fn(),
        ),
        (
            "order::nobody_overtakes_a_receiver_that_was_given_a_value",
            order::nobody_overtakes_a_receiver_that_was_given_a_value as fn(),
        ),
        (
            "order::leaving_from_any_place_in_the_queue_leaves_the_others_in_order",
            order::leaving_from_any_place_in_the_queue_leaves_the_others_in_order as fn(),
        ),
        (
            "order::an_unbounded_channel_allocates_as_values_come",
            order::an_unbounded_channel_allocates_as_values_come as fn(),
        ),
        (
            "order::values_without_a_size_are_counted",
            order::values_without_a_size_are_counted as fn(),
        ),
        (
            "order::the_waker_of_the_last_poll_is_woken",
            order::the_waker_of_the_last_poll_is_woken as fn(),
        ),
        (
            "order::a_send_polled_after_it_has_completed_panics",
            order::a_send_polled_after_it_has_completed_panics as fn(),
        ),
        (
            "power_series::answers_in_a_network_that_grows_reach_those_who_asked",
            power_series::answers_in_a_network_that_grows_reach_those_who_asked as fn(),
        ),
        (
            "power_series::boxed_answers_in_a_network_that_grows_reach_those_who_asked",
            power_series::boxed_answers_in_a_network_that_grows_reach_those_who_asked as fn(),
        ),
        (
            "power_series::a_network_that_nobody_can_ask_any_more_ends",
            power_series::a_network_that_nobody_can_ask_any_more_ends as fn(),
        ),
        (
            "stream::a_stream_ends_when_the_channel_is_closed_and_empty",
            stream::a_stream_ends_when_the_channel_is_closed_and_empty as fn(),
        ),
        (
            "stream::a_stream_keeps_its_place_between_polls",
            stream::a_stream_keeps_its_place_between_polls as fn(),
        ),
        (
            "stream::using_the_receiver_otherwise_gives_up_the_streams_place",
            stream::using_the_receiver_otherwise_gives_up_the_streams_place as fn(),
        ),
        (
            "stream::a_stream_that_is_dropped_gives_back_what_it_was_given",
            stream::a_stream_that_is_dropped_gives_back_what_it_was_given as fn(),
        ),
        ("stream::a_stream_can_be_boxed_and_sent", stream::a_stream_can_be_boxed_and_sent as fn()),
        ("stress::every_value_arrives_once", stress::every_value_arrives_once as fn()),
        (
            "stress::what_is_sent_is_received_also_when_others_are_aborted",
            stress::what_is_sent_is_received_also_when_others_are_aborted as fn(),
        ),
        ("stress::clones_come_and_go", stress::clones_come_and_go as fn()),
        ("stress::many_wait_at_one_channel", stress::many_wait_at_one_channel as fn()),
        (
            "user_code::wakers_that_use_the_channel_find_it_unlocked",
            user_code::wakers_that_use_the_channel_find_it_unlocked as fn(),
        ),
        (
            "user_code::a_sender_whose_waker_makes_room_when_it_is_cloned_does_not_wait",
            user_code::a_sender_whose_waker_makes_room_when_it_is_cloned_does_not_wait as fn(),
        ),
        (
            "user_code::values_whose_destructors_use_the_channel_find_it_unlocked",
            user_code::values_whose_destructors_use_the_channel_find_it_unlocked as fn(),
        ),
        (
            "user_code::a_destructor_that_panics_leaves_the_channel_usable",
            user_code::a_destructor_that_panics_leaves_the_channel_usable as fn(),
        ),
        (
            "user_code::a_waker_that_panics_leaves_the_channel_usable",
            user_code::a_waker_that_panics_leaves_the_channel_usable as fn(),
        ),
        (
            "user_code::a_waker_that_panics_at_close_does_not_cost_others_their_wake_up",
            user_code::a_waker_that_panics_at_close_does_not_cost_others_their_wake_up as fn(),
        ),
        (
            "user_code::a_clone_that_panics_when_it_is_dropped_does_not_cost_a_receive_its_value",
            user_code::a_clone_that_panics_when_it_is_dropped_does_not_cost_a_receive_its_value
                as fn(),
        ),
        (
            "user_code::a_clone_that_panics_when_it_is_dropped_does_not_confuse_a_send",
            user_code::a_clone_that_panics_when_it_is_dropped_does_not_confuse_a_send as fn(),
        ),
        (
            "user_code::a_clone_that_panics_when_it_is_dropped_does_not_confuse_a_stream",
            user_code::a_clone_that_panics_when_it_is_dropped_does_not_confuse_a_stream as fn(),
        ),
        (
            "user_code::a_clone_that_panics_when_it_is_dropped_does_not_hide_the_end",
            user_code::a_clone_that_panics_when_it_is_dropped_does_not_hide_the_end as fn(),
        ),
        (
            "user_code::wakers_that_panic_when_they_are_exchanged_leave_a_receive_in_the_queue",
            user_code::wakers_that_panic_when_they_are_exchanged_leave_a_receive_in_the_queue
                as fn(),
        ),
        (
            "user_code::a_waker_that_panics_does_not_keep_a_dropped_receiver_counted",
            user_code::a_waker_that_panics_does_not_keep_a_dropped_receiver_counted as fn(),
        ),
        (
            "user_code::payloads_that_panic_do_not_cost_others_their_wake_up_at_close",
            user_code::payloads_that_panic_do_not_cost_others_their_wake_up_at_close as fn(),
        ),
        (
            "user_code::a_waker_that_panics_at_close_does_not_end_a_process_that_unwinds",
            user_code::a_waker_that_panics_at_close_does_not_end_a_process_that_unwinds as fn(),
        ),
    ] {
        if name == only {
            crate::common::under_schedules(name, test);
        }
    }
}
