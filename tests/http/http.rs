//! `gorun::http`: what clients get, also hostile ones, and how a server ends.

#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod client;
#[cfg(target_os = "linux")]
mod crowds;
mod curl;
mod endings;
mod hostile;
mod limits;
mod services;
mod uses;

const WORKERS: [usize; 3] = [1, 2, 16];
