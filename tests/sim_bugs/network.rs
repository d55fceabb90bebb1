//! Programs on several hosts, over a network that is cut, cuts up, and repeats.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::io::BufReader;
use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt};
use gorun::net::{TcpListener, TcpStream, UdpSocket};
use gorun::sim::net::{self, Host, Network};
use gorun::sync::Mutex;
use gorun::{WaitGroup, sim, spawn, time};

const MS: Duration = Duration::from_millis(1);

async fn listen(host: &Host) -> TcpListener {
    let listener = host.spawn(TcpListener::bind("0.0.0.0:80")).await.expect("it ends");
    listener.expect("the port is free")
}

/// A duration of whole milliseconds below `bound`.
fn drawn(bound: usize) -> Duration {
    sim::rng().below(bound) as u32 * MS
}

const LEASE: Duration = Duration::from_secs(1);

/// Which node leads, in which term, and until when.
struct Lease {
    holder: u8,
    term: u8,
    until: Instant,
}

/// Tells a node the term in which it leads, or zero, as often as it asks.
async fn grant(node: TcpStream, lease: Arc<Mutex<Lease>>) -> io::Result<()> {
    let mut id = [0];
    loop {
        (&node).read_exact(&mut id).await?;
        let mut lease = lease.lock().await;
        let now = time::now();
        if lease.holder != id[0] && now >= lease.until {
            (lease.holder, lease.term) = (id[0], lease.term + 1);
        }
        let term = if lease.holder == id[0] { lease.term } else { 0 };
        if term > 0 {
            lease.until = now + LEASE;
        }
        drop(lease);
        node.write(&[term]).await?;
    }
}

async fn serve_leases(listener: TcpListener) -> io::Result<()> {
    let lease = Arc::new(Mutex::new(Lease { holder: 0, term: 0, until: time::now() }));
    loop {
        let (node, _) = listener.accept().await?;
        spawn(grant(node, lease.clone())).detach();
    }
}

/// The term in which a node leads, as it was told, and until when that holds.
type Leads = Arc<Mutex<(u8, Instant)>>;

async fn keep_leading(id: u8, leads: Leads) -> io::Result<()> {
    let leases = TcpStream::connect("leases:80").await?;
    let mut term = [0];
    loop {
        let asked = time::now();
        leases.write(&[id]).await?;
        (&leases).read_exact(&mut term).await?;
        *leads.lock().await = (term[0], asked + LEASE);
        time::sleep(LEASE / 2).await;
    }
}

/// Acknowledges writes, each with its term. Zero: this node does not lead.
async fn serve_writes(id: u8, listener: TcpListener, planted: bool) -> io::Result<()> {
    let leads = Arc::new(Mutex::new((0, time::now())));
    spawn(keep_leading(id, leads.clone())).detach();
    let mut values = Vec::new();
    loop {
        let (client, _) = listener.accept().await?;
        let mut value = [0];
        (&client).read_exact(&mut value).await?;
        let (term, until) = *leads.lock().await;
        let is_leader = term > 0 && (planted || time::now() < until);
        if is_leader {
            values.push(value[0]);
        }
        client.write(&[if is_leader { term } else { 0 }]).await?;
    }
}

async fn write(node: &Host, value: u8) -> io::Result<u8> {
    let stream = TcpStream::connect((node.address(), 80)).await?;
    stream.write(&[value]).await?;
    let mut term = [0];
    (&stream).read_exact(&mut term).await?;
    Ok(term[0])
}

pub(crate) async fn leader_of_the_past(planted: bool) {
    let leases = Host::new("leases");
    leases.spawn(serve_leases(listen(&leases).await)).detach();
    let nodes = ["one", "two"].map(Host::new);
    for (id, node) in (1..).zip(&nodes) {
        node.spawn(serve_writes(id, listen(node).await, planted)).detach();
    }
    let (cut_off, service) = (nodes[sim::rng().below(2)].clone(), leases.clone());
    let outage = spawn(async move {
        time::sleep(drawn(1000)).await;
        net::partition(&[&cut_off], &[&service]);
        time::sleep(drawn(2000)).await;
        net::heal();
    });
    let mut newest = 0;
    for value in 0..5 {
        time::sleep(drawn(800)).await;
        let node = &nodes[sim::rng().below(2)];
        let term = write(node, value).await.expect("all nodes can be reached");
        assert!(term == 0 || term >= newest, "a leader of the past acknowledges a write");
        newest = newest.max(term);
    }
    outage.await.expect("it ends");
    nodes.iter().chain([&leases]).for_each(Host::crash);
}

/// What agents have counted, on all machines.
#[derive(Default)]
struct Totals(Mutex<BTreeMap<String, u32>>);

impl Totals {
    /// A line such as `errors 12`. Others are for later versions.
    async fn add(&self, line: &str) {
        let Some((name, count)) = line.split_once(' ') else { return };
        let Ok(count) = count.parse::<u32>() else { return };
        *self.0.lock().await.entry(name.to_owned()).or_default() += count;
    }

    async fn collect(&self, agent: TcpStream, planted: bool) -> io::Result<()> {
        if planted {
            let mut buf = [0; 1024];
            loop {
                let count = agent.read(&mut buf).await?;
                if count == 0 {
                    return Ok(());
                }
                for line in String::from_utf8_lossy(&buf[..count]).lines() {
                    self.add(line).await;
                }
            }
        }
        let mut lines = BufReader::new(agent).lines();
        while let Some(line) = lines.next().await {
            self.add(&line?).await;
        }
        Ok(())
    }
}

async fn serve_agents(listener: TcpListener, totals: Arc<Totals>, planted: bool) {
    let agents = WaitGroup::new();
    while let Ok((agent, _)) = listener.accept().await {
        let totals = totals.clone();
        agents.go(async move { totals.collect(agent, planted).await.expect("agents say all") });
    }
    agents.wait().await;
}

async fn report(counts: [(&str, u32); 3]) -> io::Result<()> {
    let mut collector = TcpStream::connect("collector:80").await?;
    for (name, count) in counts {
        time::sleep(drawn(20)).await;
        collector.write_all(format!("{name} {count}\n").as_bytes()).await?;
    }
    collector.close_write()?;
    // It closes when it has read all.
    collector.read(&mut [0]).await.map(drop)
}

pub(crate) async fn read_is_a_message(planted: bool) {
    let (collector, totals) = (Host::new("collector"), Arc::new(Totals::default()));
    let listener = listen(&collector).await;
    let server = collector.spawn(serve_agents(listener.clone(), totals.clone(), planted));
    let counts = [("requests", 1200), ("errors", 35), ("requests", 640)];
    let agents = ["one", "two"].map(|name| Host::new(name).spawn(report(counts)));
    for agent in agents {
        agent.await.expect("it ends").expect("it reports all");
    }
    listener.close();
    server.await.expect("it ends");
    let expected = BTreeMap::from([("errors".to_owned(), 70), ("requests".to_owned(), 3680)]);
    assert_eq!(*totals.0.lock().await, expected, "a report is not understood");
}

/// For what follows.
pub(crate) fn unreliable() -> Network {
    Network::new().latency(MS..=30 * MS).losses(8).duplicates(8)
}

/// Makes deposits, each once, and confirms them.
async fn serve_deposits(
    socket: UdpSocket,
    balance: Arc<Mutex<u32>>,
    planted: bool,
) -> io::Result<()> {
    // Clients count their requests.
    let mut last = BTreeMap::<SocketAddr, u8>::new();
    let mut request = [0; 2];
    loop {
        let (_, client) = socket.recv_from(&mut request).await?;
        let [id, amount] = request;
        let last = last.entry(client).or_default();
        let is_new = if planted { id != *last } else { id > *last };
        if is_new {
            *last = id;
            *balance.lock().await += u32::from(amount);
        }
        socket.send_to(&[id], client).await?;
    }
}

async fn confirmation(socket: &UdpSocket, id: u8) -> io::Result<()> {
    let mut answer = [0];
    while answer != [id] {
        socket.recv(&mut answer).await?;
    }
    Ok(())
}

async fn deposit_all(amounts: [u8; 3]) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect("bank:80").await?;
    for (id, amount) in (1..).zip(amounts) {
        loop {
            socket.send(&[id, amount]).await?;
            if let Ok(confirmed) = time::timeout(40 * MS, confirmation(&socket, id)).await {
                confirmed?;
                break;
            }
        }
    }
    Ok(())
}

pub(crate) async fn old_request_again(planted: bool) {
    let (bank, balance) = (Host::new("bank"), Arc::new(Mutex::new(0)));
    let socket = bank.spawn(UdpSocket::bind("0.0.0.0:80")).await.expect("it ends");
    let socket = socket.expect("the port is free");
    let server = bank.spawn(serve_deposits(socket, balance.clone(), planted));
    let clients = ["one", "two"].map(|name| Host::new(name).spawn(deposit_all([1, 10, 100])));
    for client in clients {
        client.await.expect("it ends").expect("it deposits all");
    }
    server.abort();
    assert!(server.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(*balance.lock().await, 222, "a deposit is made twice");
}
