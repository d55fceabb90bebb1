//! What peers do to a stream.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write};
use std::net;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use gorun::net::{TcpListener, TcpStream};
use gorun::time::{now, timeout};
use gorun::{go, spawn};

use super::{connected, round_trip, spawn_echo, with_workers};
use crate::common::*;

#[test]
pub(super) fn an_end_that_comes_with_the_last_bytes_is_seen() {
    with_workers(async || {
        for _ in 0..scaled(500, 60) {
            let (client, server) = connected().await?;
            let reads = spawn(async move {
                let (mut all, mut buf) = (Vec::new(), [0; 64]);
                loop {
                    match server.read(&mut buf).await? {
                        0 => return io::Result::Ok((all, server)),
                        read => all.extend_from_slice(&buf[..read]),
                    }
                }
            });
            client.write(b"the last").await?;
            client.close_write()?;
            let (all, server) = reads.await.unwrap()?;
            assert_eq!(all, b"the last");
            // Half closed: the other direction works, and the end stays the end.
            server.write(b"answer").await?;
            assert_eq!(server.read(&mut [0]).await?, 0);
            let mut answer = [0; 6];
            (&client).read_exact(&mut answer).await?;
            assert_eq!(&answer, b"answer");
        }
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn bytes_behind_urgent_data_are_read() {
    with_workers(async || {
        for _ in 0..scaled(500, 60) {
            let listener = net::TcpListener::bind("127.0.0.1:0")?;
            let mut client = net::TcpStream::connect(listener.local_addr()?)?;
            let server = TcpStream::from_std(listener.accept()?.0)?;
            let reads = spawn(async move {
                let mut all = [0; 6];
                (&server).read_exact(&mut all).await.map(|()| all)
            });
            // A read ends before the urgent byte, which does not belong to the stream.
            client.write_all(b"abc")?;
            socket2::SockRef::from(&client).send_out_of_band(b"!")?;
            client.write_all(b"def")?;
            assert_eq!(&reads.await.unwrap()?, b"abcdef");
        }
        Ok(())
    });
}

#[test]
pub(super) fn of_two_readers_one_that_goes_takes_no_event_with_it() {
    with_workers(async || {
        for _ in 0..scaled(300, 40) {
            let (client, server) = connected().await?;
            let read =
                |stream: TcpStream| spawn(async move { stream.read(&mut [0]).await.unwrap() });
            let (goes, stays) = (read(server.clone()), read(server.clone()));
            // By hand too: through the trait, of which a drop is not seen.
            let (mut polled, mut byte) = (&server, [0]);
            let _ = futures::poll!(AsyncReadExt::read(&mut polled, &mut byte));
            gorun::yield_now().await;
            goes.abort();
            client.write(&[1]).await?;
            let went = goes.await;
            if went.is_ok() {
                // It was faster.
                client.write(&[1]).await?;
            }
            assert_eq!(stays.await.unwrap(), 1);
        }
        Ok(())
    });
}

#[test]
pub(super) fn many_wait_for_one_stream() {
    with_workers(async || {
        let (client, server) = connected().await?;
        let mut set = gorun::JoinSet::new();
        for number in 0..100 {
            let server = server.clone();
            set.spawn(async move {
                // Half of them through the trait, for which there is room for fewer.
                match number % 2 {
                    0 => server.read(&mut [0]).await,
                    _ => AsyncReadExt::read(&mut &server, &mut [0]).await,
                }
            });
        }
        for _ in 0..100 {
            client.write(&[7]).await?;
            assert_eq!(set.join_next().await.unwrap().unwrap()?, 1);
        }
        Ok(())
    });
}

#[test]
fn many_that_wait_through_a_trait_do_not_wake_each_other_for_ever() {
    const TASKS: usize = 200;
    with_workers(async || {
        let (client, server) = connected().await?;
        let polls = Arc::new(AtomicUsize::new(0));
        let mut set = gorun::JoinSet::new();
        for _ in 0..TASKS {
            let (server, polls) = (server.clone(), polls.clone());
            set.spawn(poll_fn(move |cx| {
                polls.fetch_add(1, SeqCst);
                Pin::new(&mut &server).poll_read(cx, &mut [0])
            }));
        }
        yield_until(|| polls.load(SeqCst) >= TASKS).await;
        gorun::time::sleep(Duration::from_millis(50)).await;
        let count = polls.load(SeqCst);
        assert!(count <= 3 * TASKS, "{count} polls of {TASKS} tasks");
        for _ in 0..TASKS {
            client.write(&[7]).await?;
            assert_eq!(set.join_next().await.unwrap().unwrap()?, 1);
        }
        Ok(())
    });
}

#[test]
fn an_event_for_many_that_wait_through_a_trait_wakes_each_of_them_once() {
    const TASKS: usize = 40;
    const EVENTS: usize = 10;
    with_workers(async || {
        let (client, server) = connected().await?;
        let polls = Arc::new(AtomicUsize::new(0));
        let start = now();
        let mut set = gorun::JoinSet::new();
        for _ in 0..TASKS {
            let (server, polls) = (server.clone(), polls.clone());
            set.spawn(poll_fn(move |cx| {
                polls.fetch_add(1, SeqCst);
                Pin::new(&mut &server).poll_read(cx, &mut [0])
            }));
        }
        for _ in 0..EVENTS {
            client.write(&[7]).await?;
            assert_eq!(set.join_next().await.unwrap().unwrap()?, 1);
            // Until those that have found nothing wait again.
            gorun::time::sleep(Duration::from_millis(5)).await;
        }
        let count = polls.load(SeqCst);
        // The first time, and with each event.
        let needed = TASKS + (0..EVENTS).map(|event| TASKS - event).sum::<usize>();
        // Once a second, to see who still waits.
        let asked = TASKS * (1 + (now() - start).as_secs() as usize);
        assert!(count <= needed + asked, "{count} polls, of which {needed} and {asked} are right");
        set.abort_all();
        Ok(())
    });
}

#[test]
fn foreign_wakers_are_called_in_the_order_in_which_they_have_come() {
    const TASKS: usize = 20;
    struct Noted(usize, Arc<Mutex<Vec<usize>>>);
    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let _watchdog = watchdog();
    // A single worker, so that one calls them all.
    run_without_spares(1, async {
        let (client, server) = connected().await.unwrap();
        let order = Arc::<Mutex<Vec<usize>>>::default();
        for number in 0..TASKS {
            let waker = Waker::from(Arc::new(Noted(number, order.clone())));
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut &server).poll_read(&mut cx, &mut [0]).is_pending());
        }
        client.write(&[7]).await.unwrap();
        yield_until(|| order.lock().unwrap().len() == TASKS).await;
        assert!(order.lock().unwrap().iter().copied().eq(0..TASKS), "{order:?}");
    });
}

#[test]
fn wakers_of_tasks_that_have_gone_are_let_go() {
    #[derive(Default)]
    struct Gone(AtomicUsize);
    impl Wake for Gone {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    with_workers(async || {
        let (client, server) = connected().await?;
        let gone: Vec<_> = (0..100).map(|_| Arc::new(Gone::default())).collect();
        for gone in &gone {
            let waker = Waker::from(gone.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut &server).poll_read(&mut cx, &mut [0]).is_pending());
        }
        let kept = || gone.iter().filter(|gone| Arc::strong_count(gone) > 1).count();
        assert!(kept() < gone.len(), "all are kept");
        // Each of them was asked.
        let woken = gone.iter().map(|gone| gone.0.load(SeqCst)).sum::<usize>();
        assert_eq!(woken + kept(), gone.len());
        client.write(&[7]).await?;
        assert_eq!(server.read(&mut [0]).await?, 1);
        // The event has taken out the others.
        yield_until(|| kept() == 0).await;
        Ok(())
    });
}

#[test]
fn a_descriptor_that_is_used_again_gets_no_event_of_its_predecessor() {
    with_workers(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        for round in 0..scaled(2000, 200) {
            let first = TcpStream::connect(address).await?;
            let (server, _) = listener.accept().await?;
            // An event that nobody takes, and another descriptor of the same socket.
            let again = server.clone().into_std()?;
            server.write(&[1]).await?;
            drop(first);
            drop(server);
            // The same numbers.
            let second = TcpStream::connect(address).await?;
            let (server, _) = listener.accept().await?;
            let reads = spawn(async move {
                let mut byte = [0];
                server.read(&mut byte).await.map(|read| (read, byte))
            });
            if round % 2 == 0 {
                drop(again);
            }
            gorun::yield_now().await;
            second.write(&[9]).await?;
            assert_eq!(reads.await.unwrap()?, (1, [9]));
        }
        Ok(())
    });
}

#[test]
pub(super) fn a_peer_that_resets_is_an_error_and_one_that_stalls_is_none() {
    with_workers(async || {
        let (client, server) = connected().await?;
        client.set_linger(Some(Duration::ZERO))?;
        let reads = spawn(async move { server.read(&mut [0]).await });
        gorun::yield_now().await;
        drop(client);
        assert_eq!(reads.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
        // A peer that does not read: a write waits, and can be given up.
        let (client, server) = connected().await?;
        let writes = spawn(async move { (&server).write_all(&vec![0; 32 << 20]).await });
        let mut byte = [1];
        client.read(&mut byte).await?;
        writes.abort();
        assert!(writes.await.unwrap_err().is_cancelled());
        let rest = (&client).read_to_end(&mut Vec::new()).await;
        assert!(rest.is_ok() || rest.unwrap_err().kind() == ErrorKind::ConnectionReset);
        Ok(())
    });
}

/// As long as a socket is new, an operation tries; then the reactor must have said that it is ready.
#[test]
pub(super) fn empty_buffers_do_not_wait() {
    const MOMENT: Duration = Duration::from_millis(2);
    const SOON: Duration = Duration::from_secs(20);
    with_workers(async || {
        let (client, _server) = connected().await?;
        client.set_deadline(now() + MOMENT);
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        client.set_deadline(None);
        // Until the system takes no more.
        loop {
            client.set_deadline(now() + MOMENT);
            if let Err(error) = (&client).write_all(&[0; 1 << 16]).await {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                break;
            }
        }
        client.set_deadline(None);
        for is_late in [false, true] {
            if is_late {
                client.set_deadline(now());
            }
            let check = async |operation: &str, result: Pin<&mut dyn Future<Output = _>>| {
                let result: io::Result<usize> = timeout(SOON, result).await.expect(operation);
                match is_late {
                    false => assert_eq!(result.unwrap(), 0, "{operation}"),
                    true => assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut),
                }
            };
            let mut by_ref = &client;
            let mut parts = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
            check("read", pin!(client.read(&mut []))).await;
            check("peek", pin!(client.peek(&mut []))).await;
            check("poll_read", pin!(AsyncReadExt::read(&mut by_ref, &mut []))).await;
            check("poll_read_vectored", pin!(by_ref.read_vectored(&mut parts))).await;
            check("no buffer to read", pin!(by_ref.read_vectored(&mut []))).await;
            check("write", pin!(client.write(&[]))).await;
            check("poll_write", pin!(AsyncWriteExt::write(&mut by_ref, &[]))).await;
            check("poll_write_vectored", pin!(by_ref.write_vectored(&[IoSlice::new(&[])]))).await;
            check("no buffer to write", pin!(by_ref.write_vectored(&[]))).await;
        }
        Ok(())
    });
}

/// `std` passes only the first 1,024 of them on, so what comes back says nothing of the socket.
#[test]
fn a_read_or_write_of_many_buffers_does_not_count_as_short() {
    const MANY: usize = 2_000;
    with_workers(async || {
        let (client, server) = connected().await?;
        let sends = spawn(async move {
            // A peer that reads only: nothing else reports the socket as writable.
            let mut sent = 0;
            while sent < MANY {
                let bytes = [7; MANY];
                let slices: Vec<_> = bytes[sent..].chunks(1).map(IoSlice::new).collect();
                sent += (&client).write_vectored(&slices).await?;
            }
            io::Result::Ok(client)
        });
        let client = sends.await.unwrap()?;
        // All of it is there, and nothing more comes.
        let mut read = 0;
        while read < MANY {
            let mut bytes = [0; MANY];
            let mut slices: Vec<_> = bytes[read..].chunks_mut(1).map(IoSliceMut::new).collect();
            read += (&server).read_vectored(&mut slices).await?;
        }
        drop(client);
        Ok(())
    });
}

#[test]
pub(super) fn the_drop_of_the_write_half_is_the_end_for_the_peer() {
    with_workers(async || {
        let (client, server) = connected().await?;
        spawn_echo(server);
        let (mut reads, mut writes) = client.into_split();
        writes.write_all(b"both ways").await?;
        go!(async move {
            gorun::yield_now().await;
            drop(writes);
        });
        let mut answer = Vec::new();
        reads.read_to_end(&mut answer).await?;
        assert_eq!(answer, b"both ways");
        Ok(())
    });
}

#[test]
pub(super) fn a_loser_of_a_select_loses_no_bytes() {
    with_workers(async || {
        let (client, server) = connected().await?;
        go!(async move {
            for number in 0..=255 {
                if server.write(&[number]).await.is_err() {
                    return;
                }
                gorun::yield_now().await;
            }
        });
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while seen.len() < 256 {
            gorun::select! {
                read = client.read(&mut byte) => {
                    assert_eq!(read?, 1);
                    seen.push(byte[0]);
                }
                () = gorun::yield_now() => {}
            }
        }
        assert!(seen.iter().copied().eq(0..=255));
        Ok(())
    });
}

#[test]
pub(super) fn a_byte_at_a_time_arrives() {
    with_workers(async || {
        let (client, server) = connected().await?;
        spawn_echo(server);
        for byte in 0..100 {
            round_trip(&client, &[byte]).await?;
        }
        Ok(())
    });
}
