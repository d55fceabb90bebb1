//! What is read before an await is out of date after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use gorun::sync::{Mutex, oneshot};
use gorun::{Receiver, Sender, WaitGroup, channel, go, spawn};

struct Account {
    balance: Mutex<u32>,
    journal: Sender<u32>,
}

async fn deposit(account: Arc<Account>, amount: u32, planted: bool) {
    if planted {
        let balance = *account.balance.lock().await;
        account.journal.send(amount).await.expect("somebody reads the journal");
        *account.balance.lock().await = balance + amount;
    } else {
        let mut balance = account.balance.lock().await;
        account.journal.send(amount).await.expect("somebody reads the journal");
        *balance += amount;
    }
}

pub(crate) async fn lost_update(planted: bool) {
    let (journal, _entries) = channel(8);
    let account = Arc::new(Account { balance: Mutex::new(0), journal });
    let deposits = WaitGroup::new();
    for amount in [1, 10, 100] {
        deposits.go(deposit(account.clone(), amount, planted));
    }
    deposits.wait().await;
    assert_eq!(*account.balance.lock().await, 111, "a deposit is lost");
}

const NO_SLOT: u64 = 0xff;

/// A stack of free slots. Its head is a slot, and above that how often it was changed.
struct Pool {
    head: AtomicU64,
    next: [AtomicU64; 3],
    is_used: [AtomicBool; 3],
    log: Sender<usize>,
    counts_changes: bool,
}

impl Pool {
    fn change(&self, head: u64, slot: u64) -> bool {
        let changes = if self.counts_changes { (head >> 8) + 1 } else { 0 };
        self.head.compare_exchange(head, changes << 8 | slot, SeqCst, SeqCst).is_ok()
    }

    async fn take(&self) -> Option<usize> {
        loop {
            let head = self.head.load(SeqCst);
            if head & 0xff == NO_SLOT {
                return None;
            }
            let slot = (head & 0xff) as usize;
            let next = self.next[slot].load(SeqCst);
            self.log.send(slot).await.expect("somebody reads the log");
            if self.change(head, next) {
                return Some(slot);
            }
        }
    }

    fn put(&self, slot: usize) {
        loop {
            let head = self.head.load(SeqCst);
            self.next[slot].store(head & 0xff, SeqCst);
            if self.change(head, slot as u64) {
                return;
            }
        }
    }
}

async fn use_slots(pool: Arc<Pool>) {
    for round in 0..4 {
        pool.log.send(round).await.expect("somebody reads the log");
        let Some(slot) = pool.take().await else { return };
        assert!(!pool.is_used[slot].swap(true, SeqCst), "two have the same slot");
        pool.log.send(slot).await.expect("somebody reads the log");
        pool.is_used[slot].store(false, SeqCst);
        pool.put(slot);
    }
}

pub(crate) async fn same_head_again(planted: bool) {
    let (log, _lines) = channel(1000);
    let pool = Arc::new(Pool {
        head: AtomicU64::new(0),
        next: [AtomicU64::new(1), AtomicU64::new(2), AtomicU64::new(NO_SLOT)],
        is_used: Default::default(),
        log,
        counts_changes: !planted,
    });
    let users = WaitGroup::new();
    for _ in 0..3 {
        users.go(use_slots(pool.clone()));
    }
    users.wait().await;
}

struct Voter {
    voted_for: Mutex<Option<u32>>,
    disk: Sender<u32>,
}

impl Voter {
    async fn votes_for(&self, candidate: u32, planted: bool) -> bool {
        let mut voted_for = self.voted_for.lock().await;
        if voted_for.is_some() {
            return false;
        }
        if planted {
            drop(voted_for);
            self.disk.send(candidate).await.expect("there is a disk");
            voted_for = self.voted_for.lock().await;
        } else {
            self.disk.send(candidate).await.expect("there is a disk");
        }
        *voted_for = Some(candidate);
        true
    }
}

type Request = (u32, oneshot::Sender<bool>);

/// Each request has a goroutine of its own.
async fn serve(voter: Arc<Voter>, requests: Receiver<Request>, planted: bool) {
    while let Some((candidate, answer)) = requests.recv().await {
        let voter = voter.clone();
        go!(async move { _ = answer.send(voter.votes_for(candidate, planted).await) });
    }
}

async fn campaign(candidate: u32, voters: Vec<Sender<Request>>, leaders: Arc<AtomicUsize>) {
    let mut votes = 0;
    for voter in &voters {
        let (answer, answered) = oneshot::channel();
        voter.send((candidate, answer)).await.expect("voters serve until nobody asks");
        votes += usize::from(answered.await.expect("each request is answered"));
    }
    if votes > voters.len() / 2 {
        leaders.fetch_add(1, SeqCst);
    }
}

pub(crate) async fn two_leaders(planted: bool) {
    let (disk, _writes) = channel(8);
    let serving = WaitGroup::new();
    let mut voters = Vec::new();
    for _ in 0..3 {
        let (voter, requests) = channel(2);
        voters.push(voter);
        let state = Voter { voted_for: Mutex::new(None), disk: disk.clone() };
        serving.go(serve(Arc::new(state), requests, planted));
    }
    let leaders = Arc::new(AtomicUsize::new(0));
    let candidates = [1, 2].map(|id| spawn(campaign(id, voters.clone(), leaders.clone())));
    drop(voters);
    for candidate in candidates {
        candidate.await.expect("a candidate ends");
    }
    serving.wait().await;
    assert!(leaders.load(SeqCst) <= 1, "there are two leaders");
}
