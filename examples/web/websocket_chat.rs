//! A chat over websockets: what one guest says, the others hear. A guest has one goroutine, which waits for
//! the guest and for the others at once. At Ctrl-C all are told.
//!
//! `cargo run --package gorun-web-examples --example websocket_chat`. Guests may use the console of a browser:
//!
//! ```text
//! let chat = new WebSocket("ws://127.0.0.1:8080"); chat.onmessage = (message) => console.log(message.data);
//! chat.send("hello")
//! ```

use std::env;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use async_tungstenite::{WebSocketStream, accept_async_with_config};
use futures::StreamExt;
use gorun::context::Context;
use gorun::net::{TcpListener, TcpStream};
use gorun::signal::{self, Signal};
use gorun::sync::broadcast::{Receiver, RecvError, Sender};
use gorun::time::timeout;
use gorun::{WaitGroup, select};

/// How long a guest may take to shake hands, and to read what was said.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: usize = 4 << 10;
/// So many messages a guest may be behind.
const BEHIND: usize = 256;

type Said = (SocketAddr, Utf8Bytes);

#[gorun::main]
async fn main() -> io::Result<()> {
    let (ctx, _stop) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
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
    guests.wait().await;
    println!("all guests have gone");
    Ok(())
}

async fn serve(stream: TcpStream, by: SocketAddr, room: Sender<Said>, ctx: Context) {
    let others = room.subscribe();
    match talk(stream, by, &room, others, &ctx).await {
        Ok(()) => println!("{by}: left"),
        Err(error) => println!("{by}: {error}"),
    }
}

async fn talk(
    stream: TcpStream,
    by: SocketAddr,
    room: &Sender<Said>,
    mut others: Receiver<Said>,
    ctx: &Context,
) -> Result<(), Error> {
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST));
    let handshake = accept_async_with_config(stream, Some(config));
    let mut socket = timeout(PATIENCE, handshake).await.map_err(io::Error::from)??;
    loop {
        select! {
            message = socket.next() => match message.transpose()? {
                Some(Message::Text(text)) => _ = room.send((by, text)),
                None | Some(Message::Close(_)) => return Ok(()),
                // The crate answers pings.
                Some(_) => {}
            },
            said = others.recv() => match said {
                Ok((from, _)) if from == by => {}
                Ok((_, text)) => tell(&mut socket, Message::Text(text)).await?,
                Err(RecvError::Lagged(count)) => {
                    tell(&mut socket, format!("* you have missed {count} messages").into()).await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            _ = ctx.done() => {
                tell(&mut socket, "* the chat closes".into()).await?;
                return timeout(PATIENCE, socket.close(None)).await.map_err(io::Error::from)?;
            }
        }
    }
}

async fn tell(socket: &mut WebSocketStream<TcpStream>, message: Message) -> Result<(), Error> {
    timeout(PATIENCE, socket.send(message)).await.map_err(io::Error::from)?
}
