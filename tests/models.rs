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
//! for it. Such a file may use, of `crate`: `primitives`, the other files named here, and the functions
//! for which `models/scheduler.rs` has stand-ins. It has no unit tests in it, because loom's types
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
//! themselves (`models/primitives.rs` says how they are modelled).

// Loom's cells are shared between its threads, which are one thread.
#![allow(clippy::arc_with_non_send_sync)]

#[path = "../src/chan/lock.rs"]
#[allow(unreachable_pub)]
mod chan_lock;
#[path = "../src/wait_group/counter.rs"]
mod counter;
#[path = "../src/scheduler/idle/mod.rs"]
#[allow(dead_code)]
mod idle;
#[path = "../src/scheduler/goroutine/live_count.rs"]
#[allow(dead_code)]
mod live_count;
#[path = "../src/scheduler/queues/mod.rs"]
#[allow(dead_code)]
mod queues;
#[path = "../src/scheduler/reactor/mod.rs"]
#[allow(dead_code)]
mod reactor;
#[path = "../src/scheduler/goroutine/registry.rs"]
mod registry;
#[path = "../src/scheduler/worker/thread_requests.rs"]
#[allow(dead_code)]
mod thread_requests;

#[path = "models/chan.rs"]
#[allow(dead_code, unreachable_pub)]
mod chan;
#[path = "models/scheduler.rs"]
mod scheduler;
#[path = "models/select.rs"]
#[allow(dead_code, unreachable_pub)]
mod select;

#[path = "models/primitives.rs"]
mod primitives;
#[path = "models/sync.rs"]
#[allow(dead_code)]
mod sync;
#[path = "../src/scheduler/timers/timer_queue/mod.rs"]
#[allow(dead_code)]
mod timer_queue;

#[path = "models/explore.rs"]
mod explore;
#[path = "models/workers.rs"]
mod workers;

#[path = "models/channels.rs"]
mod channels;
#[path = "models/counted_out_while_alive.rs"]
mod counted_out_while_alive;
#[path = "models/freed_while_pushing.rs"]
mod freed_while_pushing;
#[path = "models/injector.rs"]
mod injector_model;
#[path = "models/left_to_others.rs"]
mod left_to_others;
#[path = "models/lock.rs"]
mod lock_model;
#[path = "models/lost_wakeup.rs"]
mod lost_wakeup;
#[path = "models/missed_at_exit.rs"]
mod missed_at_exit;
#[path = "models/permits.rs"]
mod permits;
#[path = "models/reactor.rs"]
mod reactor_model;
#[path = "models/ring.rs"]
mod ring;
#[path = "models/selects.rs"]
mod selects;
#[path = "models/spares.rs"]
mod spares;
#[path = "models/stranded_single.rs"]
mod stranded_single;
#[path = "models/thread_requests.rs"]
mod thread_requests_model;
#[path = "models/timers.rs"]
mod timers_model;
#[path = "models/wait_group.rs"]
mod wait_group;
#[path = "models/withdrawing.rs"]
mod withdrawing;
