//! The load: connections that send a request, wait for the answer, and send again. One thread. The request
//! is 64 bytes, which come back, or one of HTTP.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::SockRef;

use crate::workload::Mode;

/// How many connect before the server has accepted the first: fewer than a listener keeps.
const CONNECTING: usize = 64;

pub(crate) struct Load {
    address: SocketAddr,
    poll: Poll,
    exchange: Exchange,
    connections: Vec<Connection>,
}

/// All requests are the same, and all answers have the same size.
#[derive(Clone, Copy)]
struct Exchange {
    request: &'static [u8],
    answer: usize,
    /// What each answer ends with.
    end: &'static [u8],
}

struct Connection {
    stream: TcpStream,
    exchange: Exchange,
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
    pub(crate) fn connect(address: SocketAddr, mode: Mode, count: usize) -> Load {
        let exchange = Exchange::learn(address, mode);
        let (poll, connections) = (Poll::new().unwrap(), Vec::new());
        let mut load = Load { address, poll, exchange, connections };
        while load.connections.len() < count {
            let some = CONNECTING.min(count - load.connections.len());
            let connect = |_| std::net::TcpStream::connect(address).expect("the server listens");
            let streams: Vec<_> = (0..some).map(connect).collect();
            streams.iter().for_each(|mut stream| stream.write_all(exchange.request).unwrap());
            for mut stream in streams {
                let mut answer = vec![0; exchange.answer];
                stream.read_exact(&mut answer).unwrap();
                assert!(answer.ends_with(exchange.end), "a wrong answer");
                stream.set_nonblocking(true).unwrap();
                load.add(TcpStream::from_std(stream));
            }
        }
        load
    }

    fn add(&mut self, stream: TcpStream) {
        let mut connection = Connection::new(stream, self.exchange);
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
        let (address, exchange) = (self.address, self.exchange);
        let replace = move |registry: &Registry, connection: &mut Connection, place: usize| {
            *connection = Connection::open(address, exchange).expect("the server listens");
            connection.register(registry, place);
        };
        let registry = self.poll.registry().try_clone().unwrap();
        for (place, connection) in self.connections.iter_mut().enumerate() {
            replace(&registry, connection, place);
        }
        self.run(time, replace)
    }

    /// Calls `again` for each connection that has its answer, until the time is over.
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

impl Exchange {
    /// Makes one, to see how long the answer is.
    fn learn(address: SocketAddr, mode: Mode) -> Exchange {
        let (request, end) = (mode.request(), mode.end());
        let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(end) {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the server answers");
            answer.push(byte[0]);
        }
        Exchange { request, answer: answer.len(), end }
    }
}

impl Connection {
    fn new(stream: TcpStream, exchange: Exchange) -> Connection {
        stream.set_nodelay(true).unwrap();
        // A port that was closed politely could not be used for a minute, and there are 28,000.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        Connection { stream, exchange, began: Instant::now(), is_connecting: false, missing: 0 }
    }

    fn open(address: SocketAddr, exchange: Exchange) -> io::Result<Connection> {
        let began = Instant::now();
        let connection = Connection::new(TcpStream::connect(address)?, exchange);
        Ok(Connection { began, is_connecting: true, missing: exchange.answer, ..connection })
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
        self.missing = self.exchange.answer;
        let Exchange { request, .. } = self.exchange;
        assert_eq!(self.stream.write(request).unwrap(), request.len());
    }

    /// After an event. The latency, if all bytes are back with it.
    fn go_on(&mut self) -> Option<Duration> {
        if self.missing == 0 {
            return None;
        }
        if self.is_connecting {
            match self.stream.write(self.exchange.request) {
                Ok(written) => assert_eq!(written, self.exchange.request.len()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("cannot connect: {error}"),
            }
            self.is_connecting = false;
        }
        let mut buf = [0; 1024];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(read) => {
                    let missing = self.missing.checked_sub(read);
                    self.missing = missing.expect("all answers have the same size");
                    if self.missing == 0 {
                        // At least the end comes in one piece.
                        assert!(buf[..read].ends_with(self.exchange.end), "a wrong answer");
                        return Some(self.began.elapsed());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
