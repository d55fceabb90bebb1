//! A soak: random programs that use all of what gorun has, one after the other, and checks, all the
//! time, of what has to hold for every program.
//!
//! `cargo run --release --example soak -- --seconds 60 --seed 1 --workers 1,2,8,32`
//!
//! The same seed makes the same programs: what a goroutine does derives from a generator that it has
//! from its parent, and so does what that does to it. When they do it is up to the schedule, which no
//! seed determines, and with it who meets whom: who receives a value, whom `abort_somebody` finds,
//! which case of a `select!` happens. So a failure need not come again with its seed; `--first` begins
//! with the round that has failed.
//!
//! Each round is a program, or two that share their channels, and takes some ten milliseconds. It has:
//! trees of goroutines; joins, aborts, handles dropped; panics in polls and in destructors; channels
//! in all their forms, `select!`, timers, yields, blocking calls with and without a word; threads that
//! send, spawn and wait; a thread that wakes, too early, twice, or much later; `block_on` in goroutines;
//! connections over TCP, by local sockets and in memory, with deadlines, that are closed, reset and left;
//! wait groups and join sets; and a main that waits, returns, panics, or is cancelled for a panic.
//!
//! What is checked:
//!
//! - A goroutine begins at most once and is dropped exactly once, never after `block_on` has returned
//!   if it has begun, and does nothing then.
//! - A value whose send said `Ok` is received exactly once; one that was refused is not received; all
//!   are dropped exactly once. (One in a channel that is given up may be dropped with it.) Between one
//!   sender and one receiver they are in order.
//! - What a connection brings is what was written, in order; all of it, unless it was closed or reset.
//! - A join gives the goroutine's own value, or its own panic, or says cancelled if it was; and then
//!   the goroutine has been dropped.
//! - Timers are not early. Each round ends.
//! - `num_goroutines` is right where it is determinate.
//! - After a round its runtimes have been freed; threads, open files, and (less exactly) memory are
//!   what they were.
//!
//! A violation is reported with seed, round and the last events, and the exit code is 1; a round that
//! does not end with what each goroutine waits for, and 2. `--plant` brings about one of the faults in
//! `options.rs`, to show that it would be noticed. A main that crashes on purpose, one in 512, has gorun
//! say so on standard error.

mod act;
mod actor;
mod bell;
mod child;
mod connection;
mod event;
mod failure;
mod life;
mod memory;
mod message;
mod nested;
pub(crate) mod options;
mod outside;
mod process;
mod random;
mod record;
mod resident;
mod round;
mod value;
mod wait;
mod watchdog;
mod world;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use failure::fail;
use memory::Memory;
use options::{Options, USAGE};
use random::Random;
use round::Round;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) => {
            soak(&options);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::from(64)
        }
    }
}

/// Returns if nothing was wrong.
pub(crate) fn soak(options: &Options) {
    println!("{options:?}");
    failure::watch_panics();
    bell::hang_up(Random::new(options.seed));
    watchdog::start(options.patience);
    let (threads, files) = (process::threads(), process::files());
    let mut memory = Memory::new(options.growth);
    let start = Instant::now();
    let (mut rounds, mut goroutines, mut values, mut timers, mut bytes) = (0, 0, 0, 0, 0);
    let mut slowest = (Duration::ZERO, 0);
    while rounds == 0 || start.elapsed() < options.time {
        let number = options.first + rounds;
        // Its own generator, so that a round is the same whichever was the first.
        let random = Random::new(options.seed).of(number);
        let round = Round::new(random, &options.workers, options.plant);
        failure::begin_round(format!("seed {}, round {number}, {round}", options.seed));
        let progress = format!(
            "{:>5.0?} {rounds} rounds, {goroutines} goroutines, {values} values, {timers} timers, \
             {bytes} bytes",
            start.elapsed(),
        );
        watchdog::watch(&round.world.table, progress);
        let begin = Instant::now();
        let sum = round.run(options.settling);
        slowest = slowest.max((begin.elapsed(), number));
        settle(
            "threads",
            options.settling,
            || process::threads().unwrap_or(0),
            threads.unwrap_or(0),
        );
        settle("files", options.settling, || process::files().unwrap_or(0), files.unwrap_or(0));
        memory.look(rounds);
        rounds += 1;
        goroutines += sum.goroutines;
        values += sum.values;
        timers += sum.timers;
        bytes += sum.bytes;
    }
    println!(
        "no violation with seed {}: {rounds} rounds, {goroutines} goroutines, {values} values, \
         {timers} timers, {bytes} bytes in {:.1?}; {memory}; round {} took {:.1?}, others less",
        options.seed,
        start.elapsed(),
        slowest.1,
        slowest.0,
    );
}

/// Waits until there are no more than there were.
fn settle(what: &str, limit: Duration, count: impl Fn() -> usize, before: usize) {
    let start = Instant::now();
    while count() > before {
        if start.elapsed() > limit {
            fail(format!("{} {what} are left, where there were {before}", count()));
        }
        thread::sleep(Duration::from_micros(200));
    }
}
