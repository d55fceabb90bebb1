//! Deadlines of a socket.

use std::future::{Future, poll_fn};
use std::io::ErrorKind::TimedOut;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::AsyncReadExt;
use gorun::net::{TcpListener, UdpSocket};
use gorun::spawn;
use gorun::time::now;

use super::{connected, round_trip, spawn_echo, with_workers};
use crate::common::*;

const MOMENT: Duration = Duration::from_millis(3);

#[test]
pub(super) fn a_deadline_wakes_who_waits_and_leaves_the_stream_usable() {
    with_workers(async || {
        let (client, server) = connected().await?;
        for through_trait in [false, true] {
            let deadline = now() + MOMENT;
            client.set_read_deadline(deadline);
            let result = match through_trait {
                false => client.read(&mut [0]).await,
                true => AsyncReadExt::read(&mut &client, &mut [0]).await,
            };
            assert_eq!(result.unwrap_err().kind(), TimedOut);
            assert!(now() >= deadline);
            // It has passed for later reads, too, and not for writes.
            assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), TimedOut);
            client.write(&[1]).await?;
            assert_eq!(server.read(&mut [0]).await?, 1);
        }
        client.set_read_deadline(None);
        spawn_echo(server);
        round_trip(&client, b"goes on").await
    });
}

#[test]
pub(super) fn a_deadline_in_the_past_counts_at_once_whatever_has_come() {
    with_workers(async || {
        let (client, server) = connected().await?;
        server.write(&[1]).await?;
        client.peek(&mut [0]).await?;
        client.set_deadline(now());
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), TimedOut);
        assert_eq!(client.write(&[0]).await.unwrap_err().kind(), TimedOut);
        client.set_deadline(None);
        assert_eq!(client.read(&mut [0]).await?, 1);
        Ok(())
    });
}

#[test]
pub(super) fn a_deadline_that_is_set_while_somebody_waits_counts() {
    with_workers(async || {
        let (client, _server) = connected().await?;
        for first in [None, Some(HOUR), Some(Duration::from_millis(20))] {
            client.set_read_deadline(first.map(|after| now() + after));
            let reads = spawn({
                let client = client.clone();
                async move { client.read(&mut [0]).await }
            });
            gorun::time::sleep(MOMENT).await;
            client.set_read_deadline(now() + MOMENT);
            assert_eq!(reads.await.unwrap().unwrap_err().kind(), TimedOut);
        }
        Ok(())
    });
}

#[test]
pub(super) fn a_deadline_that_is_moved_away_does_not_count() {
    with_workers(async || {
        let mut moment = MOMENT;
        loop {
            let (client, server) = connected().await?;
            let deadline = now() + moment;
            client.set_read_deadline(deadline);
            let polls = Arc::new(AtomicUsize::new(0));
            let reads = spawn({
                let (client, polls) = (client.clone(), polls.clone());
                async move {
                    let mut byte = [0];
                    let mut read = pin!(client.read(&mut byte));
                    poll_fn(|cx| {
                        let polled = read.as_mut().poll(cx);
                        polls.fetch_add(1, SeqCst);
                        polled
                    })
                    .await
                }
            });
            yield_until(|| polls.load(SeqCst) > 0).await;
            client.set_read_deadline(now() + HOUR);
            if now() >= deadline {
                // It had passed, perhaps: the machine is busy.
                moment *= 2;
                continue;
            }
            gorun::time::sleep_until(deadline + MOMENT).await;
            server.write(&[1]).await?;
            assert_eq!(reads.await.unwrap()?, 1);
            return Ok(());
        }
    });
}

#[test]
pub(super) fn halves_have_deadlines_each_for_its_direction() {
    with_workers(async || {
        let (client, server) = connected().await?;
        client.set_write_deadline(now());
        let (reads, writes) = client.into_split();
        // It stays.
        assert_eq!(writes.write(&[1]).await.unwrap_err().kind(), TimedOut);
        writes.set_write_deadline(None);
        reads.set_read_deadline(now() + MOMENT);
        assert_eq!(reads.read(&mut [0]).await.unwrap_err().kind(), TimedOut);
        assert_eq!(writes.write(&[1]).await?, 1);
        writes.set_write_deadline(now());
        assert_eq!(writes.write(&[1]).await.unwrap_err().kind(), TimedOut);
        reads.set_read_deadline(None);
        server.write(&[1]).await?;
        assert_eq!(reads.read(&mut [0]).await?, 1);
        Ok(())
    });
}

#[test]
pub(super) fn accepts_and_datagrams_have_deadlines_too() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        listener.set_deadline(now() + MOMENT);
        assert_eq!(listener.accept().await.unwrap_err().kind(), TimedOut);
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.set_read_deadline(now() + MOMENT);
        assert_eq!(socket.recv(&mut [0]).await.unwrap_err().kind(), TimedOut);
        Ok(())
    });
}
