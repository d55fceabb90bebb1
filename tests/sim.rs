//! Simulated runs.

use std::time::Duration;

use gorun::sim::{self, Sim};
use gorun::{channel, spawn, time, yield_now};

#[test]
fn hello() {
    let explored = Sim::new().schedules(1000).check(|| async {
        let (tx, rx) = channel(0);
        for n in 0..3 {
            let tx = tx.clone();
            spawn(async move { tx.send(n).await.unwrap() }).detach();
        }
        drop(tx);
        let mut sum = 0;
        while let Some(n) = rx.recv().await {
            sum += n;
        }
        assert_eq!(sum, 3);
    });
    println!("{explored:?}");
    assert_eq!(explored.schedules, 1000);
}

#[test]
fn a_year() {
    Sim::new().check(|| async {
        time::sleep(Duration::from_secs(365 * 24 * 3600)).await;
        assert_eq!(sim::elapsed(), Duration::from_secs(365 * 24 * 3600));
    });
}

#[test]
fn deadlock() {
    let failure = Sim::new().run(|| async { std::future::pending::<()>().await }).unwrap_err();
    println!("{failure}");
}

#[test]
fn lost_update() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    let failure = Sim::new()
        .run(|| async {
            let count = Arc::new(AtomicU32::new(0));
            let group = gorun::WaitGroup::new();
            for _ in 0..3 {
                let count = count.clone();
                group.go(async move {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                    let before = count.load(SeqCst);
                    yield_now().await;
                    count.store(before + 1, SeqCst);
                });
            }
            group.wait().await;
            assert_eq!(count.load(SeqCst), 3, "an update is lost");
        })
        .unwrap_err();
    println!("{failure}");
}

#[test]
fn nested() {
    let explored = Sim::new().schedules(100).check(|| async {
        let (tx, rx) = channel(0);
        let goroutine = spawn(async move { gorun::block_on(async { rx.recv().await }) });
        tx.send(1).await.unwrap();
        assert_eq!(goroutine.await.unwrap(), Some(1));
    });
    println!("{explored:?}");
}

#[gorun::test(schedules = 100, pct = 3)]
async fn attribute() {
    let (tx, rx) = channel(0);
    gorun::go!(async move { tx.send(1).await.unwrap() });
    assert_eq!(rx.recv().await, Some(1));
}

#[gorun::test(schedules = 100)]
async fn attribute_with_result() -> Result<(), gorun::JoinError> {
    spawn(async {}).await
}
