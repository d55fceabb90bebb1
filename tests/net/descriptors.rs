//! Descriptors that others have too, or have closed, and what a socket holds for its waiters.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::net;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use futures::AsyncRead;
use gorun::net::{TcpStream, UnixStream};
use gorun::{spawn, yield_now};

use super::{WORKERS, connected, round_trip, spawn_echo};
use crate::common::*;

/// A name of a connection that has this number, and others that are in its way.
fn another_name(stream: &net::TcpStream, number: i32) -> (net::TcpStream, Vec<net::TcpStream>) {
    let mut others = Vec::new();
    loop {
        let name = stream.try_clone().unwrap();
        if name.as_raw_fd() == number {
            return (name, others);
        }
        assert!(name.as_raw_fd() < number, "somebody else has taken the number");
        others.push(name);
    }
}

/// The system knows a registration by the number and the connection. So if a socket that goes left its
/// one behind, the same number could not be registered for the same connection again.
#[test]
fn a_descriptor_that_others_have_too_leaves_no_registration_behind() {
    if !is_child() {
        let test = "descriptors::a_descriptor_that_others_have_too_leaves_no_registration_behind";
        return child_passes(test, &[], "");
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (client, server) = connected().await.unwrap();
            let kept = server.clone().into_std().unwrap();
            // A process that inherits it.
            let heir = Command::new("sleep")
                .arg("60")
                .stdin(OwnedFd::from(kept.try_clone().unwrap()))
                // It would keep the streams of this process open if that failed.
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut heir = heir.unwrap();
            let number = server.as_raw_fd();
            drop(server);
            let (again, _others) = another_name(&kept, number);
            let server = TcpStream::from_std(again).unwrap();
            spawn_echo(server);
            round_trip(&client, b"hello").await.unwrap();
            heir.kill().unwrap();
            heir.wait().unwrap();
        });
    }
}

#[test]
fn a_descriptor_that_somebody_else_has_closed_does_no_harm() {
    if !is_child() {
        let test = "descriptors::a_descriptor_that_somebody_else_has_closed_does_no_harm";
        return child_passes(test, &[], "");
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (client, server) = connected().await.unwrap();
            let is_waiting = flag();
            let waits = spawn({
                let (server, is_waiting) = (server.clone(), is_waiting.clone());
                poll_fn(move |cx| {
                    let result = Pin::new(&mut &server).poll_read(cx, &mut [0]);
                    is_waiting.store(true, SeqCst);
                    result
                })
            });
            yield_until(|| is_waiting.load(SeqCst)).await;
            // Another file takes its number, and so nobody closes it twice.
            let number = server.as_raw_fd();
            // SAFETY: the number is open, and its owner does not close it before it is given back.
            let mut taken = unsafe { OwnedFd::from_raw_fd(number) };
            nix::unistd::dup2(File::open("/dev/null").unwrap(), &mut taken).unwrap();
            std::mem::forget(taken);
            waits.abort();
            assert!(waits.await.unwrap_err().is_cancelled());
            drop(server);
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
            // The reactor goes on.
            let (client, server) = connected().await.unwrap();
            spawn_echo(server);
            round_trip(&client, b"hello").await.unwrap();
        });
    }
}

#[test]
fn a_goroutine_that_waits_for_its_own_socket_is_dropped_with_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Drops::new(60);
        run(workers, async {
            let mut waiting = Vec::new();
            for index in 0..60 {
                let (left, right) = UnixStream::pair().unwrap();
                let probe = drops.probe(index);
                waiting.push(spawn(async move {
                    let _probe = probe;
                    // The socket has the waker of the goroutine, which has both ends.
                    match index % 2 {
                        0 => left.read(&mut [0]).await,
                        _ => futures::AsyncReadExt::read(&mut &left, &mut [0]).await,
                    }
                    .unwrap();
                    drop(right);
                }));
            }
            yield_now().await;
            for waiting in waiting.drain(..30) {
                waiting.abort();
                assert!(waiting.await.unwrap_err().is_cancelled());
            }
            assert!(drops.dropped() >= 30);
            // Main's end drops the others.
        });
        drops.assert_each_once(workers);
    }
}

/// A task of an executor of its own: its waker owns it.
struct Owned {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl Wake for Owned {
    fn wake(self: Arc<Self>) {
        let Some(mut future) = self.future.lock().unwrap().take() else { return };
        let waker = Waker::from(self.clone());
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            *self.future.lock().unwrap() = Some(future);
        }
    }
}

#[test]
fn a_circle_of_a_socket_and_a_task_ends_with_an_event_or_the_runtime() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Drops::new(4);
        let (done, is_done) = mpsc::channel();
        let peers = run(workers, async {
            let mut peers = Vec::new();
            for index in 0..4 {
                let (left, right) = UnixStream::pair().unwrap();
                let (probe, done) = (drops.probe(index), done.clone());
                let task = async move {
                    let _probe = probe;
                    let _ = match index % 2 {
                        0 => left.read(&mut [0]).await,
                        _ => futures::AsyncReadExt::read(&mut &left, &mut [0]).await,
                    };
                    drop(left);
                    done.send(()).unwrap();
                };
                let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(task);
                Arc::new(Owned { future: Mutex::new(Some(future)) }).wake();
                // From now on only the socket has the task, which has the socket.
                peers.push(right);
            }
            peers.truncate(2);
            yield_until(|| drops.dropped() == 2).await;
            // Nothing comes for the others.
            peers
        });
        for _ in 0..4 {
            is_done.recv_timeout(DEADLINE).unwrap();
        }
        wait_until(|| drops.all_dropped());
        drops.assert_each_once(workers);
        drop(peers);
    }
}

#[test]
fn a_socket_that_goes_drops_the_wakers_that_it_has() {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (client, _server) = connected().await.unwrap();
            let (read, polled) = (Arc::new(Nothing), Arc::new(Nothing));
            let waker = Waker::from(polled.clone());
            let mut cx = Context::from_waker(&waker);
            let pending = Pin::new(&mut &client).poll_read(&mut cx, &mut [0]);
            assert!(matches!(pending, Poll::Pending));
            drop(waker);
            {
                let waker = Waker::from(read.clone());
                let (mut byte, mut cx) = ([0], Context::from_waker(&waker));
                assert!(pin!(client.read(&mut byte)).poll(&mut cx).is_pending());
            }
            // The method has forgotten its one, the trait cannot.
            assert_eq!((Arc::strong_count(&read), Arc::strong_count(&polled)), (1, 2));
            drop(client);
            assert_eq!(Arc::strong_count(&polled), 1);
        });
    }
}
