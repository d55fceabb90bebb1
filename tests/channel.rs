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
