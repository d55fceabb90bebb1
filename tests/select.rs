//! `select!`: its forms, and what it promises.

mod common;

#[path = "select/choice.rs"]
mod choice;
#[path = "select/exactly_one.rs"]
mod exactly_one;
#[path = "select/forms.rs"]
mod forms;
#[path = "select/go_tests.rs"]
mod go_tests;
#[path = "select/programs.rs"]
mod programs;
#[path = "select/statements.rs"]
mod statements;
#[path = "select/stress.rs"]
mod stress;

const WORKERS: [usize; 3] = [1, 2, 16];

// TRIAL
#[test]
fn trial() {
    let Ok(only) = std::env::var("ONLY") else { return };
    for (name, test) in [
        ("choice::of_two_ready_cases_each_is_chosen_half_of_the_times", choice::of_two_ready_cases_each_is_chosen_half_of_the_times as fn()),
        ("choice::a_case_that_is_not_ready_changes_nothing_for_the_others", choice::a_case_that_is_not_ready_changes_nothing_for_the_others as fn()),
        ("choice::of_ten_ready_cases_each_is_chosen_one_time_in_ten", choice::of_ten_ready_cases_each_is_chosen_one_time_in_ten as fn()),
        ("choice::a_future_that_is_always_ready_leaves_channels_their_turn", choice::a_future_that_is_always_ready_leaves_channels_their_turn as fn()),
        ("exactly_one::what_is_sent_to_a_select_that_waits_goes_straight_to_it", exactly_one::what_is_sent_to_a_select_that_waits_goes_straight_to_it as fn()),
        ("exactly_one::what_a_select_that_waits_would_send_can_be_taken_once", exactly_one::what_a_select_that_waits_would_send_can_be_taken_once as fn()),
        ("exactly_one::a_select_that_is_decided_has_left_the_other_lines", exactly_one::a_select_that_is_decided_has_left_the_other_lines as fn()),
        ("exactly_one::a_select_that_is_dropped_while_it_waits_leaves_all_lines", exactly_one::a_select_that_is_dropped_while_it_waits_leaves_all_lines as fn()),
        ("exactly_one::a_select_that_is_dropped_after_it_was_decided_gives_the_value_back", exactly_one::a_select_that_is_dropped_after_it_was_decided_gives_the_value_back as fn()),
        ("exactly_one::a_send_case_that_was_committed_has_sent_though_the_select_is_dropped", exactly_one::a_send_case_that_was_committed_has_sent_though_the_select_is_dropped as fn()),
        ("exactly_one::closing_decides_a_select_that_waits", exactly_one::closing_decides_a_select_that_waits as fn()),
        ("exactly_one::a_select_does_not_meet_itself", exactly_one::a_select_does_not_meet_itself as fn()),
        ("exactly_one::the_same_channel_may_stand_in_several_cases", exactly_one::the_same_channel_may_stand_in_several_cases as fn()),
        ("exactly_one::a_partner_that_comes_while_another_future_is_polled_is_not_missed", exactly_one::a_partner_that_comes_while_another_future_is_polled_is_not_missed as fn()),
        ("exactly_one::a_future_that_is_ready_wins_over_a_partner_that_came_meanwhile", exactly_one::a_future_that_is_ready_wins_over_a_partner_that_came_meanwhile as fn()),
        ("exactly_one::a_panic_of_a_future_leaves_the_queues", exactly_one::a_panic_of_a_future_leaves_the_queues as fn()),
        ("exactly_one::the_waker_of_the_last_poll_is_woken", exactly_one::the_waker_of_the_last_poll_is_woken as fn()),
        ("forms::each_kind_of_case_gives_its_output", forms::each_kind_of_case_gives_its_output as fn()),
        ("forms::commas_are_optional_after_braces", forms::commas_are_optional_after_braces as fn()),
        ("forms::bodies_can_be_expressions_of_another_macro", forms::bodies_can_be_expressions_of_another_macro as fn()),
        ("forms::patterns_take_values_apart", forms::patterns_take_values_apart as fn()),
        ("forms::every_irrefutable_pattern_is_possible", forms::every_irrefutable_pattern_is_possible as fn()),
        ("forms::conditions_come_first_then_the_futures_of_enabled_cases_in_order", forms::conditions_come_first_then_the_futures_of_enabled_cases_in_order as fn()),
        ("forms::all_futures_are_dropped_before_the_body_runs", forms::all_futures_are_dropped_before_the_body_runs as fn()),
        ("forms::temporaries_live_as_long_as_the_wait", forms::temporaries_live_as_long_as_the_wait as fn()),
        ("forms::control_flow_in_bodies_acts_on_what_is_around", forms::control_flow_in_bodies_acts_on_what_is_around as fn()),
        ("forms::with_default_it_works_in_a_plain_function", forms::with_default_it_works_in_a_plain_function as fn()),
        ("forms::with_all_cases_disabled_it_waits_for_ever_or_takes_default", forms::with_all_cases_disabled_it_waits_for_ever_or_takes_default as fn()),
        ("forms::futures_need_not_be_send_in_main", forms::futures_need_not_be_send_in_main as fn()),
        ("forms::it_can_be_sent_if_its_parts_can", forms::it_can_be_sent_if_its_parts_can as fn()),
        ("forms::futures_that_were_polled_before_can_be_cases", forms::futures_that_were_polled_before_can_be_cases as fn()),
        ("forms::sixty_four_cases_are_possible", forms::sixty_four_cases_are_possible as fn()),
        ("go_tests::default_is_chosen_only_if_at_one_moment_no_case_is_possible", go_tests::default_is_chosen_only_if_at_one_moment_no_case_is_possible as fn()),
        ("go_tests::default_is_not_chosen_while_one_channel_is_emptied_after_another_is_closed", go_tests::default_is_not_chosen_while_one_channel_is_emptied_after_another_is_closed as fn()),
        ("go_tests::nobody_receives_at_a_rendezvous_what_it_has_sent_itself", go_tests::nobody_receives_at_a_rendezvous_what_it_has_sent_itself as fn()),
        ("go_tests::plain_operations_and_selects_of_four_channels_meet", go_tests::plain_operations_and_selects_of_four_channels_meet as fn()),
        ("go_tests::of_two_full_channels_both_are_received_from", go_tests::of_two_full_channels_both_are_received_from as fn()),
        ("go_tests::two_sends_to_the_same_channel_are_chosen_at_random", go_tests::two_sends_to_the_same_channel_are_chosen_at_random as fn()),
        ("go_tests::one_that_stood_twice_in_a_queue_leaves_the_other_in_it", go_tests::one_that_stood_twice_in_a_queue_leaves_the_other_in_it as fn()),
        ("programs::no_value_of_a_select_is_sent_twice_though_four_wait_for_it", programs::no_value_of_a_select_is_sent_twice_though_four_wait_for_it as fn()),
        ("programs::the_last_in_a_queue_that_leaves_it_cuts_off_neither_those_before_nor_those_after", programs::the_last_in_a_queue_that_leaves_it_cuts_off_neither_those_before_nor_those_after as fn()),
        ("programs::values_received_without_looking_at_them_are_dropped_once", programs::values_received_without_looking_at_them_are_dropped_once as fn()),
        ("programs::a_sieve_that_feeds_itself_does_not_stop", programs::a_sieve_that_feeds_itself_does_not_stop as fn()),
        ("programs::plain_and_selecting_goroutines_in_all_combinations_keep_each_channels_order", programs::plain_and_selecting_goroutines_in_all_combinations_keep_each_channels_order as fn()),
        ("statements::a_value_is_made_for_each_enabled_case_each_time", statements::a_value_is_made_for_each_enabled_case_each_time as fn()),
        ("statements::what_waits_for_ever_in_go_does_so_here", statements::what_waits_for_ever_in_go_does_so_here as fn()),
        ("statements::what_never_waits_in_go_does_not_wait_here", statements::what_never_waits_in_go_does_not_wait_here as fn()),
        ("statements::the_place_for_a_value_is_computed_for_the_chosen_case_only", statements::the_place_for_a_value_is_computed_for_the_chosen_case_only as fn()),
        ("statements::a_receive_happens_in_any_company_and_all_parts_are_evaluated_in_order", statements::a_receive_happens_in_any_company_and_all_parts_are_evaluated_in_order as fn()),
        ("statements::a_send_happens_in_any_company_and_all_parts_are_evaluated_in_order", statements::a_send_happens_in_any_company_and_all_parts_are_evaluated_in_order as fn()),
        ("statements::nothing_happens_in_any_company_of_cases_that_are_not_ready", statements::nothing_happens_in_any_company_of_cases_that_are_not_ready as fn()),
        ("statements::break_leaves_the_block_around_a_select_of_any_size", statements::break_leaves_the_block_around_a_select_of_any_size as fn()),
        ("statements::a_case_may_send_to_a_channel_that_it_has_to_fetch_first", statements::a_case_may_send_to_a_channel_that_it_has_to_fetch_first as fn()),
        ("statements::boxes_that_a_full_channel_does_not_take_are_dropped_once", statements::boxes_that_a_full_channel_does_not_take_are_dropped_once as fn()),
        ("stress::nothing_is_lost_or_received_twice", stress::nothing_is_lost_or_received_twice as fn()),
        ("stress::selects_that_face_each_other_meet_once_in_each_round", stress::selects_that_face_each_other_meet_once_in_each_round as fn()),
    ] {
        if name == only { crate::common::under_schedules(name, test); }
    }
}
