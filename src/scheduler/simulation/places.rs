//! On which host of the simulated network each goroutine is: on that of whoever spawned it.

#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "net"), allow(dead_code, reason = "without a network there is one host"))]

use std::collections::HashMap;

use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::steps::Number;

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) host: HostId,
    /// How often the host had crashed.
    life: u32,
}

/// Goroutines that are not on main's host have an entry.
#[derive(Default)]
pub(super) struct Places {
    of: HashMap<Number, Place>,
    crashes: HashMap<HostId, u32>,
}

impl Places {
    /// `spawner` has spawned `new`.
    pub(super) fn inherit(&mut self, new: Number, spawner: Number) {
        if let Some(&place) = self.of.get(&spawner) {
            self.of.insert(new, place);
        }
    }

    pub(super) fn host_of(&self, who: Number) -> HostId {
        self.of.get(&who).map_or(HostId::MAINS, |place| place.host)
    }

    /// On `host`, as it is now.
    pub(super) fn on(&self, host: HostId) -> Place {
        Place { host, life: self.life_of(host) }
    }

    /// Returns where it was. `None` is main's host.
    pub(super) fn put(&mut self, who: Number, place: Option<Place>) -> Option<Place> {
        match place {
            Some(place) => self.of.insert(who, place),
            None => self.of.remove(&who),
        }
    }

    pub(super) fn remove(&mut self, who: Number) {
        self.of.remove(&who);
    }

    /// Its host has crashed since.
    pub(super) fn is_dead(&self, who: Number) -> bool {
        self.of.get(&who).is_some_and(|place| place.life != self.life_of(place.host))
    }

    pub(super) fn crash(&mut self, host: HostId) {
        *self.crashes.entry(host).or_default() += 1;
    }

    fn life_of(&self, host: HostId) -> u32 {
        self.crashes.get(&host).copied().unwrap_or(0)
    }
}
