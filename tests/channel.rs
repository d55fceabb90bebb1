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

/// Those of the tests above whose goroutines meet, under schedules that a simulation chooses.
#[test]
fn an_order_that_seldom_occurs_breaks_a_promise() {
    common::simulate![
        blocking::an_unhandled_panic_reaches_a_main_that_blocks,
        blocking::main_may_block,
        fairness::a_first_receive_of_a_goroutine_is_never_put_off,
        go_tests::a_chain_of_goroutines_hands_over_in_order,
        go_tests::a_closed_channel_gives_what_is_in_it_and_then_nothing,
        go_tests::channels_of_nothing_can_be_made_and_used,
        limits::a_close_ends_them_before_their_time,
        limits::a_receive_of_many_that_goes_on_is_polled_with_the_waker_of_its_owner,
        limits::a_send_or_receive_with_a_limit_that_is_dropped_leaves_the_line,
        limits::a_sender_that_comes_back_at_each_receive_does_not_keep_one_who_receives_many,
        limits::what_can_be_done_at_once_is_done_within_no_time,
    ];
}
