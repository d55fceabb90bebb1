//! What tokio itself offers, from goroutines.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::codec::{Framed, LinesCodec};

use super::bridged;
use super::common::*;

tokio::task_local! {
    static NAME: &'static str;
}

async fn use_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = gorun::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut lines = Framed::new(stream, LinesCodec::new());
        while let Some(line) = lines.next().await {
            lines.send(line.unwrap().to_uppercase()).await.unwrap();
        }
    });
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    stream.write_all(b"hello\n").await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "HELLO\n");
    drop(stream);
    accepted.await.unwrap();

    let (mut one, mut other) = UnixStream::pair().unwrap();
    let (sent, received) = tokio::join!(one.write_u32(42), other.read_u32());
    assert_eq!((sent.unwrap(), received.unwrap()), ((), 42));

    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    for _ in 0..3 {
        ticks.tick().await;
    }
    let path = std::env::temp_dir().join(format!("gorun-tokio-{}", std::process::id()));
    tokio::fs::write(&path, "text").await.unwrap();
    assert_eq!(tokio::fs::read_to_string(&path).await.unwrap(), "text");

    let output = tokio::process::Command::new("echo").arg("hello").output().await.unwrap();
    assert_eq!(output.stdout, b"hello\n");

    assert_eq!(NAME.scope("own", async { NAME.get() }).await, "own");
    assert_eq!(tokio::task::spawn_blocking(|| 1).await.unwrap(), 1);
    let mut set = tokio::task::JoinSet::new();
    (0..10).for_each(|n| _ = set.spawn(async move { n }));
    assert_eq!(set.join_all().await.into_iter().sum::<u32>(), 45);
    assert_eq!(tokio::task::block_in_place(|| 2), 2);

    let token = tokio_util::sync::CancellationToken::new();
    let tracker = tokio_util::task::TaskTracker::new();
    tracker.spawn(token.clone().cancelled_owned());
    token.cancel();
    tracker.close();
    tracker.wait().await;

    let (first, second) = tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(3600)) => (0, 0),
        both = async { (1, 2) } => both,
    };
    assert_eq!((first, second), (1, 2));
}

#[test]
fn net_time_fs_process_tasks_and_locals_of_tokio_work_in_goroutines_and_main() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            use_all().await;
            gorun::spawn(use_all()).await.unwrap();
        });
    }
}

#[test]
fn signals_of_tokio_arrive() {
    let _watchdog = watchdog();
    bridged(2, async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals = signal(SignalKind::window_change()).unwrap();
        let kill = tokio::process::Command::new("kill")
            .args(["-WINCH", &std::process::id().to_string()])
            .status();
        assert!(kill.await.unwrap().success());
        gorun::spawn(async move { signals.recv().await.unwrap() }).await.unwrap();
    });
}

/// tokio's own limit of operations does not apply in goroutines. The monitor ends the turn of one that is
/// always ready, as soon as it passes something of ours.
#[test]
fn a_hot_loop_over_tokios_channels_gives_others_their_turn() {
    let _watchdog = watchdog();
    bridged(1, async {
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
        let stop = flag();
        let hot = gorun::spawn({
            let stop = stop.clone();
            async move {
                let mut count = 0_u64;
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    tx.send(count).unwrap();
                    count = rx.recv().await.unwrap() + 1;
                }
                count
            }
        });
        gorun::spawn(async move { stop.store(true, std::sync::atomic::Ordering::SeqCst) })
            .await
            .unwrap();
        hot.await.unwrap();
    });
}

/// By the feature `tokio-io` alone: no tokio runtime is there.
#[test]
fn codecs_of_tokio_util_frame_our_sockets_without_the_bridge() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = gorun::net::TcpStream::connect(listener.local_addr().unwrap());
            let mut client = Framed::new(stream.await.unwrap(), LinesCodec::new());
            let (stream, _) = listener.accept().await.unwrap();
            gorun::go!(async move {
                let mut lines = Framed::new(stream, LinesCodec::new());
                while let Some(line) = lines.next().await {
                    lines.send(line.unwrap().to_uppercase()).await.unwrap();
                }
            });
            for number in 0..100 {
                client.send(format!("line {number}")).await.unwrap();
                assert_eq!(client.next().await.unwrap().unwrap(), format!("LINE {number}"));
            }
        });
    }
}
