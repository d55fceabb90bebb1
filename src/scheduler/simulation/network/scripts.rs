//! What a test does to the network.

#![forbid(unsafe_code)]

use std::io;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use crate::scheduler::reactor::source::Readiness;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::hosts;
use crate::scheduler::simulation::network::core::Network;
use crate::scheduler::simulation::network::end_id::{EndId, Side};
use crate::scheduler::simulation::network::links::Cut;
use crate::scheduler::simulation::network::settings::Latency;
use crate::scheduler::simulation::network::state::{Act, Protocol};

impl Network {
    /// `None`: another one has that name, or that address.
    pub(crate) fn add_host(
        self: &Arc<Self>,
        name: &str,
        address: Option<IpAddr>,
    ) -> io::Result<Option<HostId>> {
        self.act(|act| {
            let links = &mut act.state.links;
            let has_name = links.hosts.iter().any(|host| host.name.eq_ignore_ascii_case(name));
            let is_taken = has_name || address.is_some_and(|address| links.is_taken(address));
            if is_taken {
                return Ok(None);
            }
            let added = links.add_host(name, address);
            let names = links.hosts.iter().map(|host| host.name.clone()).collect();
            act.simulation.note_host(names);
            Ok(Some(added))
        })
    }

    pub(crate) fn name_and_address(self: &Arc<Self>, host: HostId) -> io::Result<(String, IpAddr)> {
        self.act(|act| {
            let host = act.state.links.host(host);
            Ok((host.name.clone(), host.addresses[0]))
        })
    }

    /// The address of a host with this name.
    pub(crate) fn lookup(self: &Arc<Self>, name: &str) -> io::Result<IpAddr> {
        self.act(|act| {
            let from = act.simulation.current_host();
            act.state.links.address_of_name(from, name).ok_or_else(|| {
                let text = format!(
                    "no host of the simulated network is called \"{name}\"; `sim::net::Host::new` makes one"
                );
                io::Error::new(io::ErrorKind::NotFound, text)
            })
        })
    }

    /// Messages do not get from one host to another.
    pub(crate) fn cut(self: &Arc<Self>, from: HostId, to: HostId) -> io::Result<()> {
        self.act(|act| {
            act.note(|name| format!("the link from {} to {} is cut", name(from), name(to)));
            act.cut(from, to, Cut(None));
            Ok(())
        })
    }

    /// All links work.
    pub(crate) fn heal(self: &Arc<Self>) -> io::Result<()> {
        self.act(|act| {
            act.note(|_| "all links work".to_owned());
            act.state.links.cuts.clear();
            act.go_on();
            Ok(())
        })
    }

    pub(crate) fn set_latency(
        self: &Arc<Self>,
        from: HostId,
        to: HostId,
        latency: Latency,
    ) -> io::Result<()> {
        self.act(|act| {
            act.state.links.latencies.insert((from, to), latency);
            Ok(())
        })
    }

    /// All connections between two hosts fail.
    pub(crate) fn reset(self: &Arc<Self>, one: HostId, other: HostId) -> io::Result<()> {
        self.act(|act| {
            let between =
                |(a, b): (HostId, HostId)| (a, b) == (one, other) || (b, a) == (one, other);
            let connections = act.state.connections.iter();
            let found = connections.filter(|(_, connection)| between(connection.hosts()));
            let ids: Vec<_> = found.map(|(id, _)| *id).collect();
            ids.into_iter().for_each(|id| act.reset(id));
            Ok(())
        })
    }

    /// A host loses its sockets, without a word to their peers, and its goroutines are cancelled.
    pub(crate) fn crash(self: &Arc<Self>, scheduler: &Scheduler, host: HostId) -> io::Result<()> {
        self.act(|act| {
            act.note(|name| format!("{} crashes", name(host)));
            act.state.links.host(host).is_down = true;
            for connection in act.state.connections.keys().copied().collect::<Vec<_>>() {
                for side in [Side::Client, Side::Server] {
                    let id = EndId { connection, side };
                    if act.state.end(id).is_some_and(|end| end.host == host) {
                        act.lose(id);
                    }
                }
            }
            act.lose_sockets(host);
            act.watch_all();
            Ok(())
        })?;
        if let Some(simulation) = scheduler.simulation() {
            hosts::crash(scheduler, simulation, host);
        }
        Ok(())
    }

    /// A host that has crashed runs again.
    pub(crate) fn start(self: &Arc<Self>, host: HostId) -> io::Result<()> {
        self.act(|act| {
            if mem::take(&mut act.state.links.host(host).is_down) {
                act.note(|name| format!("{} runs again", name(host)));
                act.probe(host);
                act.go_on();
            }
            Ok(())
        })
    }
}

impl Act<'_> {
    /// Who waits at a socket of a host that has crashed is told that it is closed.
    fn lose_sockets(&mut self, host: HostId) {
        let (state, woken) = (&mut *self.state, &mut self.woken);
        let mut ports = Vec::new();
        state.listeners.retain(|_, listening| {
            let is_lost = listening.host == host;
            if is_lost {
                listening.source.notify(Readiness::CLOSED, woken);
                ports.push((Protocol::Tcp, listening.address.port()));
            }
            !is_lost
        });
        state.datagrams.retain(|_, socket| {
            let is_lost = socket.host == host;
            if is_lost {
                socket.source.notify(Readiness::CLOSED, woken);
                ports.push((Protocol::Udp, socket.address.port()));
            }
            !is_lost
        });
        for (protocol, port) in ports {
            state.release_port(host, protocol, port);
        }
    }
}
