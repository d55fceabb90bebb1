//! Programs that are deadlocked. Each waits for ever, unless gorun ends it.

use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gorun::sync::{Barrier, Mutex, Semaphore};
use gorun::{block_on, blocking, channel, go, select, spawn, spawn_local, time, yield_now};

use crate::Outcome::Deadlock;
use crate::Scenario;

const fn scenario(name: &'static str, run: fn(), texts: &'static [&'static str]) -> Scenario {
    Scenario { name, run, outcome: Deadlock(texts) }
}

pub(crate) fn all() -> Vec<Scenario> {
    vec![
        scenario(
            "main_waits_for_a_goroutine_that_waits_for_main",
            main_waits_for_a_goroutine_that_waits_for_main,
            &[
                "2 goroutines, main among them",
                "main [join] at tests/deadlock/",
                "1 goroutine [recv] at tests/deadlock/",
            ],
        ),
        scenario(
            "two_goroutines_wait_for_each_other",
            two_goroutines_wait_for_each_other,
            &["main [join]", "2 goroutines [lock] at tests/deadlock/certain.rs:"],
        ),
        scenario(
            "a_sender_is_forgotten",
            a_sender_is_forgotten,
            &["main [recv] at tests/deadlock/"],
        ),
        scenario("a_select_of_nothing", a_select_of_nothing, &["main [select]"]),
        scenario(
            "a_future_that_is_never_ready",
            || block_on(std::future::pending()),
            &["that is not gorun's"],
        ),
        scenario("a_permit_is_lost", a_permit_is_lost, &["main [join]", "1 goroutine [lock]"]),
        scenario(
            "a_goroutine_has_leaked_its_guard",
            a_goroutine_has_leaked_its_guard,
            &["main [lock]"],
        ),
        scenario(
            "a_barrier_is_for_one_more",
            a_barrier_is_for_one_more,
            &["main [", "1 goroutine ["],
        ),
        scenario("after_blocking", after_blocking, &["main [join]", "1 goroutine [recv]"]),
        scenario(
            "after_a_goroutine_held_its_thread",
            after_a_goroutine_held_its_thread,
            &["1 goroutine [recv]"],
        ),
        scenario("after_sleeps", after_sleeps, &["main [recv]"]),
        scenario("after_a_thread_has_ended", after_a_thread_has_ended, &["main [recv]"]),
        scenario(
            "after_a_nested_block_on",
            after_a_nested_block_on,
            &["main [join]", "1 goroutine [recv]"],
        ),
        scenario(
            "a_future_of_main_s_own_thread_waits",
            a_future_of_main_s_own_thread_waits,
            &["main [recv]"],
        ),
        scenario("after_another_runtime", after_another_runtime, &["main [recv]"]),
        scenario("after_a_long_work", after_a_long_work, &["main [recv]"]),
        scenario("after_a_guest_has_left", after_a_guest_has_left, &["main [recv]"]),
        scenario(
            "after_a_sleep_that_was_forgotten",
            after_a_sleep_that_was_forgotten,
            &["main [recv]"],
        ),
        scenario(
            "after_a_thread_that_ends_late",
            after_a_thread_that_ends_late,
            &["that is not gorun's"],
        ),
        scenario("many_wait", many_wait, &["1000 goroutines [recv] at tests/deadlock/certain.rs:"]),
        #[cfg(feature = "net")]
        scenario("after_sockets", after_sockets, &["main [recv]"]),
        #[cfg(feature = "io")]
        scenario(
            "after_the_standard_input_has_ended",
            after_the_standard_input_has_ended,
            &["main [recv]"],
        ),
        #[cfg(feature = "process")]
        scenario("after_a_child_process", after_a_child_process, &["main [recv]"]),
        #[cfg(all(feature = "signal", unix))]
        scenario(
            "beside_a_signal_that_causes_dumps",
            beside_a_signal_that_causes_dumps,
            &["main [recv]"],
        ),
    ]
}

/// Nobody sends.
async fn wait_for_ever() {
    let (tx, rx) = channel::<u32>(0);
    rx.recv().await;
    drop(tx);
}

fn main_waits_for_a_goroutine_that_waits_for_main() {
    block_on(async {
        let (tx, rx) = channel::<u32>(0);
        spawn(async move { rx.recv().await }).await.unwrap();
        drop(tx);
    });
}

fn two_goroutines_wait_for_each_other() {
    block_on(async {
        let (one, two) = (Arc::new(Mutex::new(1)), Arc::new(Mutex::new(2)));
        let both_have_one = Arc::new(Barrier::new(2));
        let goroutines = [(one.clone(), two.clone()), (two, one)].map(|(first, second)| {
            let both_have_one = both_have_one.clone();
            spawn(async move {
                let _first = first.lock().await;
                both_have_one.wait().await;
                let _second = second.lock().await;
            })
        });
        for goroutine in goroutines {
            goroutine.await.unwrap();
        }
    });
}

fn a_sender_is_forgotten() {
    block_on(async {
        let (tx, rx) = channel(0);
        let own = tx.clone();
        go!(async move { tx.send(1).await.unwrap() });
        while rx.recv().await.is_some() {}
        drop(own);
    });
}

fn a_select_of_nothing() {
    block_on(async {
        let (_tx, rx) = channel::<u32>(0);
        let (tx2, _rx2) = channel::<u32>(0);
        select! {
            _ = rx.recv() => {}
            _ = tx2.send(1) => {}
        }
    });
}

fn a_permit_is_lost() {
    block_on(async {
        let permits = Arc::new(Semaphore::new(1));
        let lost = permits.clone();
        spawn(async move { mem::forget(lost.acquire().await) }).await.unwrap();
        spawn(async move { drop(permits.acquire().await) }).await.unwrap();
    });
}

fn a_goroutine_has_leaked_its_guard() {
    block_on(async {
        let mutex = Arc::new(Mutex::new(1));
        let leaked = mutex.clone();
        spawn(async move { mem::forget(leaked.lock().await) }).await.unwrap();
        *mutex.lock().await = 2;
    });
}

fn a_barrier_is_for_one_more() {
    block_on(async {
        let barrier = Arc::new(Barrier::new(3));
        let other = barrier.clone();
        go!(async move { other.wait().await });
        barrier.wait().await;
    });
}

fn after_blocking() {
    block_on(async {
        spawn(async {
            blocking(|| thread::sleep(Duration::from_millis(30)));
            wait_for_ever().await;
        })
        .await
        .unwrap();
    });
}

fn after_a_goroutine_held_its_thread() {
    block_on(async {
        spawn(async {
            thread::sleep(Duration::from_millis(50));
            wait_for_ever().await;
        })
        .await
        .unwrap();
    });
}

fn after_sleeps() {
    block_on(async {
        go!(async { time::sleep(Duration::from_millis(20)).await });
        time::sleep(Duration::from_millis(10)).await;
        time::timeout(Duration::from_millis(40), wait_for_ever()).await.unwrap_err();
        wait_for_ever().await;
    });
}

fn after_a_thread_has_ended() {
    block_on(async {
        let (tx, rx) = channel(0);
        let thread = thread::spawn(move || tx.send_blocking(1).unwrap());
        rx.recv().await.unwrap();
        thread.join().unwrap();
        wait_for_ever().await;
    });
}

fn after_a_nested_block_on() {
    block_on(async {
        spawn(async {
            block_on(async { time::sleep(Duration::from_millis(10)).await });
            wait_for_ever().await;
        })
        .await
        .unwrap();
    });
}

fn a_future_of_main_s_own_thread_waits() {
    block_on(async {
        spawn_local(async { wait_for_ever().await }).detach();
        yield_now().await;
        wait_for_ever().await;
    });
}

fn after_another_runtime() {
    block_on(async { spawn(async { time::sleep(Duration::from_millis(1)).await }).await.unwrap() });
    block_on(wait_for_ever());
}

/// It has been looked at meanwhile.
fn after_a_long_work() {
    block_on(async {
        let (tx, rx) = channel(0);
        go!(async move {
            for round in 0..200 {
                time::sleep(Duration::from_millis(1)).await;
                tx.send(round).await.unwrap();
            }
        });
        while rx.recv().await.is_some() {}
        wait_for_ever().await;
    });
}

/// It has been there for longer than the looks take, and has woken nobody. Its thread ends before.
fn after_a_guest_has_left() {
    block_on(async {
        let handle = gorun::Handle::current();
        thread::spawn(move || {
            handle.block_on(async { time::sleep(Duration::from_millis(300)).await });
        })
        .join()
        .unwrap();
        wait_for_ever().await;
    });
}

/// It wakes a goroutine that has ended.
fn after_a_sleep_that_was_forgotten() {
    block_on(async {
        let asleep = spawn(async {
            let mut sleep = Box::pin(time::sleep(Duration::from_millis(300)));
            std::future::poll_fn(|cx| std::task::Poll::Ready(sleep.as_mut().poll(cx).is_ready()))
                .await;
            Some(sleep)
        });
        let asleep = asleep.await.unwrap();
        wait_for_ever().await;
        drop(asleep);
    });
}

/// It has sent before, and is there at the second look after the start, but not at the second one after that.
fn after_a_thread_that_ends_late() {
    block_on(async {
        let (tx, rx) = channel(0);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            tx.send_blocking(1).unwrap();
            thread::sleep(Duration::from_millis(70));
        });
        rx.recv().await.unwrap();
        std::future::pending::<()>().await
    });
}

fn many_wait() {
    block_on(async {
        let (tx, rx) = channel::<u32>(0);
        for _ in 0..1000 {
            let rx = rx.clone();
            go!(async move { rx.recv().await });
        }
        rx.recv().await;
        drop(tx);
    });
}

#[cfg(feature = "net")]
fn after_sockets() {
    use futures::{AsyncReadExt, AsyncWriteExt};
    use gorun::net::{TcpListener, TcpStream};

    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        echo.await.unwrap();
        // One stays, for which nobody waits.
        wait_for_ever().await;
        drop(stream);
    });
}

#[cfg(feature = "io")]
fn after_the_standard_input_has_ended() {
    use futures::AsyncReadExt;

    block_on(async {
        gorun::io::stdin().read_to_end(&mut Vec::new()).await.unwrap();
        wait_for_ever().await;
    });
}

#[cfg(feature = "process")]
fn after_a_child_process() {
    block_on(async {
        assert!(gorun::process::Command::new("true").status().await.unwrap().success());
        wait_for_ever().await;
    });
}

#[cfg(all(feature = "signal", unix))]
fn beside_a_signal_that_causes_dumps() {
    gorun::Builder::new()
        .dump_on_signal(gorun::signal::Signal::Quit)
        .block_on(wait_for_ever())
        .unwrap();
}
