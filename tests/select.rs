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

/// Those of the tests above whose goroutines meet, under schedules that a simulation chooses.
#[test]
fn an_order_that_seldom_occurs_breaks_a_promise() {
    common::simulate![
        forms::all_futures_are_dropped_before_the_body_runs,
        forms::commas_are_optional_after_braces,
        forms::control_flow_in_bodies_acts_on_what_is_around,
        forms::each_kind_of_case_gives_its_output,
        forms::every_irrefutable_pattern_is_possible,
        forms::futures_need_not_be_send_in_main,
        forms::it_can_be_sent_if_its_parts_can,
        forms::patterns_take_values_apart,
        forms::temporaries_live_as_long_as_the_wait,
    ];
}
