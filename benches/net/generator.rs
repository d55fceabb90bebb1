//! The load: connections that send 64 bytes, wait until they are back, and send again. One thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::SockRef;

const SIZE: usize = 64;

/// How many connect before the server has accepted the first: fewer than a listener keeps.
const CONNECTING: usize = 64;

pub(crate) struct Load {
    address: SocketAddr,
    poll: Poll,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    /// When it began to connect, or to send.
    began: Instant,
    is_connecting: bool,
    /// How many bytes are still to come.
    missing: usize,
}

pub(crate) struct Run {
    /// In no order.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) took: Duration,
}

impl Load {
    /// So many connections, on each of which the server has echoed once.
    pub(crate) fn connect(address: SocketAddr, count: usize) -> Load {
        let mut load = Load { address, poll: Poll::new().unwrap(), connections: Vec::new() };
        while load.connections.len() < count {
            let some = CONNECTING.min(count - load.connections.len());
            let connect = |_| std::net::TcpStream::connect(address).expect("the server listens");
            let streams: Vec<_> = (0..some).map(connect).collect();
            streams.iter().for_each(|mut stream| stream.write_all(&[7; SIZE]).unwrap());
            for mut stream in streams {
                stream.read_exact(&mut [0; SIZE]).unwrap();
                stream.set_nonblocking(true).unwrap();
                load.add(TcpStream::from_std(stream));
            }
        }
        load
    }

    fn add(&mut self, stream: TcpStream) {
        let mut connection = Connection::new(stream);
        connection.register(self.poll.registry(), self.connections.len());
        self.connections.push(connection);
    }

    /// Round trips on all of the connections.
    pub(crate) fn echo(&mut self, time: Duration) -> Run {
        self.connections.iter_mut().for_each(Connection::send);
        self.run(time, |_, connection, _| {
            connection.send();
        })
    }

    /// Connections for one round trip each; as many at the same time as there are already.
    pub(crate) fn reconnect(&mut self, time: Duration) -> Run {
        let address = self.address;
        let replace = move |registry: &Registry, connection: &mut Connection, place: usize| {
            *connection = Connection::open(address).expect("the server listens");
            connection.register(registry, place);
        };
        let registry = self.poll.registry().try_clone().unwrap();
        for (place, connection) in self.connections.iter_mut().enumerate() {
            replace(&registry, connection, place);
        }
        self.run(time, replace)
    }

    /// Calls `again` for each connection that has its bytes back, until the time is over.
    fn run(
        &mut self,
        time: Duration,
        mut again: impl FnMut(&Registry, &mut Connection, usize),
    ) -> Run {
        let mut events = Events::with_capacity(1024);
        let mut latencies = Vec::with_capacity(1 << 20);
        let start = Instant::now();
        let mut open = self.connections.len();
        while open > 0 {
            self.poll.poll(&mut events, None).unwrap();
            let is_over = start.elapsed() >= time;
            for event in &events {
                let place = event.token().0;
                let connection = &mut self.connections[place];
                if let Some(latency) = connection.go_on() {
                    latencies.push(latency);
                    match is_over {
                        true => open -= 1,
                        false => again(self.poll.registry(), connection, place),
                    }
                }
            }
        }
        Run { latencies, took: start.elapsed() }
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        stream.set_nodelay(true).unwrap();
        // A port that was closed politely could not be used for a minute, and there are 28,000.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        Connection { stream, began: Instant::now(), is_connecting: false, missing: 0 }
    }

    fn open(address: SocketAddr) -> io::Result<Connection> {
        let began = Instant::now();
        let connection = Connection::new(TcpStream::connect(address)?);
        Ok(Connection { began, is_connecting: true, missing: SIZE, ..connection })
    }

    fn register(&mut self, registry: &Registry, place: usize) {
        let interests = match self.is_connecting {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        registry.register(&mut self.stream, Token(place), interests).unwrap();
    }

    fn send(&mut self) {
        self.began = Instant::now();
        self.missing = SIZE;
        assert_eq!(self.stream.write(&[7; SIZE]).unwrap(), SIZE);
    }

    /// After an event. The latency, if all bytes are back with it.
    fn go_on(&mut self) -> Option<Duration> {
        if self.missing == 0 {
            return None;
        }
        if self.is_connecting {
            match self.stream.write(&[7; SIZE]) {
                Ok(written) => assert_eq!(written, SIZE),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("cannot connect: {error}"),
            }
            self.is_connecting = false;
        }
        let mut buf = [0; 2 * SIZE];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(read) => self.missing -= read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            }
            if self.missing == 0 {
                return Some(self.began.elapsed());
            }
        }
    }
}
