//! `gorun::errgroup`: the first error, the limit, and what becomes of those who still run.

mod common;

#[path = "errgroup/go_tests.rs"]
mod go_tests;
#[path = "errgroup/hazards.rs"]
mod hazards;

const WORKERS: [usize; 3] = [1, 2, 16];
