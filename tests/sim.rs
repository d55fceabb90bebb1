//! Simulated runs: which orders they try, what they find, and that they can be repeated.

mod common;

#[path = "sim/attribute.rs"]
mod attribute;
#[path = "sim/failures.rs"]
mod failures;
#[path = "sim/go_tests.rs"]
mod go_tests;
#[path = "sim/nested.rs"]
mod nested;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/net_endings.rs"]
mod net_endings;
#[path = "sim/orders.rs"]
mod orders;
#[path = "sim/outside.rs"]
mod outside;
#[path = "sim/programs.rs"]
mod programs;
#[path = "sim/replaying.rs"]
mod replaying;
#[path = "sim/time.rs"]
mod time;
