//! Options of a `UdpSocket`: broadcast and groups.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::udp_socket::UdpSocket;

impl UdpSocket {
    /// Whether the socket may send to a broadcast address. It may not at the start.
    ///
    /// # Errors
    ///
    /// If the system refuses, as all methods for options.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use gorun::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    ///     socket.set_broadcast(true)?;
    ///     socket.set_ttl(3)?;
    ///     socket.set_multicast_loop_v4(true)?;
    ///     socket.set_multicast_ttl_v4(1)?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.socket().get().system()?.set_broadcast(on)
    }

    /// Over how many routers a datagram may go.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`set_broadcast`](Self::set_broadcast).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().get().system()?.set_ttl(ttl)
    }

    /// The same for datagrams to a group.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`set_broadcast`](Self::set_broadcast).
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.socket().get().system()?.set_multicast_ttl_v4(ttl)
    }

    /// Whether this machine gets what it sends to a group.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`set_broadcast`](Self::set_broadcast).
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.socket().get().system()?.set_multicast_loop_v4(on)
    }

    /// Whether this machine gets what it sends to a group, by IPv6.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`set_broadcast`](Self::set_broadcast).
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.socket().get().system()?.set_multicast_loop_v6(on)
    }

    /// Joins a group, on the interface with this address; with the unspecified address, on one that
    /// the system chooses.
    ///
    /// Go counterpart: `net.ListenMulticastUDP`.
    ///
    /// # Errors
    ///
    /// If the address is not one of a group, or there is no such interface.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::net::Ipv4Addr;
    /// use gorun::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).await?;
    ///     let group = Ipv4Addr::new(224, 0, 0, 251);
    ///     socket.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    ///     socket.leave_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket()
            .get()
            .must_be_systems("join_multicast_v4")?
            .join_multicast_v4(&group, &interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// If it has not joined that group.
    ///
    /// # Examples
    ///
    /// See [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket()
            .get()
            .must_be_systems("leave_multicast_v4")?
            .leave_multicast_v4(&group, &interface)
    }

    /// Joins a group, on the interface with this number; zero: one that the system chooses.
    ///
    /// # Errors
    ///
    /// If the address is not one of a group, or there is no such interface.
    ///
    /// # Examples
    ///
    /// See [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket()
            .get()
            .must_be_systems("join_multicast_v6")?
            .join_multicast_v6(&group, interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// If it has not joined that group.
    ///
    /// # Examples
    ///
    /// See [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket()
            .get()
            .must_be_systems("leave_multicast_v6")?
            .leave_multicast_v6(&group, interface)
    }
}
