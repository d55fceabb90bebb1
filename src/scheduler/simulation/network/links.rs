//! Hosts, their addresses, and which of them reach each other.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::settings::Latency;

pub(super) struct Host {
    pub(super) name: String,
    /// The first is shown.
    pub(super) addresses: Vec<IpAddr>,
    /// It has crashed, and nothing has been spawned there since.
    pub(super) is_down: bool,
    /// The port to try next.
    pub(super) next_port: u16,
}

/// Until when a link is cut in one direction; `None`: until it is healed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut(pub(super) Option<Instant>);

pub(super) struct Links {
    pub(super) hosts: Vec<Host>,
    pub(super) cuts: BTreeMap<(HostId, HostId), Cut>,
    /// Where it is not that of the settings.
    pub(super) latencies: BTreeMap<(HostId, HostId), Latency>,
}

/// The first port of those that nobody has asked for.
const FIRST_PORT: u16 = 49152;

const MAINS_NAME: &str = "main";

impl Links {
    pub(super) fn new() -> Self {
        let mut links =
            Links { hosts: Vec::new(), cuts: BTreeMap::new(), latencies: BTreeMap::new() };
        links.add_host(MAINS_NAME, None);
        links
    }

    /// Its address, unless it is given, has the number of the host.
    pub(super) fn add_host(&mut self, name: &str, address: Option<IpAddr>) -> HostId {
        let number = u32::try_from(self.hosts.len()).expect("there are not so many hosts");
        let addresses = match address {
            Some(address) => vec![address],
            None => {
                let free = |pair: &[IpAddr; 2]| !pair.iter().any(|ip| self.is_taken(*ip));
                (number + 1..).map(numbered).find(free).expect("one is free").into()
            }
        };
        let name = name.to_owned();
        self.hosts.push(Host { name, addresses, is_down: false, next_port: FIRST_PORT });
        HostId(number)
    }

    /// Whether a host has this address.
    pub(super) fn is_taken(&self, address: IpAddr) -> bool {
        self.hosts.iter().any(|host| host.addresses.contains(&address))
    }

    pub(super) fn name(&self, host: HostId) -> &str {
        &self.hosts[host.0 as usize].name
    }

    pub(super) fn host(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.0 as usize]
    }

    pub(super) fn addresses_of(&self, host: HostId) -> &[IpAddr] {
        &self.hosts[host.0 as usize].addresses
    }

    pub(super) fn is_down(&self, host: HostId) -> bool {
        self.hosts[host.0 as usize].is_down
    }

    /// Whether nothing arrives, whatever was sent.
    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.is_down(to) || from != to && self.cuts.contains_key(&(from, to))
    }

    /// Whether two hosts do not hear of each other, or one of them does not.
    pub(super) fn are_apart(&self, one: HostId, other: HostId) -> bool {
        self.is_cut(one, other) || self.is_cut(other, one)
    }

    /// Which host has this address, as seen from `from`.
    pub(super) fn find(&self, from: HostId, address: IpAddr) -> io::Result<HostId> {
        let address = address.to_canonical();
        if address.is_loopback() || address.is_unspecified() {
            return Ok(from);
        }
        let found = self.hosts.iter().position(|host| host.addresses.contains(&address));
        found.map(|index| HostId(index as u32)).ok_or_else(|| {
            let text = format!(
                "no host of the simulated network has the address {address}; `sim::net::Host::with_address` makes one"
            );
            io::Error::new(io::ErrorKind::HostUnreachable, text)
        })
    }

    /// The address that messages from `from` to `to` come from.
    pub(super) fn source_for(&self, from: HostId, to: IpAddr) -> io::Result<IpAddr> {
        let to = to.to_canonical();
        let own = self.addresses_of(from);
        if to.is_loopback() || to.is_unspecified() {
            return Ok(if to.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        if own.contains(&to) {
            return Ok(to);
        }
        let of_family = own.iter().find(|address| address.is_ipv4() == to.is_ipv4());
        of_family.copied().ok_or_else(|| io::ErrorKind::NetworkUnreachable.into())
    }

    /// Whether a socket of the host may have this address.
    pub(super) fn has(&self, host: HostId, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback()
            || address.is_unspecified()
            || self.addresses_of(host).contains(&address)
    }

    /// One that `from` can reach, if there is.
    pub(super) fn address_of_name(&self, from: HostId, name: &str) -> Option<IpAddr> {
        if name.eq_ignore_ascii_case("localhost") {
            return Some(Ipv4Addr::LOCALHOST.into());
        }
        let found = &self.hosts.iter().find(|host| host.name.eq_ignore_ascii_case(name))?.addresses;
        let own = self.addresses_of(from);
        let is_reachable = |ip: &&IpAddr| own.iter().any(|own| own.is_ipv4() == ip.is_ipv4());
        found.iter().find(is_reachable).or(found.first()).copied()
    }
}

/// The addresses that a host with this number has by itself.
fn numbered(number: u32) -> [IpAddr; 2] {
    let [_, high, middle, low] = number.to_be_bytes();
    let v6 = Ipv6Addr::from((0xfd00 << 112) | u128::from(number));
    [Ipv4Addr::new(10, high, middle, low).into(), v6.into()]
}
