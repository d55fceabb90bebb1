//! The kinds of operations that a goroutine waits for.

#![forbid(unsafe_code)]

/// A variant of an operation has that one's kind: `send_from` is a `Send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Operation {
    Receive,
    Send,
    Select,
    Sleep,
    Timeout,
    Join,
    JoinNext,
    WaitGroup,
    Acquire,
    Notified,
    Barrier,
    Broadcast,
    Watch,
    Oneshot,
    Done,
    #[cfg(feature = "io")]
    Read,
    #[cfg(feature = "io")]
    Write,
    #[cfg(feature = "net")]
    Accept,
    #[cfg(feature = "net")]
    Connect,
    #[cfg(feature = "process")]
    Child,
}

impl Operation {
    pub(crate) const ALL: &'static [Operation] = &[
        Operation::Receive,
        Operation::Send,
        Operation::Select,
        Operation::Sleep,
        Operation::Timeout,
        Operation::Join,
        Operation::JoinNext,
        Operation::WaitGroup,
        Operation::Acquire,
        Operation::Notified,
        Operation::Barrier,
        Operation::Broadcast,
        Operation::Watch,
        Operation::Oneshot,
        Operation::Done,
        #[cfg(feature = "io")]
        Operation::Read,
        #[cfg(feature = "io")]
        Operation::Write,
        #[cfg(feature = "net")]
        Operation::Accept,
        #[cfg(feature = "net")]
        Operation::Connect,
        #[cfg(feature = "process")]
        Operation::Child,
    ];

    /// As a dump shows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Receive => "recv",
            Operation::Send => "send",
            Operation::Select => "select",
            Operation::Sleep => "sleep",
            Operation::Timeout => "timeout",
            Operation::Join => "join",
            Operation::JoinNext => "join set",
            Operation::WaitGroup => "wait group",
            Operation::Acquire => "lock",
            Operation::Notified => "notified",
            Operation::Barrier => "barrier",
            Operation::Broadcast => "broadcast",
            Operation::Watch => "watch",
            Operation::Oneshot => "oneshot",
            Operation::Done => "context",
            #[cfg(feature = "io")]
            Operation::Read => "read",
            #[cfg(feature = "io")]
            Operation::Write => "write",
            #[cfg(feature = "net")]
            Operation::Accept => "accept",
            #[cfg(feature = "net")]
            Operation::Connect => "connect",
            #[cfg(feature = "process")]
            Operation::Child => "child process",
        }
    }
}
