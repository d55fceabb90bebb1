//! What the senders and receivers of a watch channel share.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::sync::channel::{Channel, Opened};

pub(super) fn open<T>(value: T, receivers: usize) -> Opened<State<T>> {
    Channel::open(State { value: Arc::new(value), version: 0 }, receivers)
}

pub(super) struct State<T> {
    pub(super) value: Arc<T>,
    /// How often it was replaced.
    pub(super) version: u64,
}
