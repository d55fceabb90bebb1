//! What a report says of the network: its hosts, and what has happened there.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How many events a report shows.
#[cfg(feature = "net")]
const SHOWN: usize = 20;

#[derive(Clone, Default)]
pub(crate) struct Notes {
    /// The names of hosts, once there are several.
    pub(crate) hosts: Vec<String>,
    last: VecDeque<(Duration, String)>,
}

impl Notes {
    #[cfg(feature = "net")]
    pub(super) fn add(&mut self, at: Duration, event: String) {
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back((at, event));
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.last.is_empty() {
            writeln!(f, "what happened on the network:")?;
        }
        let mut events = self.last.iter();
        events.try_for_each(|(at, event)| writeln!(f, "{:>10}  {event}", format!("{at:?}")))
    }
}
