//! Locks and permits.

use std::sync::Arc;

use gorun::sync::{Cond, Mutex, Semaphore};
use gorun::{Sender, WaitGroup, channel, spawn, yield_now};

/// Accounts, in the order in which they are to be locked.
type Bank = [Mutex<i32>; 3];

async fn transfer(bank: Arc<Bank>, from: usize, to: usize, planted: bool) {
    let (first, second) = if planted || from < to { (from, to) } else { (to, from) };
    let mut first_balance = bank[first].lock().await;
    let mut second_balance = bank[second].lock().await;
    let amount = if first == from { -1 } else { 1 };
    *first_balance += amount;
    *second_balance -= amount;
}

pub(crate) async fn order_of_locks(planted: bool) {
    let bank = Arc::new(Bank::default());
    let transfers = WaitGroup::new();
    for from in 0..bank.len() {
        transfers.go(transfer(bank.clone(), from, (from + 1) % bank.len(), planted));
    }
    transfers.wait().await;
}

#[derive(Default)]
struct Access {
    readers: u32,
    writer_waits: bool,
    /// How many readers came in after the writer had begun to wait.
    overtaking: u32,
}

/// Made by hand: a lock for readers and a writer.
#[derive(Default)]
struct Shared {
    access: Mutex<Access>,
    changed: Cond,
}

impl Shared {
    async fn read(&self, planted: bool) {
        let mut access = self.access.lock().await;
        while access.writer_waits && !planted {
            access = self.changed.wait(access).await;
        }
        access.readers += 1;
        access.overtaking += u32::from(access.writer_waits);
        drop(access);
        yield_now().await;
        let mut access = self.access.lock().await;
        access.readers -= 1;
        if access.readers == 0 {
            self.changed.notify_all();
        }
    }

    async fn write(&self) {
        let mut access = self.access.lock().await;
        access.writer_waits = true;
        while access.readers > 0 {
            access = self.changed.wait(access).await;
        }
        assert!(access.overtaking < 10, "the writer starves");
        access.writer_waits = false;
        self.changed.notify_all();
    }
}

pub(crate) async fn starving_writer(planted: bool) {
    let shared = Arc::new(Shared::default());
    let all = WaitGroup::new();
    for _ in 0..2 {
        let shared = shared.clone();
        all.go(async move {
            for _ in 0..10 {
                shared.read(planted).await;
            }
        });
    }
    all.go(async move { shared.write().await });
    all.wait().await;
}

async fn query(connections: Arc<Semaphore>, log: Sender<u32>, planted: bool) {
    let permit = connections.acquire().await.expect("nobody closes it");
    if planted {
        permit.forget();
        log.send(1).await.expect("somebody reads the log");
        connections.add_permits(1);
    } else {
        log.send(1).await.expect("somebody reads the log");
        drop(permit);
    }
}

pub(crate) async fn permit_of_an_aborted_query(planted: bool) {
    let (log, _lines) = channel(8);
    let connections = Arc::new(Semaphore::new(2));
    let start = || spawn(query(connections.clone(), log.clone(), planted));
    let (kept, given_up) = ([start(), start()], start());
    let abort = given_up.abort_handle();
    // The user leaves the page.
    spawn(async move { abort.abort() }).await.expect("it only aborts");
    for query in kept {
        query.await.expect("nobody aborts it");
    }
    _ = given_up.await;
    drop(connections.acquire_many(2).await);
}
