//! A chat: what one guest says, the others hear. Each has a goroutine that reads and one that writes. A
//! guest goes who is silent for ten minutes, says too much at once, or does not read. At Ctrl-C all are
//! told, and get what is still on its way to them.
//!
//! `cargo run --example chat --features signal,futures`, and then `nc 127.0.0.1 7001` more than once.

use std::env;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::io::BufReader;
use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use gorun::context::Context;
use gorun::net::{TcpListener, TcpStream};
use gorun::signal::{self, Signal};
use gorun::sync::broadcast::{Receiver, RecvError, Sender};
use gorun::time::{now, timeout};
use gorun::{WaitGroup, select, spawn};

const SILENCE: Duration = Duration::from_secs(600);
/// How long a guest may take to read what was written to it.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: u64 = 1000;
/// So many lines a guest may be behind.
const BEHIND: usize = 256;

#[derive(Clone)]
struct Said {
    /// `None`: by us.
    by: Option<SocketAddr>,
    text: Arc<str>,
}

#[gorun::main]
async fn main() -> io::Result<()> {
    let (ctx, _stop) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let (room, guests) = (Sender::new(BEHIND), WaitGroup::new());
    loop {
        select! {
            guest = listener.accept() => match guest {
                Ok((stream, by)) => guests.go(serve(stream, by, room.clone(), ctx.clone())),
                Err(error) => eprintln!("{error}"),
            },
            _ = ctx.done() => break,
        }
    }
    println!("closing: {}", ctx.cause().expect("it is done"));
    let _ = room.send(Said { by: None, text: "* the chat closes\n".into() });
    drop(room);
    match timeout(PATIENCE, guests.wait()).await {
        Ok(()) => println!("all guests have gone"),
        Err(_) => println!("some guests do not read"),
    }
    Ok(())
}

async fn serve(stream: TcpStream, by: SocketAddr, room: Sender<Said>, ctx: Context) {
    let writer = spawn(write(stream.clone(), by, room.subscribe()));
    let read = ctx.run(read(stream, by, &room)).await;
    // When nobody can send any more, writers come to their end.
    drop(room);
    match read {
        Ok(left) => {
            writer.abort();
            println!("{by}: {}", left.map_or_else(|error| error.to_string(), |()| "left".into()));
        }
        Err(_done) => _ = writer.await,
    }
}

/// Passes on what the guest says.
async fn read(stream: TcpStream, by: SocketAddr, room: &Sender<Said>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    reader.write_all(b"* your name?\n").await?;
    let Some(name) = next_line(&mut reader).await? else { return Ok(()) };
    let say = |text: String| _ = room.send(Said { by: Some(by), text: text.into() });
    say(format!("* {name} is here\n"));
    loop {
        match next_line(&mut reader).await {
            Ok(Some(line)) => say(format!("{name}: {line}\n")),
            left => {
                say(format!("* {name} has gone\n"));
                return left.map(drop);
            }
        }
    }
}

async fn next_line(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    reader.get_ref().set_read_deadline(now() + SILENCE);
    let mut line = String::new();
    match reader.take(LONGEST).read_line(&mut line).await? {
        0 => Ok(None),
        _ if line.ends_with('\n') => Ok(Some(line.trim_end().to_owned())),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "a line without an end")),
    }
}

/// Tells the guest what the others say.
async fn write(mut stream: TcpStream, to: SocketAddr, mut room: Receiver<Said>) {
    loop {
        let text = match room.recv().await {
            Ok(said) if said.by == Some(to) => continue,
            Ok(said) => said.text,
            Err(RecvError::Lagged(lines)) => format!("* you have missed {lines} lines\n").into(),
            Err(RecvError::Closed) => return,
        };
        stream.set_write_deadline(now() + PATIENCE);
        if stream.write_all(text.as_bytes()).await.is_err() {
            // The reader learns of it, too.
            let _ = stream.close_read();
            return;
        }
    }
}
