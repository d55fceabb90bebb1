//! Why nobody can tell whether a runtime is deadlocked.

#![forbid(unsafe_code)]

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Something of the runtime runs, or is about to.
    Moves,
    /// A goroutine blocks its thread, in `blocking` or in a `block_on`.
    Blocked,
    /// Threads that stand in for others have nothing to do, and have not ended.
    Spares,
    /// A thread of the runtime ends, and runs destructors.
    ThreadEnds,
    /// A timer has not fired.
    Timer,
    /// A goroutine waits for a socket.
    Socket,
    /// Somebody is in `Handle::block_on`, outside.
    Guest,
    /// A thread of gorun waits for something outside: a process, standard input.
    Events,
    /// There is a bridge to tokio.
    Tokio,
    /// The program has asked for signals, by `gorun::signal`.
    Listener,
    /// Another runtime of the process moves, or may.
    Others,
    /// Threads that are not of the runtime: so many.
    Threads(usize),
    /// The process handles this signal.
    Signal(u32),
    /// The system does not say who is there.
    System,
}

impl Doubt {
    /// Whether it is about outsiders that nobody knows anything of.
    pub(crate) fn is_about_strangers(&self) -> bool {
        matches!(self, Doubt::Threads(_) | Doubt::Signal(_) | Doubt::System)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Moves => f.write_str("something of the runtime runs, or blocks its thread"),
            Doubt::Blocked => f.write_str("a goroutine blocks its thread, and may go on"),
            Doubt::Spares | Doubt::ThreadEnds => {
                f.write_str("a thread that has stood in for a worker has not ended yet")
            }
            Doubt::Timer => f.write_str("a timer has not fired"),
            Doubt::Socket => f.write_str("a goroutine waits for a socket"),
            Doubt::Guest => f.write_str("a thread outside is in `Handle::block_on`"),
            Doubt::Events => f.write_str(
                "a thread of gorun waits for a process, for standard input, or in a callback",
            ),
            Doubt::Tokio => f.write_str("code on tokio's threads may act, by the bridge"),
            Doubt::Others => f.write_str("another runtime may act"),
            Doubt::Listener => f.write_str("the program listens to signals"),
            Doubt::Threads(1) => f.write_str("a thread that is not of this runtime may act"),
            Doubt::Threads(count) => {
                write!(f, "{count} threads that are not of this runtime may act")
            }
            Doubt::Signal(number) => {
                write!(f, "the program handles signal {number}, and may act then")
            }
            Doubt::System => f.write_str(
                "the system does not say which threads there are (Linux does, in /proc)",
            ),
        }
    }
}
