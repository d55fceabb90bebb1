//! Models of the scheduler's protocols, checked by loom over the schedules and the stale reads
//! that the memory model allows.
//!
//! ```text
//! cargo test --test models                         # everything, in about a minute
//! GORUN_MODELS=full cargo test --release --test models    # some a preemption further; CI does this
//! cargo test --test models -- --nocapture ring     # one file, with the number of executions
//! LOOM_MAX_PREEMPTIONS=4 cargo test --release --test models idle    # beyond the models' bounds
//! ```
//!
//! In a minute only so many schedules can be run. So a dozen models that hold go a preemption less
//! far than their twins, in which the mistake is found; `quick_or_full` shows both bounds.
//!
//! What is checked is the shipped text: the files under `src` that are named below are
//! compiled into this crate, where `crate::primitives` is made of loom's types. Neither side has a `cfg`
//! for it. Such a file may use, of `crate`: `primitives`, the other files named here, and what has stand-ins
//! in `scheduler.rs`, `context.rs` and `join_handle.rs`. It has no unit tests in it, because loom's types
//! panic outside a model.
//!
//! A model that cannot fail proves nothing. Each has a twin with a mistake that must be found
//! (`should_panic`), or a comment saying which change of the source it was seen to find, with what
//! loom printed.
//!
//! What loom does not do, so that no model can speak of it: a load never returns a value that is
//! stored later (no load buffering); `SeqCst` loads and stores give no more than `Acquire` and
//! `Release`, except that among `SeqCst` stores only the newest is read; a `SeqCst` fence makes all
//! that came before earlier ones visible, a little more than C11 says; timed waits do not end by
//! themselves (`primitives.rs` says how they are modelled).

// Loom's cells are shared between its threads, which are one thread.
#![allow(clippy::arc_with_non_send_sync)]

#[path = "../../src/http/alert.rs"]
mod alert;
#[path = "../../src/chan/lock.rs"]
#[allow(unreachable_pub)]
mod chan_lock;
#[path = "../../src/clock.rs"]
#[allow(dead_code)]
mod clock;
#[path = "../../src/wait_group/counter.rs"]
mod counter;
#[path = "../../src/scheduler/deadlock/check.rs"]
mod deadlock_check;
#[path = "../../src/scheduler/deadlock/doubt.rs"]
#[allow(dead_code)]
mod doubt;
#[path = "../../src/scheduler/idle/mod.rs"]
#[allow(dead_code)]
mod idle;
#[path = "../../src/scheduler/goroutine/live_count.rs"]
#[allow(dead_code)]
mod live_count;
#[path = "../../src/scheduler/main/main_sleep.rs"]
mod main_sleep;
#[path = "../../src/scheduler/diagnostics/record.rs"]
mod orphan_record;
#[path = "../../src/scheduler/queues/mod.rs"]
#[allow(dead_code)]
mod queues;
#[path = "../../src/scheduler/reactor/mod.rs"]
#[allow(dead_code)]
mod reactor;
#[path = "../../src/scheduler/goroutine/registry.rs"]
#[allow(dead_code)]
mod registry;
#[path = "../../src/scheduler/worker/thread_requests.rs"]
#[allow(dead_code)]
mod thread_requests;

#[allow(dead_code, unreachable_pub)]
mod chan;
#[allow(dead_code, unreachable_pub)]
mod context;
mod join_handle;
mod scheduler;
#[allow(dead_code, unreachable_pub)]
mod select;

mod primitives;
#[allow(dead_code)]
mod sync;
#[path = "../../src/scheduler/trace/ring.rs"]
#[allow(dead_code)]
mod trace_ring;

#[path = "../../src/scheduler/timers/timer_queue/mod.rs"]
#[allow(dead_code)]
mod timer_queue;

mod explore;
mod workers;

mod alert_model;
mod channels;
mod counted_out_while_alive;
mod deadlock_model;
mod freed_while_pushing;
mod injector_model;
mod left_to_others;
mod lock_model;
mod lost_wakeup;
mod missed_at_exit;
mod oneshot;
mod orphans;
mod permits;
mod reactor_model;
mod ring;
mod selects;
mod spares;
mod stranded_single;
mod thread_requests_model;
mod timers_model;
mod trace_model;
mod wait_group;
mod withdrawing;
