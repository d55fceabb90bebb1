//! `gorun::http`: what clients get, also hostile ones, and how a server ends.

#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod bounds;
mod client;
#[cfg(target_os = "linux")]
mod crowds;
mod curl;
mod destructors;
mod endings;
mod floods;
mod frames;
mod hostile;
mod leaving;
mod limits;
mod progress;
mod services;
mod simulated;
mod streams;
mod uses;

const WORKERS: [usize; 3] = [1, 2, 16];
