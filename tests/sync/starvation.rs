//! Awaits that never wait, and whom they keep waiting. (`promises` asks this about every other future.)

use std::sync::atomic::Ordering::SeqCst;

use gorun::spawn;
use gorun::sync::{Cond, Mutex};

use super::WORKERS;
use crate::common::*;

/// As a consumer does whose own work fills the queue again.
#[test]
pub(crate) fn a_condition_that_never_has_to_wait_keeps_a_worker_from_other_goroutines() {
    const MANY: usize = 100_000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        let goroutines = run_without_spares(workers, async {
            let loops: Vec<_> = (0..workers)
                .map(|_| {
                    spawn(async move {
                        let (over, mutex, cond) = (flag(), Mutex::new(1), Cond::new());
                        let other = over.clone();
                        spawn(async move { other.store(true, SeqCst) });
                        let mut guard = mutex.lock().await;
                        let mut rounds = 0;
                        while !over.load(SeqCst) && rounds < MANY {
                            rounds += 1;
                            guard = cond.wait_while(guard, |left| *left == 0).await;
                        }
                        rounds
                    })
                })
                .collect();
            let mut rounds = Vec::new();
            for each in loops {
                rounds.push(each.await.unwrap());
            }
            rounds
        });
        assert!(
            goroutines.iter().all(|&rounds| rounds < MANY),
            "{workers} workers: {goroutines:?}"
        );
    }
}
