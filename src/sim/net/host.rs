//! Hosts of the simulated network.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::panic::Location;
use std::sync::Arc;

use crate::join_handle::JoinHandle;
use crate::scheduler::context;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::core;
use crate::sim::inside::with_scheduler;

/// A machine of the simulated network, in the runtime that made it.
///
/// # Examples
///
/// See the [module](super).
#[derive(Clone)]
pub struct Host {
    scheduler: Arc<Scheduler>,
    pub(super) network: Arc<core::Network>,
    pub(super) id: HostId,
}

impl Host {
    /// A host that others reach by this name, or by the address that it gets.
    ///
    /// # Panics
    ///
    /// If there is one with that name; main's is called `main`. Outside of a simulation.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    #[track_caller]
    pub fn new(name: &str) -> Host {
        Host::make("Host::new", name, None)
    }

    /// A host with an address of the program's own choice.
    ///
    /// # Panics
    ///
    /// If there is one with that name, or that address. If the address is for all hosts, as `127.0.0.1` and `0.0.0.0`
    /// are. Outside of a simulation.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use gorun::sim::Sim;
    /// use gorun::sim::net::Host;
    ///
    /// Sim::new().schedules(1).check(|| async {
    ///     let host = Host::with_address("db", Ipv4Addr::new(192, 168, 0, 7));
    ///     assert_eq!(host.address(), Ipv4Addr::new(192, 168, 0, 7));
    /// });
    /// ```
    #[track_caller]
    pub fn with_address(name: &str, address: impl Into<IpAddr>) -> Host {
        let address = address.into().to_canonical();
        let is_special =
            address.is_loopback() || address.is_unspecified() || address.is_multicast();
        assert!(!is_special, "a host cannot have the address {address}, which is not one host's");
        Host::make("Host::with_address", name, Some(address))
    }

    #[track_caller]
    fn make(what: &str, name: &str, address: Option<IpAddr>) -> Host {
        let (scheduler, network) = network(what);
        let is_name = !name.is_empty() && !name.contains([':', '[', ']', '%', '\0']);
        assert!(
            is_name && name.parse::<IpAddr>().is_err() && !name.eq_ignore_ascii_case("localhost"),
            "\"{name}\" is no name for a host"
        );
        match expect(network.add_host(name, address)) {
            Some(id) => Host { scheduler, network, id },
            None => panic!("there is a host with the name \"{name}\", or with its address"),
        }
    }

    /// The host of the calling goroutine.
    ///
    /// # Panics
    ///
    /// Outside of a simulation.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sim::Sim;
    /// use gorun::sim::net::Host;
    ///
    /// Sim::new().schedules(1).check(|| async {
    ///     assert_eq!(Host::current().name(), "main");
    ///     let name = Host::new("a").spawn(async { Host::current().name() }).await.unwrap();
    ///     assert_eq!(name, "a");
    /// });
    /// ```
    #[track_caller]
    pub fn current() -> Host {
        let (scheduler, network) = network("Host::current");
        let id = scheduler.simulation().expect("it is simulated").current_host();
        Host { scheduler, network, id }
    }

    /// Spawns a goroutine on this host. What it spawns is there, too. If the host has crashed, it runs again from now on.
    ///
    /// # Panics
    ///
    /// Outside of the simulation that the host belongs to.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.check("Host::spawn");
        expect(self.network.start(self.id));
        let simulation = self.scheduler.simulation().expect("it is simulated");
        let spawned_at = Location::caller();
        let future = Box::pin(future);
        simulation.on_host(self.id, || {
            context::with_inside(|context| {
                let keep = |task| JoinHandle::new(task, spawned_at);
                self.scheduler.spawn(context, future, spawned_at, keep)
            })
        })
    }

    /// The name.
    ///
    /// # Panics
    ///
    /// When the runtime has ended.
    ///
    /// # Examples
    ///
    /// See [`current`](Self::current).
    pub fn name(&self) -> String {
        expect(self.network.name_and_address(self.id)).0
    }

    /// The address, without a port.
    ///
    /// # Panics
    ///
    /// When the runtime has ended.
    ///
    /// # Examples
    ///
    /// See [`with_address`](Self::with_address).
    pub fn address(&self) -> IpAddr {
        expect(self.network.name_and_address(self.id)).1
    }

    /// The host crashes: its goroutines are cancelled, and its sockets are gone. Their peers hear nothing of it: see
    /// the [module](super). It runs again when something is [spawned](Self::spawn) there.
    ///
    /// A goroutine that runs is cancelled when it next waits; one in a nested [`block_on`](crate::block_on()), when it waits after that has
    /// ended. Until then it gets no new sockets. If code elsewhere has sockets of the host, listeners and UDP sockets are closed, and
    /// streams reset.
    ///
    /// # Panics
    ///
    /// On main's host. Outside of the simulation that the host belongs to.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// use gorun::net::{TcpListener, TcpStream};
    /// use gorun::sim::{self, Sim};
    /// use gorun::sim::net::Host;
    ///
    /// Sim::new().schedules(10).check(|| async {
    ///     let server = Host::new("server");
    ///     let listener = server.spawn(TcpListener::bind("0.0.0.0:80")).await.unwrap().unwrap();
    ///     let stream = TcpStream::connect("server:80").await.unwrap();
    ///     server.crash();
    ///     let error = stream.read(&mut [0]).await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::TimedOut);
    ///     assert!(sim::elapsed() >= Duration::from_secs(150));
    ///     # drop(listener);
    /// });
    /// ```
    #[track_caller]
    pub fn crash(&self) {
        self.check("Host::crash");
        assert!(self.id != HostId::MAINS, "main's host cannot crash: main would be left");
        expect(self.network.crash(&self.scheduler, self.id));
    }

    #[track_caller]
    pub(super) fn check(&self, what: &str) {
        with_scheduler(what, |scheduler| {
            assert!(
                Arc::ptr_eq(scheduler, &self.scheduler),
                "`{what}` was called on a host of a runtime that has ended"
            );
        });
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.network.name_and_address(self.id).ok();
        f.debug_tuple("Host").field(&found.map(|(name, _)| name)).finish()
    }
}

/// The runtime of the calling code, and its network.
#[track_caller]
pub(super) fn network(what: &str) -> (Arc<Scheduler>, Arc<core::Network>) {
    let scheduler = with_scheduler(what, Arc::clone);
    let network = expect(core::Network::of(&scheduler)).expect("it is simulated");
    (scheduler, network)
}

/// What the network answers, while its runtime runs.
#[track_caller]
pub(super) fn expect<T>(result: io::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
