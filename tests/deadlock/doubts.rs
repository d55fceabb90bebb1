//! Programs in which nothing moves for a while, until somebody acts.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gorun::{Builder, Handle, block_on, blocking, channel, go, spawn, time};

use crate::Outcome::Ends;
use crate::Scenario;

/// So long nothing moves: two looks fit in, with 16 workers as well.
const WHILE: Duration = Duration::from_millis(250);

const fn scenario(name: &'static str, run: fn(), reason: &'static str) -> Scenario {
    Scenario { name, run, outcome: Ends(reason) }
}

pub(crate) fn all() -> Vec<Scenario> {
    vec![
        scenario(
            "a_timer",
            || block_on(async { time::sleep(WHILE).await }),
            "a timer has not fired",
        ),
        scenario("a_tick", a_tick, "a timer has not fired"),
        scenario(
            "a_thread_that_sends",
            a_thread_that_sends,
            "a thread that is not of this runtime may act",
        ),
        scenario(
            "a_thread_that_unparks_by_itself",
            a_thread_that_wakes_main,
            "a thread that is not of this runtime may act",
        ),
        scenario("a_guest", a_guest, "a thread outside is in `Handle::block_on`"),
        scenario(
            "a_goroutine_in_blocking",
            a_goroutine_in_blocking,
            "a goroutine blocks its thread",
        ),
        scenario("a_goroutine_that_holds_its_thread", a_goroutine_that_holds_its_thread, ""),
        scenario("main_that_computes", main_that_computes, ""),
        scenario("a_nested_block_on", a_nested_block_on, "a goroutine blocks its thread"),
        scenario("another_runtime", another_runtime, ""),
        scenario("a_destructor_of_a_thread_that_ends", a_destructor_of_a_thread_that_ends, ""),
        scenario("a_closed_world_with_a_guest", a_closed_world_with_a_guest, "`Handle::block_on`"),
        scenario("a_closed_world_with_a_callback", a_closed_world_with_a_callback, ""),
        #[cfg(feature = "net")]
        scenario("a_socket", a_socket, "a goroutine waits for a socket"),
        #[cfg(feature = "process")]
        scenario("a_child_process", a_child_process, "a thread of gorun waits for a process"),
        #[cfg(feature = "process")]
        scenario(
            "a_closed_world_with_a_child",
            a_closed_world_with_a_child,
            "a thread of gorun waits for a process",
        ),
        #[cfg(all(feature = "signal", unix))]
        scenario("a_signal", a_signal, "the program handles signal"),
        #[cfg(all(feature = "signal", unix))]
        scenario(
            "a_closed_world_with_a_signal",
            a_closed_world_with_a_signal,
            "the program listens to signals",
        ),
        #[cfg(all(feature = "signal", unix))]
        scenario(
            "a_signal_that_also_causes_dumps",
            a_signal_that_also_causes_dumps,
            "the program handles signal",
        ),
    ]
}

fn a_tick() {
    block_on(async {
        let ticks = time::tick(WHILE);
        ticks.recv().await;
    });
}

fn a_thread_that_sends() {
    block_on(async {
        let (tx, rx) = channel(0);
        let thread = thread::spawn(move || {
            thread::sleep(WHILE);
            tx.send_blocking(1).unwrap();
        });
        assert_eq!(rx.recv().await, Some(1));
        thread.join().unwrap();
    });
}

/// With a waker, and without a channel.
fn a_thread_that_wakes_main() {
    let mut thread = None;
    block_on(std::future::poll_fn(|cx| {
        let waker = cx.waker().clone();
        let start = || {
            thread::spawn(move || {
                thread::sleep(WHILE);
                waker.wake();
            })
        };
        if thread.is_some() {
            return std::task::Poll::Ready(());
        }
        thread = Some(start());
        std::task::Poll::Pending
    }));
    thread.unwrap().join().unwrap();
}

/// It sends after a while.
async fn wait_for_a_guest() {
    let (tx, rx) = channel(0);
    let handle = Handle::current();
    let thread = thread::spawn(move || {
        handle.block_on(async move {
            thread::sleep(WHILE);
            tx.send(1).await.unwrap();
        });
    });
    assert_eq!(rx.recv().await, Some(1));
    thread.join().unwrap();
}

fn a_guest() {
    block_on(wait_for_a_guest());
}

fn a_goroutine_in_blocking() {
    block_on(async { spawn(async { blocking(|| thread::sleep(WHILE)) }).await.unwrap() });
}

fn a_goroutine_that_holds_its_thread() {
    block_on(async { spawn(async { thread::sleep(WHILE) }).await.unwrap() });
}

fn main_that_computes() {
    block_on(async {
        let (tx, rx) = channel(0);
        go!(async move { rx.recv().await });
        thread::sleep(WHILE);
        tx.send(1).await.unwrap();
    });
}

fn a_nested_block_on() {
    block_on(async {
        let (tx, rx) = mpsc::channel();
        let waits = spawn(async move {
            block_on(async {
                rx.recv().unwrap();
            });
        });
        thread::sleep(Duration::from_millis(10));
        let sends = spawn(async move {
            blocking(|| thread::sleep(WHILE));
            tx.send(()).unwrap();
        });
        waits.await.unwrap();
        sends.await.unwrap();
    });
}

/// The outer one sleeps while a goroutine of the inner one sleeps, too.
fn another_runtime() {
    block_on(async {
        spawn(async {
            Builder::new().block_on(async { time::sleep(WHILE).await }).unwrap();
        })
        .await
        .unwrap();
    });
}

/// A spare that is not needed any more runs the destructors of its thread.
fn a_destructor_of_a_thread_that_ends() {
    struct Sends(gorun::Sender<u32>);

    impl Drop for Sends {
        fn drop(&mut self) {
            thread::sleep(WHILE);
            let _ = self.0.send_blocking(1);
        }
    }

    thread_local! {
        static AT_END: std::cell::RefCell<Option<Sends>> = const { std::cell::RefCell::new(None) };
    }

    let mut sent = 0;
    block_on(async {
        let (tx, rx) = channel(64);
        // Each on a thread of its own, of which all but those that are needed end.
        let all: Vec<_> = (0..32)
            .map(|_| {
                let tx = tx.clone();
                spawn(async move {
                    AT_END.set(Some(Sends(tx)));
                    blocking(|| thread::sleep(Duration::from_millis(50)));
                })
            })
            .collect();
        for goroutine in all {
            goroutine.await.unwrap();
        }
        rx.recv().await.unwrap();
        sent += 1;
        drop(tx);
    });
    assert_eq!(sent, 1);
}

fn closed() -> Builder {
    Builder::new().assume_closed()
}

fn a_closed_world_with_a_guest() {
    closed().block_on(wait_for_a_guest()).unwrap();
}

/// It is called on a thread of gorun's.
fn a_closed_world_with_a_callback() {
    let (tx, rx) = channel(1);
    let told = move |_: &gorun::Blocked| {
        thread::sleep(WHILE);
        tx.send_blocking(1).unwrap();
    };
    let run = async move {
        spawn(async { thread::sleep(Duration::from_millis(150)) }).await.unwrap();
        rx.recv().await.unwrap();
    };
    closed().on_blocked(told).block_on(run).unwrap();
}

#[cfg(feature = "net")]
fn a_socket() {
    use futures::AsyncReadExt;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    block_on(async {
        let mut stream = gorun::net::TcpStream::connect(address).await.unwrap();
        let (other, _) = listener.accept().unwrap();
        // By another process, so that there is no other thread.
        let script = format!("sleep {}; echo x", WHILE.as_secs_f64());
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script]).stdout(std::os::fd::OwnedFd::from(other));
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"x\n");
        child.wait().unwrap();
    });
}

#[cfg(feature = "process")]
async fn wait_for_a_child() {
    let seconds = WHILE.as_secs_f64().to_string();
    assert!(gorun::process::Command::new("sleep").arg(seconds).status().await.unwrap().success());
}

#[cfg(feature = "process")]
fn a_child_process() {
    block_on(wait_for_a_child());
}

#[cfg(feature = "process")]
fn a_closed_world_with_a_child() {
    closed().block_on(wait_for_a_child()).unwrap();
}

/// This process gets the signal after a while, from another one.
#[cfg(all(feature = "signal", unix))]
fn send_later(name: &str) -> std::process::Child {
    let script =
        format!("sleep {}; kill -{name} {}", 3.0 * WHILE.as_secs_f64(), std::process::id());
    std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap()
}

#[cfg(all(feature = "signal", unix))]
async fn wait_for_a_signal() {
    let signals = gorun::signal::notify([gorun::signal::Signal::Usr1]);
    let mut sender = send_later("USR1");
    signals.recv().await.unwrap();
    sender.wait().unwrap();
}

#[cfg(all(feature = "signal", unix))]
fn a_signal() {
    block_on(wait_for_a_signal());
}

#[cfg(all(feature = "signal", unix))]
fn a_closed_world_with_a_signal() {
    closed().block_on(wait_for_a_signal()).unwrap();
}

#[cfg(all(feature = "signal", unix))]
fn a_signal_that_also_causes_dumps() {
    let builder = Builder::new().dump_on_signal(gorun::signal::Signal::Usr1);
    builder.block_on(wait_for_a_signal()).unwrap();
}
