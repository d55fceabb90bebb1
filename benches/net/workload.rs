//! What is asked of the servers.

/// Of each answer by HTTP. No other part of one ends like this.
pub(crate) const BODY: &[u8] = b"Hello, World!";

/// How a server treats its connections, and what else it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each connection has a buffer.
    Buffered,
    /// A connection gets its buffer when there is something to read.
    Unbuffered,
    /// Buffered, beside goroutines that sleep in the kernel.
    Asleep,
    /// Buffered, beside goroutines that compute.
    Computing,
    /// Each request of HTTP/1.1 gets the same answer.
    Http,
    /// The same, and what a connection takes meanwhile is measured.
    HttpIdle,
}

pub(crate) const MODES: [Mode; 6] =
    [Mode::Buffered, Mode::Unbuffered, Mode::Asleep, Mode::Computing, Mode::Http, Mode::HttpIdle];

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Buffered => "buffered",
            Mode::Unbuffered => "unbuffered",
            Mode::Asleep => "asleep",
            Mode::Computing => "computing",
            Mode::Http => "http",
            Mode::HttpIdle => "http-idle",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Mode> {
        MODES.into_iter().find(|mode| mode.name() == name)
    }

    /// Whether the server has others beside those that echo.
    pub(crate) fn has_others(self) -> bool {
        matches!(self, Mode::Asleep | Mode::Computing)
    }

    pub(crate) fn is_http(self) -> bool {
        matches!(self, Mode::Http | Mode::HttpIdle)
    }

    /// What the generator sends.
    pub(crate) fn request(self) -> &'static [u8] {
        match self.is_http() {
            true => b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n",
            false => &[7; 64],
        }
    }

    /// What each answer ends with.
    pub(crate) fn end(self) -> &'static [u8] {
        if self.is_http() { BODY } else { self.request() }
    }
}

/// What the generator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Each connection echoes again and again.
    Echo,
    /// Each connection echoes once. Then another one takes its place.
    Connect,
    /// Each connection echoes once, and then nothing comes.
    Idle,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) mode: Mode,
    pub(crate) traffic: Traffic,
    /// At the same time.
    pub(crate) connections: usize,
}

impl Workload {
    const fn new(name: &'static str, mode: Mode, traffic: Traffic, connections: usize) -> Workload {
        Workload { name, mode, traffic, connections }
    }
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::new("echo-1", Mode::Buffered, Traffic::Echo, 1),
    Workload::new("echo-64", Mode::Buffered, Traffic::Echo, 64),
    Workload::new("echo-1024", Mode::Buffered, Traffic::Echo, 1024),
    Workload::new("connect", Mode::Buffered, Traffic::Connect, 16),
    Workload::new("idle", Mode::Unbuffered, Traffic::Idle, 10_000),
    Workload::new("asleep", Mode::Asleep, Traffic::Echo, 64),
    Workload::new("computing", Mode::Computing, Traffic::Echo, 64),
    #[cfg(feature = "hyper")]
    Workload::new("http-64", Mode::Http, Traffic::Echo, 64),
    #[cfg(feature = "hyper")]
    Workload::new("http-256", Mode::Http, Traffic::Echo, 256),
    #[cfg(feature = "hyper")]
    Workload::new("http-idle", Mode::HttpIdle, Traffic::Idle, 10_000),
];
