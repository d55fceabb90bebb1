//! `copy` and `copy_bidirectional`.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::io::{BufWriter, repeat, sink};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use gorun::io::{copy, copy_bidirectional, duplex, pipe};
use gorun::spawn;
use gorun::time::timeout;

use super::with_workers;
use crate::common::*;

#[test]
fn ends_that_are_always_ready_starve_nobody() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        // In goroutines, as many as there are workers, and no other thread may stand in.
        run_without_spares(workers, async {
            for _ in 0..workers {
                spawn(async { copy(repeat(0), sink()).await }).detach();
            }
            for _ in 0..20 {
                spawn(async {}).await.unwrap();
            }
        });
        // In main, beside a limit.
        run(workers, async {
            let endless = copy(repeat(0), sink());
            assert!(timeout(Duration::from_millis(5), endless).await.is_err());
            let both_ways = copy_bidirectional(Endless, Endless);
            assert!(timeout(Duration::from_millis(5), both_ways).await.is_err());
        });
    }
}

/// Reads zeros and takes all.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A question in a buffer that is never full, whose answer the peer waits to give.
#[test]
fn what_has_come_is_flushed_before_the_reader_waits() {
    with_workers(|| async {
        let (from, mut source) = pipe();
        let (mut target, to) = pipe();
        spawn(async move { copy(from, BufWriter::new(to)).await }).detach();
        source.write_all(b"question").await?;
        let mut question = [0; 8];
        target.read_exact(&mut question).await?;
        assert_eq!(&question, b"question");
        Ok(())
    });
}

#[test]
fn the_writer_is_flushed_and_left_open() {
    with_workers(|| async {
        let (mut target, to) = pipe();
        let copied = spawn(async move {
            let mut to = BufWriter::new(to);
            assert_eq!(copy(&b"first "[..], &mut to).await.unwrap(), 6);
            assert!(to.buffer().is_empty());
            to.write_all(b"second").await.unwrap();
            to.close().await.unwrap();
        });
        let mut text = String::new();
        target.read_to_string(&mut text).await?;
        assert_eq!(text, "first second");
        copied.await?;
        Ok(())
    });
}

#[test]
fn all_bytes_arrive_in_order() {
    with_workers(|| async {
        for seed in 0..scaled(200, 20) as u64 {
            let bytes = random_bytes(seed, 0..100_000);
            let (from, mut source) = pipe();
            let (mut target, to) = pipe();
            let sent = bytes.clone();
            spawn(async move {
                for piece in sent.chunks(1 + seed as usize * 997 % 20_000) {
                    source.write_all(piece).await.unwrap();
                }
            })
            .detach();
            let copied = spawn(copy(from, to));
            let mut received = Vec::new();
            target.read_to_end(&mut received).await?;
            assert!(received == bytes, "seed {seed}");
            assert_eq!(copied.await??, bytes.len() as u64);
        }
        Ok(())
    });
}

/// Fails once as a signal would make it, and then writes `0` bytes.
struct Full {
    was_interrupted: bool,
}

impl AsyncWrite for Full {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(match std::mem::replace(&mut self.was_interrupted, true) {
            false => Err(ErrorKind::Interrupted.into()),
            true => Ok(0),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_writer_that_takes_nothing_is_an_error_and_a_signal_is_none() {
    with_workers(|| async {
        let error = copy(repeat(0), Full { was_interrupted: false }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        Ok(())
    });
}

#[test]
fn an_end_that_closes_can_still_receive() {
    with_workers(|| async {
        let (mut client, near) = duplex();
        let (far, mut server) = duplex();
        let proxy = spawn(copy_bidirectional(near, far));
        client.write_all(b"all of the request").await?;
        client.close().await?;
        let mut request = String::new();
        server.read_to_string(&mut request).await?;
        assert_eq!(request, "all of the request");
        // Only now, after the end of the other direction.
        server.write_all(b"the answer").await?;
        server.close().await?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert_eq!(answer, "the answer");
        assert_eq!(proxy.await??, (18, 10));
        Ok(())
    });
}

#[test]
fn a_peer_that_goes_ends_both_directions() {
    with_workers(|| async {
        let (mut client, near) = duplex();
        let (far, server) = duplex();
        let proxy = spawn(copy_bidirectional(near, far));
        drop(server);
        let failed = async { while client.write_all(b"into the void").await.is_ok() {} };
        failed.await;
        assert_eq!(proxy.await?.unwrap_err().kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}
