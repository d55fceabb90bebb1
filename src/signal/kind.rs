//! [`Signal`].

#![forbid(unsafe_code)]

use std::fmt;

/// A signal of the operating system. On Windows only [`Int`](Self::Int) ever comes.
///
/// Signals that stand for a fault of the program (`SIGSEGV` and the like) or that cannot be caught
/// (`SIGKILL`, `SIGSTOP`) are not here.
///
/// Go counterpart: `os.Signal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGHUP`: the terminal is gone, or a service shall read its settings again.
    Hup,
    /// `SIGINT`: Ctrl-C.
    Int,
    /// `SIGQUIT`: Ctrl-\.
    Quit,
    /// `SIGUSR1`: what the program makes of it.
    Usr1,
    /// `SIGUSR2`: what the program makes of it.
    Usr2,
    /// `SIGALRM`: a timer of the system's has expired.
    Alrm,
    /// `SIGTERM`: somebody asks the program to end.
    Term,
    /// `SIGCHLD`: a child process has stopped or ended.
    Chld,
    /// `SIGCONT`: the program goes on after a stop.
    Cont,
    /// `SIGTSTP`: Ctrl-Z.
    Tstp,
    /// `SIGWINCH`: the terminal has another size.
    Winch,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Hup => "hangup",
            Signal::Int => "interrupt",
            Signal::Quit => "quit",
            Signal::Usr1 => "user defined signal 1",
            Signal::Usr2 => "user defined signal 2",
            Signal::Alrm => "alarm clock",
            Signal::Term => "terminated",
            Signal::Chld => "child exited",
            Signal::Cont => "continued",
            Signal::Tstp => "stopped",
            Signal::Winch => "window changed",
        })
    }
}
