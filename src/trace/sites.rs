//! What a file calls places in the program.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::panic::Location;

use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::trace::names;
use crate::scheduler::wait::{Activity, RawActivity};

/// The names of spawn sites and of spans, by their addresses.
#[derive(Default)]
pub(super) struct Sites(HashMap<usize, String>);

impl Sites {
    pub(super) fn name(&mut self, address: usize) -> &str {
        self.0.entry(address).or_insert_with(|| {
            SpawnSite::at(address).map_or_else(|| "?".to_owned(), |site| place(site.spawned_at))
        })
    }

    /// What the program calls what is at `address`.
    pub(super) fn given(&mut self, address: usize) -> &str {
        self.0
            .entry(address)
            .or_insert_with(|| names::get(address).unwrap_or_else(|| "?".to_owned()))
    }
}

/// What somebody who does not run waits for.
pub(super) fn wait(activity: RawActivity) -> String {
    match activity.unpack() {
        Activity::Waiting(operation, Some(at)) => format!("{} at {}", operation.name(), place(at)),
        Activity::Waiting(operation, None) => operation.name().to_owned(),
        Activity::Queued | Activity::Running | Activity::WaitingElsewhere => {
            "waits for a future that is not gorun's".to_owned()
        }
    }
}

fn place(location: &Location<'_>) -> String {
    format!("{}:{}:{}", location.file(), location.line(), location.column())
}
