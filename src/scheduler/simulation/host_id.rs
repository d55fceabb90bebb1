//! Which host of the simulated network.

#![forbid(unsafe_code)]

/// A host, in the order in which they were made. Main begins on the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostId(pub(crate) u32);

impl HostId {
    pub(crate) const MAINS: Self = HostId(0);
}
