//! Many that wait for the same thing, and end at the same time, by a context.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use gorun::context::Context;
use gorun::sync::{Mutex, OnceCell, RwLock, Semaphore, singleflight};
use gorun::{WaitGroup, yield_now};

use super::WORKERS;
use crate::common::*;

struct Resources {
    semaphore: Semaphore,
    mutex: Mutex<()>,
    rw_lock: RwLock<()>,
    cell: OnceCell<()>,
    flights: singleflight::Group<u32, ()>,
    begun: AtomicUsize,
}

impl Resources {
    fn new() -> Arc<Self> {
        Arc::new(Resources {
            semaphore: Semaphore::new(1),
            mutex: Mutex::new(()),
            rw_lock: RwLock::new(()),
            cell: OnceCell::new(),
            flights: singleflight::Group::new(),
            begun: AtomicUsize::new(0),
        })
    }

    async fn work(&self) {
        self.begun.fetch_add(1, SeqCst);
        pending().await
    }

    async fn use_one(&self, kind: usize) {
        match kind {
            0 => {
                let _permit = self.semaphore.acquire().await.unwrap();
                self.work().await;
            }
            1 => {
                let _guard = self.mutex.lock().await;
                self.work().await;
            }
            2 => {
                let _guard = self.rw_lock.write().await;
                self.work().await;
            }
            3 => _ = self.cell.get_or_init(|| self.work()).await,
            _ => self.flights.run(1, || self.work()).await,
        }
    }
}

#[test]
pub(crate) fn of_many_whose_context_ends_none_begins_its_work() {
    const MANY: usize = 100;
    let _watchdog = watchdog();
    for workers in WORKERS {
        for kind in 0..5 {
            let resources = Resources::new();
            run(workers, async {
                let (ctx, cancel) = Context::background().with_cancel();
                let (all, waiting) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
                for _ in 0..MANY {
                    let (ctx, resources) = (ctx.clone(), resources.clone());
                    let waiting = waiting.clone();
                    all.go(async move {
                        let uses = async {
                            waiting.fetch_add(1, SeqCst);
                            resources.use_one(kind).await;
                        };
                        let is_over = ctx.run(uses).await.is_err();
                        assert!(is_over);
                    });
                }
                while waiting.load(SeqCst) < MANY {
                    yield_now().await;
                }
                cancel.cancel();
                all.wait().await;
            });
            let begun = resources.begun.load(SeqCst);
            // The first one, and who was just being polled for the first time, also by threads that stand in
            // for workers without a core.
            assert!(begun <= 1 + 2 * workers.max(4), "{workers} workers, kind {kind}: {begun}");
        }
    }
}

/// It has been there before the end.
#[test]
pub(crate) fn a_value_that_is_there_is_given_to_one_whose_context_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let cell = OnceCell::new();
            let (ctx, cancel) = Context::background().with_cancel();
            let (give, given) = gorun::channel(0);
            let mut leads = Box::pin(cell.get_or_init(async || given.recv().await.unwrap()));
            assert!(futures::poll!(&mut leads).is_pending());
            let mut waits = Box::pin(ctx.run(cell.get_or_init(async || unreachable!())));
            assert!(futures::poll!(&mut waits).is_pending());
            gorun::spawn(async move { give.send(7).await.unwrap() }).detach();
            assert_eq!(leads.await, &7);
            cancel.cancel();
            assert_eq!(waits.await.unwrap(), &7);
        });
    }
}
