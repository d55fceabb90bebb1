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
    /// How many events came before.
    left_out: usize,
}

impl Notes {
    #[cfg(feature = "net")]
    pub(super) fn add(&mut self, at: Duration, event: String) {
        if self.last.len() == SHOWN {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back((at, event));
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.last.len(), self.left_out) {
            (0, _) => {}
            (_, 0) => writeln!(f, "what happened on the network:")?,
            (_, left_out) => {
                writeln!(f, "what happened last on the network, after {left_out} events:")?
            }
        }
        let mut events = self.last.iter();
        events.try_for_each(|(at, event)| writeln!(f, "{:>10}  {event}", format!("{at:?}")))
    }
}
