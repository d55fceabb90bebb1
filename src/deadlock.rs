//! What becomes of a program in which nothing moves.

#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::dump::Dump;

/// What a runtime does when it is deadlocked: main and all goroutines wait, and nobody is left who could
/// end that.
///
/// On Linux gorun notices that when it is certain, and only then. It is not certain as long as anybody else may
/// act: a thread that is not the runtime's, a handler of signals, a timer, a socket for which a goroutine
/// waits, a goroutine in [`blocking`](crate::blocking) or in a [`block_on`](crate::block_on()) of its own, a
/// child process, a bridge to tokio. Then nothing is said; with the environment variable
/// `GORUN_DEADLOCK=explain`, why not. Two goroutines
/// that wait for each other beside others that go on are no deadlock of the program: a
/// [dump](crate::Handle::dump) shows them.
///
/// gorun looks when everything has fallen asleep, but at most once a second, and once more a tenth of a
/// second later. A program that does nothing is not woken for it. So if a thread that is not the runtime's
/// was the last who could act, and ends later than that without a word, nobody notices.
///
/// The environment variable `GORUN_DEADLOCK` sets the same where the program does not, to `report`, `panic`
/// or `ignore`.
///
/// Go counterpart: "fatal error: all goroutines are asleep - deadlock!", which ends the program.
///
/// # Examples
///
/// ```
/// use std::panic::catch_unwind;
///
/// use gorun::{Builder, OnDeadlock, channel};
///
/// let ended = catch_unwind(|| {
///     # let closed =
///     Builder::new().on_deadlock(OnDeadlock::Panic)
///     # ; closed.assume_closed()
///     .block_on(async {
///         let (tx, rx) = channel::<u32>(0);
///         rx.recv().await; // nobody sends, and `tx` is still there
///         drop(tx);
///     })
/// });
/// assert!(ended.is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDeadlock {
    /// Standard error gets a report: what each goroutine waits for, and where. The program goes on waiting.
    #[default]
    Report,
    /// The same, and then [`block_on`](crate::block_on()) panics: main is dropped where it waits, and the
    /// goroutines are cancelled.
    Panic,
    /// Nothing is said, and gorun does not look.
    Ignore,
}

/// A program in which nothing moves: see [`Builder::on_stall`](crate::Builder::on_stall).
///
/// It displays as a text of some lines.
///
/// Go counterpart: none.
///
/// # Examples
///
/// See [`Builder::on_stall`](crate::Builder::on_stall).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// For so long at least nothing has moved.
    pub lasted: Duration,
    /// Why it cannot be said that nothing will.
    pub reason: String,
    /// What the goroutines wait for.
    pub dump: Dump,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stall { lasted, reason, dump } = self;
        write!(f, "nothing has moved for {lasted:?}. It may go on: {reason}\n{dump}")
    }
}
