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
