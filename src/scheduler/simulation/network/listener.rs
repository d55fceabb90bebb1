//! A socket that accepts connections.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::scheduler::reactor::source::Source;
use crate::scheduler::simulation::network::core::Network;
use crate::scheduler::simulation::network::end_id::{EndId, Side};
use crate::scheduler::simulation::network::state::{Listening, Protocol};
use crate::scheduler::simulation::network::stream::Stream;

/// Stops listening when dropped.
pub(crate) struct Listener {
    network: Arc<Network>,
    id: u64,
    source: Arc<Source>,
    local: SocketAddr,
}

impl Listener {
    pub(crate) fn bind(network: &Arc<Network>, address: SocketAddr) -> io::Result<Listener> {
        network.act(|act| {
            let host = act.host_here()?;
            let local = act.state.bind(host, Protocol::Tcp, address)?;
            let (id, source) = (act.state.new_id(), Arc::new(Source::new()));
            let waiting = VecDeque::new();
            let listening = Listening { source: source.clone(), host, address: local, waiting };
            act.state.listeners.insert(id, listening);
            Ok(Listener { network: network.clone(), id, source, local })
        })
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        self.network.act(|act| {
            let listening = act.state.listeners.get_mut(&self.id);
            let listening = listening.ok_or(io::ErrorKind::InvalidInput)?;
            let waiting = listening.waiting.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
            let stream = Stream::accepted(act, &self.network, waiting, self.local);
            let peer = stream.peer();
            Ok((stream, peer))
        })
    }

    /// No connection is accepted any more, and those that nobody has accepted are reset.
    pub(crate) fn close(&self) {
        // If the runtime has ended, there are no peers.
        let _ = self.network.act(|act| {
            let Some(listening) = act.state.listeners.remove(&self.id) else { return Ok(()) };
            act.state.release_port(listening.host, Protocol::Tcp, listening.address.port());
            for connection in listening.waiting {
                act.close(EndId { connection, side: Side::Server }, true);
            }
            Ok(())
        });
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("addr", &self.local).finish()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}
