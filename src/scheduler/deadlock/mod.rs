//! Whether a runtime is deadlocked: nothing in it moves, and nothing will.
//!
//! # The problem
//!
//! All goroutines wait, and main waits. That is a deadlock if nobody is left who could end one of these
//! waits, and an idle program otherwise. A waker, a sender or a handle may lie anywhere, so no goroutine
//! alone can be judged. But only somebody who runs can use what lies somewhere: a thread, or a signal
//! handler. The system counts the threads of a process, and knows which signals it handles. So nothing has to be
//! kept for this while goroutines run.
//!
//! # Rule
//!
//! [`check`](check::check) asks four times, in this order:
//!
//! 1. *Do all sleep?* Every worker sleeps as one that is available (`idle/rest.rs`), and main's thread
//!    sleeps in the innermost future that it drives (`main_sleep.rs`). If so, a number says how often they
//!    have fallen asleep so far.
//! 2. *Can an outsider act?* The process has no threads but these, the monitor, which asks, and threads of
//!    gorun that only wait for signals; and it handles no signal that could end a wait (`outsiders.rs`).
//! 3. *Is anything pending* that ends a wait without an outsider? A task in a queue; main woken; a timer; a
//!    task that waits for a socket, or events that a poller has taken and not delivered.
//! 4. *Do they still sleep*, with the same number?
//!
//! If none of the answers speaks against it, it is a deadlock.
//!
//! # Why it is certain
//!
//! By the number, neither a worker nor main has run between the first question and the last. The monitor
//! runs no code of the user's. At some moment of the second question there was no other thread, and no handler
//! that could act. From that moment to the last question nobody has run who could create a thread or
//! install a handler, wake anything, or make anything pending. So what was not pending at the third
//! question was not pending at the last, and nobody is there who could change that.
//!
//! Two that sleep by the lists may run for a moment: a worker that looks at the queues once more before it
//! sleeps, and the poller, which has events already. The former finds nothing that is not pending. The
//! latter says so before it takes a waiter from a socket (`Parker::note_events`), until it is awake by the
//! lists. So a waiter that the third question does not find any more is one whose poller it finds.
//!
//! An outsider may have acted, and ended, before the second question. What it woke has run since, then the
//! number has changed, or is pending.
//!
//! # A closed world
//!
//! If the program promises that nobody else acts, or a test assumes it, the second question is about those that gorun
//! knows of: guests in `Handle::block_on`, tokio, threads of gorun that wait for a process or for the standard
//! input or call users' code, listeners to signals, and other runtimes. One of these may hold what the goroutines
//! here wait for, in a `static` for one. So all others must be at rest and without anything pending, their
//! monitors asleep as well, and at one moment, since they may wake each other (`runtime.rs`).
//!
//! # When it is checked
//!
//! Whoever is the last to fall asleep notifies the monitor, if that wants to know (`monitor/stillness.rs`), and
//! main does so if it falls asleep while no worker is awake. Both cannot miss each other: main notes its sleep
//! and looks whether a worker is awake; the last worker counts itself out and notifies the monitor anyway,
//! which looks at main's note. (It looks at the workers first: so main, if the monitor does not find its note
//! yet, sees what the monitor has seen of the workers.) The monitor says that it wants to know before it checks, so who falls asleep
//! during a check causes the next one.
//!
//! # Rejected
//!
//! - A list of the ids of the process's threads: it takes a system call for each few hundred, in which
//!   threads come and go. Their number is one that the system has at one moment. It suffices, because the
//!   threads that sleep are known to be there.
//! - To track nested `block_on`s like main: they are rare, and each would lock to sleep. They count as somebody
//!   who may act.
//! - A check by the one that falls asleep: it would read a file of the system for each burst of work.

#![forbid(unsafe_code)]

pub(crate) mod check;
pub(crate) mod doubt;
pub(crate) mod outsiders;
pub(crate) mod runtime;
