//! Destructors of thread-locals that use gorun: on threads of others, on workers, on main's.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use gorun::time::{Sleep, sleep};
use gorun::{
    AbortHandle, Handle, JoinHandle, Sender, WaitGroup, blocking, channel, num_goroutines, spawn,
};

use crate::WORKERS;
use crate::common::*;
use crate::workload::bit_of_everything;

/// What somebody leaves to be done when its thread ends.
struct Will {
    handle: Handle,
    waker: Waker,
    values: Sender<u32>,
    dropped: Option<JoinHandle<()>>,
    aborted: AbortHandle,
    group: WaitGroup,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Where it says what came of it.
    news: mpsc::Sender<News>,
}

#[derive(Debug)]
struct News {
    /// What went wrong.
    failure: Option<String>,
    sent: bool,
    spawned: Result<u32, bool>,
    inside: usize,
}

thread_local!(static WILLS: RefCell<Vec<Will>> = const { RefCell::new(Vec::new()) });

impl Drop for Will {
    fn drop(&mut self) {
        let mut news = News { failure: None, sent: false, spawned: Err(false), inside: 0 };
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.waker.wake_by_ref();
            news.sent = self.values.try_send(1).is_ok();
            drop(self.dropped.take());
            self.aborted.abort();
            self.group.done();
            self.sleep.take();
            news.inside = num_goroutines();
            let _ = self.handle.num_goroutines();
            let _ = Handle::try_current();
            // Outside, or in a thread that ends, this panics or is refused.
            let _ = catch_unwind(|| drop(spawn(async {})));
            let waits = self.handle.spawn(async { 42 });
            news.spawned = self.handle.block_on(waits).map_err(|error| error.is_cancelled());
            assert_eq!(blocking(|| 1), 1);
        }));
        news.failure = done.err().map(|payload| message(&*payload).unwrap_or("?").to_owned());
        // Main may have gone.
        let _ = self.news.send(news);
    }
}

/// What the will is about, inside the runtime.
struct Estate {
    woken: Arc<AtomicUsize>,
    values: gorun::Receiver<u32>,
    aborted: JoinHandle<()>,
    ran: Arc<AtomicUsize>,
    group: WaitGroup,
}

async fn make_will(news: &mpsc::Sender<News>) -> (Will, Estate) {
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = Arc::new(Mutex::new(None));
    let waits = spawn({
        let (woken, waker) = (woken.clone(), waker.clone());
        poll_fn(move |cx| {
            waker.lock().unwrap().get_or_insert_with(|| cx.waker().clone());
            woken.fetch_add(1, SeqCst);
            Poll::<()>::Pending
        })
    });
    waits.detach();
    yield_until(|| waker.lock().unwrap().is_some()).await;
    let ran = Arc::new(AtomicUsize::new(0));
    let runs_on = ran.clone();
    let (values, received) = channel(1);
    let (group, aborted) = (WaitGroup::new(), spawn(std::future::pending()));
    group.add(1);
    let mut waiting = Box::pin(sleep(HOUR));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let will = Will {
        handle: Handle::current(),
        waker: waker.lock().unwrap().take().unwrap(),
        values,
        dropped: Some(spawn(async move {
            sleep(crate::MILLI).await;
            runs_on.fetch_add(1, SeqCst);
        })),
        aborted: aborted.abort_handle(),
        group: group.clone(),
        sleep: Some(waiting),
        news: news.clone(),
    };
    (will, Estate { woken, values: received, aborted, ran, group })
}

/// The runtime goes on, so all of it has come about.
async fn is_carried_out(estate: Estate) {
    assert_eq!(estate.values.recv().await, Some(1));
    assert!(estate.aborted.await.unwrap_err().is_cancelled());
    estate.group.wait().await;
    yield_until(|| estate.woken.load(SeqCst) >= 2 && estate.ran.load(SeqCst) == 1).await;
}

#[test]
fn on_a_foreign_thread_all_of_it_comes_about() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for first in [true, false] {
                let (news, told) = mpsc::channel();
                let (will, estate) = make_will(&news).await;
                let handle = Handle::current();
                let thread = thread::spawn(move || {
                    quiet();
                    let use_gorun = || handle.block_on(async { spawn(async {}).await.unwrap() });
                    // What gorun keeps for a thread is made before that, or after.
                    if first {
                        use_gorun();
                    }
                    WILLS.with_borrow_mut(|wills| wills.push(will));
                    if !first {
                        use_gorun();
                    }
                });
                is_carried_out(estate).await;
                thread.join().unwrap();
                let news = told.recv().unwrap();
                assert_eq!((&news.failure, news.sent, &news.spawned), (&None, true, &Ok(42)));
                assert_eq!(news.inside, 0, "that thread is outside");
            }
            bit_of_everything().await;
        });
    }
}

#[test]
fn on_a_spare_that_leaves_in_mid_run_all_of_it_comes_about() {
    let _watchdog = watchdog();
    run(1, async {
        let (news, told) = mpsc::channel();
        let mut estates = Vec::new();
        let mut blocked = Vec::new();
        let (go, gone) = channel::<()>(0);
        // On two threads: one of them is not needed afterwards.
        for _ in 0..2 {
            let (will, estate) = make_will(&news).await;
            estates.push(estate);
            let gone = gone.clone();
            blocked.push(spawn(async move {
                quiet();
                WILLS.with_borrow_mut(|wills| wills.push(will));
                blocking(|| gone.recv_blocking());
            }));
        }
        wait_until(|| threads() > 2);
        drop(go);
        for handle in blocked {
            handle.await.unwrap();
        }
        let news = told.recv_timeout(DEADLINE).unwrap();
        assert_eq!((&news.failure, news.sent), (&None, true));
        let done = estates.iter().position(|estate| estate.values.len() == 1).unwrap();
        is_carried_out(estates.swap_remove(done)).await;
        bit_of_everything().await;
    });
}

#[test]
fn on_workers_at_the_end_and_on_mains_thread_after_it_nothing_of_it_hangs() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for round in 0..30 {
            let (news, told) = mpsc::channel();
            let main = thread::spawn(move || {
                quiet();
                let main = async {
                    for _ in 0..4 {
                        let (will, estate) = make_will(&news).await;
                        spawn(async move { WILLS.with_borrow_mut(|wills| wills.push(will)) })
                            .await
                            .unwrap();
                        drop(estate);
                    }
                    let (will, estate) = make_will(&news).await;
                    WILLS.with_borrow_mut(|wills| wills.push(will));
                    drop(estate);
                };
                if round % 2 == 0 {
                    run(workers, main);
                } else {
                    run_without_spares(workers, main);
                }
            });
            main.join().unwrap();
            let all: Vec<News> = told.iter().collect();
            assert_eq!(all.len(), 5);
            for news in all {
                assert_eq!((&news.failure, &news.spawned), (&None, &Err(true)), "{news:?}");
            }
        }
    }
}
