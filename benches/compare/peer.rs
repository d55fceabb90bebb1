//! What is compared: runtimes, and channels of those who bring no runtime.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Gorun,
    Go,
    Tokio,
    AsyncExecutor,
    Threads,
    Flume,
    Kanal,
    AsyncChannel,
    Crossfire,
    /// Nobody's, to compare all with (`floor.rs`).
    Floor,
}

pub(crate) const PEERS: [Peer; 10] = [
    Peer::Gorun,
    Peer::Go,
    Peer::Tokio,
    Peer::AsyncExecutor,
    Peer::Threads,
    Peer::Flume,
    Peer::Kanal,
    Peer::AsyncChannel,
    Peer::Crossfire,
    Peer::Floor,
];

impl Peer {
    /// Of a crate, if it is one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Gorun => "gorun",
            Peer::Go => "Go",
            Peer::Tokio => "tokio",
            Peer::AsyncExecutor => "async-executor",
            Peer::Threads => "OS threads",
            Peer::Flume => "flume",
            Peer::Kanal => "kanal",
            Peer::AsyncChannel => "async-channel",
            Peer::Crossfire => "crossfire",
            Peer::Floor => "floor",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Peer> {
        PEERS.into_iter().find(|peer| peer.name() == name)
    }
}
