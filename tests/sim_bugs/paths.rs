//! Paths that programs seldom take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gorun::sync::{Mutex, Notify, oneshot};
use gorun::{Sender, WaitGroup, channel, spawn, time};

/// Sells a seat. Who has asked may have given up meanwhile.
async fn sell(free: Arc<Mutex<Vec<u32>>>, answer: oneshot::Sender<u32>, planted: bool) {
    let Some(seat) = free.lock().await.pop() else { return };
    // The payment.
    time::sleep(Duration::from_millis(1)).await;
    if let Err(error) = answer.send(seat)
        && !planted
    {
        free.lock().await.push(error.0);
    }
}

pub(crate) async fn answer_at_the_limit(planted: bool) {
    let free = Arc::new(Mutex::new(vec![1, 2, 3]));
    let sold = Arc::new(Mutex::new(Vec::new()));
    let all = WaitGroup::new();
    for _ in 0..2 {
        let (answer, answered) = oneshot::channel();
        all.go(sell(free.clone(), answer, planted));
        let sold = sold.clone();
        all.go(async move {
            if let Ok(Ok(seat)) = time::timeout(Duration::from_secs(1), answered).await {
                sold.lock().await.push(seat);
            }
        });
    }
    all.wait().await;
    assert_eq!(free.lock().await.len() + sold.lock().await.len(), 3, "a seat is lost");
}

struct Cache {
    values: Mutex<BTreeMap<u32, u32>>,
    loads: Sender<u32>,
}

async fn look_up(cache: Arc<Cache>, key: u32, planted: bool) -> u32 {
    if let Some(value) = cache.values.lock().await.get(&key) {
        return *value;
    }
    // It reports a load that takes long; here none does.
    let loaded = Arc::new(Notify::new());
    let watched = loaded.clone();
    spawn(async move { watched.notified().await }).detach();
    let mut values = cache.values.lock().await;
    // Somebody else has loaded it meanwhile.
    if let Some(value) = values.get(&key) {
        if !planted {
            loaded.notify_one();
        }
        return *value;
    }
    cache.loads.send(key).await.expect("main counts them");
    values.insert(key, 2 * key);
    loaded.notify_one();
    2 * key
}

pub(crate) async fn watcher_is_left(planted: bool) {
    let (loads, _all_loads) = channel(8);
    let cache = Arc::new(Cache { values: Mutex::default(), loads });
    let look_ups = [4, 5, 4].map(|key| (key, spawn(look_up(cache.clone(), key, planted))));
    for (key, value) in look_ups {
        assert_eq!(value.await.expect("it ends"), 2 * key);
    }
}
