//! gorun under faults: what the machine, the system, or the user's own code may do to it.
//!
//! | fault | test, or why there is none |
//! |---|---|
//! | no thread is to be had at the start | `limits`; `tests/bad_input.rs`: `threads_the_system_refuses_are_an_error_and_those_started_end` |
//! | none in mid-run: for cover, for a report, for the standard input or a child, at the end | `limits`; `tests/blocked.rs`: `a_callback_that_no_thread_can_be_had_for_does_not_hold_up_the_end` |
//! | a stack that cannot be allocated | `tests/bad_input.rs`: `a_stack_size_no_machine_has_is_an_error`; in mid-run `tests/blocked.rs`: `a_thread_the_system_refuses_is_done_without_and_that_is_said_once` |
//! | no files are to be had | `limits` |
//! | programs started by many goroutines at once | `programs` |
//! | signals, while threads sleep | `signals` |
//! | the wall clock is set | `clock`; the monotonic clock cannot be, and to start a program with another one takes a time namespace, which shifts it once and for all |
//! | less than a core | `quotas`: by a control group where there may be one, and by stopping the process |
//! | a limit for cores that changes in mid-run | `quotas`, `affinity`: `workers_follow_…` |
//! | the process is stopped and goes on | `pauses` |
//! | confined to one core, at the start and in mid-run; a worker that hardly gets a core | `affinity` |
//! | cores, priority, signal mask, timer slack that a goroutine or main sets for itself | `inheritance` |
//! | foreign wakers that panic when cloned, called, dropped | `wakers`; `tests/time/misuse.rs`: `a_waker_that_panics_is_an_unhandled_panic`; `tests/channel/user_code.rs` and `tests/wait_group.rs`: `a_waker_that_panics_…`; those that block: `tests/blocked.rs`, `tests/exit.rs` |
//! | destructors that panic: of futures, results, payloads | `tests/panics.rs`: `a_destructors_panic_…`, `an_outputs_destructor_…`, `payloads_…` |
//! | destructors of values in channels that panic | `tests/channel/user_code.rs`: `a_destructor_that_panics_leaves_the_channel_usable` |
//! | `on_blocked` panics, blocks, cannot be dropped | `hooks`; `tests/blocked.rs`: `a_callback_that_…` |
//! | panic hooks that panic, block, never return | `hooks` |
//! | `Debug` or `Display` of the user's that panics | none: gorun formats no value of the user's. Of a payload it shows text only |
//! | futures polled after completion | `polls`; `tests/join.rs`: `a_handle_polled_after_its_result_panics_at_the_callers_line` |
//! | destructors of thread-locals that use gorun | `thread_locals`; `tests/exit.rs`: `destructors_of_workers_thread_locals_…`, `the_destructor_of_a_thread_local_may_be_a_main` |
//! | `exit`, `abort`, a panic in a panic, a stack that overflows, standard error that is full | `endings` |
//! | no memory | none: the standard library ends the process where memory for a value is refused, so there is nothing of gorun's to test |
//! | the machine loses power, its memory or its kernel fails | none: nothing is kept that could be damaged |
#![cfg(target_os = "linux")]

mod common;

#[path = "faults/affinity.rs"]
mod affinity;
#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/endings.rs"]
mod endings;
#[path = "faults/hooks.rs"]
mod hooks;
#[path = "faults/inheritance.rs"]
mod inheritance;
#[path = "faults/limits.rs"]
mod limits;
#[path = "faults/pauses.rs"]
mod pauses;
#[path = "faults/polls.rs"]
mod polls;
#[path = "faults/programs.rs"]
mod programs;
#[path = "faults/quotas.rs"]
mod quotas;
#[path = "faults/signals.rs"]
mod signals;
#[path = "faults/thread_locals.rs"]
mod thread_locals;
#[path = "faults/wakers.rs"]
mod wakers;
#[path = "faults/workload.rs"]
mod workload;

use std::io::Write;
use std::time::Duration;

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);

/// Says why something is not tested here, also where the output of tests that pass is not shown.
fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
