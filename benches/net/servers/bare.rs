//! What a server costs without a runtime: a loop over the system's events.

use std::io::{ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::{ADDRESS, BUFFER, announce};
use crate::workload::Mode;

const LISTENER: Token = Token(usize::MAX);

pub(super) fn serve(mode: Mode) {
    assert!(!mode.has_others(), "there is nobody who could run them");
    let mut poll = Poll::new().unwrap();
    let mut listener = TcpListener::bind(ADDRESS.parse().unwrap()).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    announce(listener.local_addr().unwrap());
    let mut events = Events::with_capacity(128);
    let mut streams: Slab<TcpStream> = Slab::new();
    let mut buf = [0; BUFFER];
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).unwrap();
                    let entry = streams.vacant_entry();
                    let token = Token(entry.key());
                    poll.registry().register(&mut stream, token, Interest::READABLE).unwrap();
                    entry.insert(stream);
                }
            } else if !answer(&mut streams[event.token().0], &mut buf, mode) {
                // Closing deregisters.
                streams.remove(event.token().0);
            }
        }
    }
}

const HTTP: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, World!";

/// Returns whether the connection goes on.
fn answer(stream: &mut TcpStream, buf: &mut [u8; BUFFER], mode: Mode) -> bool {
    loop {
        match stream.read(buf) {
            Ok(0) => return false,
            Ok(read) => {
                let bytes = match mode.is_http() {
                    false => &buf[..read],
                    // A request is never in two pieces.
                    true if buf[..read].ends_with(b"\r\n\r\n") => HTTP,
                    true => return false,
                };
                if stream.write_all(bytes).is_err() {
                    return false;
                }
                // A short read has emptied it.
                if read < BUFFER {
                    return true;
                }
            }
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}
