//! The load: connections that send 64 bytes, wait until they are back, and send again. One thread.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

const SIZE: usize = 64;

pub(crate) struct Load {
    poll: Poll,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    /// How many bytes are still to come.
    missing: usize,
}

pub(crate) struct Run {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) took: Duration,
}

/// Moves this process to the second core, if it can.
pub(crate) fn pin() {
    let own = std::process::id().to_string();
    let _ = Command::new("taskset").args(["-pc", "1", &own]).output();
}

impl Load {
    pub(crate) fn connect(address: SocketAddr, count: usize) -> Load {
        let poll = Poll::new().unwrap();
        let connect = |place| {
            let stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(place), Interest::READABLE).unwrap();
            Connection { stream, sent: Instant::now(), missing: 0 }
        };
        Load { connections: (0..count).map(connect).collect(), poll }
    }

    pub(crate) fn run(&mut self, time: Duration) -> Run {
        let mut events = Events::with_capacity(1024);
        let mut latencies = Vec::with_capacity(1 << 20);
        let start = Instant::now();
        let mut open = self.connections.len();
        self.connections.iter_mut().for_each(Connection::send);
        while open > 0 {
            self.poll.poll(&mut events, None).unwrap();
            let is_over = start.elapsed() >= time;
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if let Some(latency) = connection.receive() {
                    latencies.push(latency);
                    match is_over {
                        true => open -= 1,
                        false => connection.send(),
                    }
                }
            }
        }
        Run { latencies, took: start.elapsed() }
    }
}

impl Connection {
    fn send(&mut self) {
        self.sent = Instant::now();
        self.missing = SIZE;
        assert_eq!(self.stream.write(&[7; SIZE]).unwrap(), SIZE);
    }

    /// The latency, if all bytes are back.
    fn receive(&mut self) -> Option<Duration> {
        let mut buf = [0; 2 * SIZE];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(read) => self.missing -= read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            }
            if self.missing == 0 {
                return Some(self.sent.elapsed());
            }
        }
    }
}
