//! Follows a file: prints its lines, and those that others write to it later, until Ctrl-C. If the file
//! becomes shorter, it begins anew.
//!
//! `cargo run --example tail_file --features signal,futures /var/log/syslog`

use std::env;
use std::io::{self, SeekFrom};
use std::time::Duration;

use futures::io::BufReader;
use futures::{AsyncBufReadExt, AsyncSeekExt};
use gorun::context::Context;
use gorun::fs::File;
use gorun::signal::{self, Signal};
use gorun::time::sleep;
use gorun::{Sender, channel, go, select};

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(100);

#[gorun::main]
async fn main() -> io::Result<()> {
    let (ctx, _stop) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
    let path = env::args().nth(1).ok_or_else(|| io::Error::other("usage: tail_file PATH"))?;
    let file = File::open(path).await?;
    let (sender, lines) = channel(16);
    go!(async move {
        let Err(error) = follow(file, &sender).await else { return };
        sender.send(Err(error)).await.unwrap();
    });
    loop {
        select! {
            line = lines.recv() => println!("{}", line.expect("the last one is an error")?),
            _ = ctx.done() => break,
        }
    }
    println!("closing: {}", ctx.cause().expect("it is done"));
    Ok(())
}

/// Sends each line once its end is there. Only an error ends this, or the end of main.
async fn follow(file: File, lines: &Sender<io::Result<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let (mut line, mut position) = (Vec::new(), 0);
    loop {
        position += reader.read_until(b'\n', &mut line).await? as u64;
        if line.ends_with(b"\n") {
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            lines.send(Ok(text)).await.unwrap();
            line.clear();
            continue;
        }
        // The end, for now.
        sleep(PERIOD).await;
        if reader.get_ref().metadata().await?.len() < position {
            position = reader.seek(SeekFrom::Start(0)).await?;
            line.clear();
        }
    }
}
