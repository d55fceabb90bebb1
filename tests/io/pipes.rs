//! `pipe` and `duplex`.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::task::noop_waker_ref;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use gorun::io::{duplex, pipe};
use gorun::spawn;
use gorun::time::timeout;

use super::{once, with_workers};
use crate::common::*;

#[test]
fn a_write_waits_for_a_read() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        assert!(once(writer.write(b"early")).await.is_none());
        let written = spawn(async move {
            let count = writer.write(b"four bytes and more").await.unwrap();
            (count, writer)
        });
        let mut four = [0; 4];
        // As much as the read has room for.
        assert_eq!(reader.read(&mut four).await?, 4);
        assert_eq!(&four, b"four");
        assert_eq!(written.await?.0, 4);
        Ok(())
    });
}

#[test]
fn a_dropped_write_has_written_nothing() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        assert!(once(writer.write(b"dropped")).await.is_none());
        assert!(timeout(Duration::from_millis(1), writer.write(b"late")).await.is_err());
        spawn(async move { writer.write_all(b"kept").await.unwrap() }).detach();
        let mut text = String::new();
        reader.read_to_string(&mut text).await?;
        assert_eq!(text, "kept");
        Ok(())
    });
}

#[test]
fn a_dropped_read_loses_nothing() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        let mut buf = [0; 100];
        assert!(once(reader.read(&mut buf)).await.is_none());
        // It is committed to the read that was dropped.
        assert_eq!(writer.write(b"bytes").await?, 5);
        // One write alone.
        assert!(once(writer.write(b"more")).await.is_none());
        assert!(once(writer.flush()).await.is_none());
        assert_eq!(reader.read(&mut buf[..2]).await?, 2);
        assert!(once(writer.flush()).await.is_none());
        assert_eq!(reader.read(&mut buf[2..]).await?, 3);
        assert_eq!(&buf[..5], b"bytes");
        writer.flush().await?;
        Ok(())
    });
}

/// A limit that has passed means that the read has not happened: nothing is committed to it.
#[test]
fn a_late_read_takes_no_bytes() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        for _ in 0..20 {
            let read = timeout(Duration::from_micros(100), reader.read(&mut [0; 8])).await;
            assert!(read.is_err());
            assert!(once(writer.write(b"nobody reads")).await.is_none());
        }
        Ok(())
    });
}

#[test]
fn no_byte_is_lost_or_doubled_when_operations_are_dropped() {
    with_workers(|| async {
        let bytes = random_bytes(7, scaled(200_000, 20_000)..scaled(200_001, 20_001));
        let (mut reader, mut writer) = pipe();
        let sent = bytes.clone();
        let writes = spawn(async move {
            let mut rest = &sent[..];
            let mut dropped = 0;
            while !rest.is_empty() {
                let limit = Duration::from_micros(rest.len() as u64 % 5);
                match timeout(limit, writer.write(&rest[..rest.len().min(50)])).await {
                    Ok(count) => rest = &rest[count.unwrap()..],
                    Err(_) => dropped += 1,
                }
            }
            dropped
        });
        let mut received: Vec<u8> = Vec::new();
        loop {
            let mut buf = [0; 37];
            // Now and then a read is polled once and dropped, which no timeout withdraws.
            if received.len().is_multiple_of(3)
                && let Some(count) = once(reader.read(&mut buf)).await
            {
                let count = count?;
                if count == 0 {
                    break;
                }
                received.extend(&buf[..count]);
                continue;
            }
            let limit = Duration::from_micros(received.len() as u64 % 7);
            if let Ok(count) = timeout(limit, reader.read(&mut buf)).await {
                let count = count?;
                if count == 0 {
                    break;
                }
                received.extend(&buf[..count]);
            }
        }
        assert!(received == bytes);
        writes.await?;
        Ok(())
    });
}

#[test]
fn a_write_that_waits_learns_that_the_reader_has_gone() {
    with_workers(|| async {
        let (reader, mut writer) = pipe();
        let write = spawn(async move {
            let first = writer.write_all(b"never read").await.unwrap_err();
            let then = writer.write(b"x").await.unwrap_err();
            (first.kind(), then.kind(), writer.flush().await.is_ok())
        });
        gorun::yield_now().await;
        drop(reader);
        assert_eq!(write.await?, (ErrorKind::BrokenPipe, ErrorKind::BrokenPipe, true));
        Ok(())
    });
}

#[test]
fn a_flush_waits_until_all_is_taken() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        assert!(once(reader.read(&mut [0; 8])).await.is_none());
        writer.write_all(b"ab").await?;
        let flush = spawn(async move {
            writer.flush().await.unwrap();
            writer
        });
        reader.read_exact(&mut [0]).await?;
        gorun::yield_now().await;
        assert!(!flush.is_finished());
        reader.read_exact(&mut [0]).await?;
        drop(flush.await?);
        Ok(())
    });
}

#[test]
fn a_flush_that_waits_learns_that_the_reader_has_gone() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        assert!(once(reader.read(&mut [0; 8])).await.is_none());
        writer.write_all(b"passed").await?;
        let flush = spawn(async move { writer.flush().await.unwrap_err().kind() });
        gorun::yield_now().await;
        drop(reader);
        assert_eq!(flush.await?, ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_read_that_waits_learns_that_the_writer_has_gone() {
    with_workers(|| async {
        for aborts in [false, true] {
            let (mut reader, mut writer) = pipe();
            let read = spawn(async move {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).await.unwrap();
                // And again.
                assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
                bytes
            });
            writer.write_all(b"the last").await?;
            let writer = spawn(async move {
                let _writer = writer;
                if aborts {
                    std::future::pending::<()>().await;
                }
            });
            if aborts {
                writer.abort();
            }
            assert_eq!(read.await?, b"the last");
        }
        Ok(())
    });
}

#[test]
fn a_writer_that_fails_is_not_taken_for_the_end() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        let failed = spawn(async move {
            writer.write_all(b"half of it").await.unwrap();
            writer.close_with_error(Error::new(ErrorKind::InvalidData, "no more"));
        });
        let mut bytes = Vec::new();
        let error = reader.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidData, "no more"));
        assert_eq!(bytes, b"half of it");
        let again = reader.read(&mut [0]).await.unwrap_err();
        assert_eq!((again.kind(), again.to_string().as_str()), (ErrorKind::InvalidData, "no more"));
        failed.await?;
        Ok(())
    });
}

#[test]
fn a_closed_writer_writes_nothing_more() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        writer.close().await?;
        assert_eq!(writer.write(b"late").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(reader.read(&mut [0]).await?, 0);
        Ok(())
    });
}

#[test]
fn empty_operations_do_not_wait() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe();
        assert_eq!(reader.read(&mut []).await?, 0);
        assert_eq!(writer.write(&[]).await?, 0);
        writer.flush().await?;
        Ok(())
    });
}

#[test]
fn a_first_look_commits_nobody() {
    let (mut reader, mut writer) = pipe();
    assert!(reader.read(&mut [0]).now_or_never().is_none());
    assert!(writer.flush().now_or_never().is_some());
    // The reader may be polled by another waker next, with another size.
    let mut buf = [0; 3];
    let mut cx = std::task::Context::from_waker(noop_waker_ref());
    assert!(reader.read(&mut buf).poll_unpin(&mut cx).is_pending());
    assert_eq!(writer.write(b"bytes").now_or_never().unwrap().unwrap(), 3);
    assert_eq!(reader.read(&mut buf).now_or_never().unwrap().unwrap(), 3);
}

/// A foreign waker for each poll: a reader whose waker changes must not wait with the old one, nor
/// wake itself out of the queue.
#[test]
fn a_waker_that_changes_is_the_one_that_is_woken() {
    let (mut reader, mut writer) = pipe();
    let wakes = [Arc::new(Count::default()), Arc::new(Count::default())];
    for count in &wakes {
        let waker = std::task::Waker::from(count.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(reader.read(&mut [0; 4]).poll_unpin(&mut cx).is_pending());
    }
    assert_eq!(writer.write(b"abcd").now_or_never().unwrap().unwrap(), 4);
    assert_eq!(wakes.map(|count| count.0.load(Ordering::Acquire)), [0, 1]);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn both_directions_of_a_duplex_are_used_at_the_same_time() {
    with_workers(|| async {
        let (mut a, b) = duplex();
        let (mut from_a, mut to_a) = b.into_split();
        let echo = spawn(async move { gorun::io::copy(&mut from_a, &mut to_a).await.unwrap() });
        for round in 0..scaled(5_000, 500) as u64 {
            a.write_all(&round.to_le_bytes()).await?;
            let mut back = [0; 8];
            a.read_exact(&mut back).await?;
            assert_eq!(u64::from_le_bytes(back), round);
        }
        drop(a);
        assert_eq!(echo.await?, scaled(5_000, 500) as u64 * 8);
        Ok(())
    });
}

/// Its destructor may use the pipe: here it closes the other end.
#[test]
fn a_reason_that_is_not_needed_is_dropped_without_the_lock() {
    #[derive(Debug)]
    struct Reason {
        _reader: gorun::io::PipeReader,
    }
    impl std::fmt::Display for Reason {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a reason")
        }
    }
    impl std::error::Error for Reason {}
    with_workers(|| async {
        let (reader, mut writer) = pipe();
        writer.close().await?;
        writer.close_with_error(Error::other(Reason { _reader: reader }));
        Ok(())
    });
}
