//! Values that are made once, and work that is shared.

use std::cell::Cell;
use std::future::pending;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use gorun::sync::{OnceCell, singleflight};
use gorun::{Builder, JoinSet, UnhandledPanic, spawn, yield_now};

use super::{Task, WORKERS, now};
use crate::common::*;

#[test]
pub(crate) fn many_that_need_a_value_at_the_same_time_make_it_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
            let mut set = JoinSet::new();
            for _ in 0..50 {
                let (cell, made) = (cell.clone(), made.clone());
                set.spawn(async move {
                    let make = async || {
                        yield_now().await;
                        made.fetch_add(1, SeqCst)
                    };
                    *cell.get_or_init(make).await
                });
            }
            assert_eq!(set.join_all().await, [0; 50]);
            assert_eq!(made.load(SeqCst), 1);
        });
    }
}

#[test]
pub(crate) fn if_the_maker_is_dropped_the_next_one_makes_the_value() {
    let cell = OnceCell::new();
    let maker = Task::waiting(cell.get_or_init(pending));
    let next = Task::waiting(cell.get_or_init(async || 2));
    let third = Task::waiting(cell.get_or_init(async || 3));
    assert_eq!((cell.get(), cell.set(4)), (None, Err(4)));
    drop(maker);
    assert_eq!(next.finish(), &2);
    assert_eq!(third.finish(), &2);
}

#[test]
pub(crate) fn if_the_maker_panics_the_next_one_makes_the_value() {
    let _watchdog = watchdog();
    let builder = Builder::new().worker_threads(2).unhandled_panic(UnhandledPanic::Ignore);
    builder
        .block_on(async {
            let (cell, makes) = (Arc::new(OnceCell::new()), flag());
            let maker = {
                let (cell, makes) = (cell.clone(), makes.clone());
                spawn(async move {
                    let make = async || {
                        makes.store(true, SeqCst);
                        yield_now().await;
                        panic!("boom")
                    };
                    *cell.get_or_init(make).await
                })
            };
            yield_until(|| makes.load(SeqCst)).await;
            let value = *cell.get_or_init(async || 2).await;
            assert!(maker.await.is_err());
            assert_eq!(value, 2);
        })
        .unwrap();
}

#[test]
pub(crate) fn if_the_maker_fails_it_gets_the_error_and_the_next_one_tries() {
    let cell = OnceCell::new();
    assert_eq!(now(cell.get_or_try_init(async || Err("no"))), Err("no"));
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(now(cell.get_or_try_init(async || Err("no"))), Ok(&1));
    assert_eq!(cell.set(2), Err(2));
}

#[test]
pub(crate) fn all_that_wait_go_on_when_the_value_is_there() {
    let cell = OnceCell::new();
    let (open, opened) = futures::channel::oneshot::channel();
    let mut maker = Task::waiting(cell.get_or_init(async || opened.await.unwrap()));
    let waits: Vec<_> = (0..10).map(|_| Task::waiting(cell.get_or_init(async || 0))).collect();
    open.send(7).unwrap();
    assert!(maker.poll().is_ready());
    for wait in waits {
        assert_eq!(wait.finish(), &7);
    }
}

#[test]
pub(crate) fn calls_with_the_same_key_share_one_run_and_others_do_not() {
    let group = singleflight::Group::new();
    let runs = AtomicUsize::new(0);
    let (open, opened) = futures::channel::oneshot::channel();
    let work = async || {
        runs.fetch_add(1, SeqCst);
        opened.await.unwrap()
    };
    let mut leader = Task::waiting(group.run("key", work));
    let followers: Vec<_> = (0..5).map(|_| Task::waiting(group.run("key", async || 0))).collect();
    assert_eq!(now(group.run("other", async || 1)), 1);
    open.send(7).unwrap();
    assert_eq!(leader.poll(), std::task::Poll::Ready(7));
    // The work is done, so this call begins anew.
    assert_eq!(now(group.run("key", async || 8)), 8);
    for follower in followers {
        assert_eq!(follower.finish(), 7);
    }
    assert_eq!(runs.load(SeqCst), 1);
}

#[test]
pub(crate) fn if_the_leader_is_dropped_a_follower_does_its_own_work() {
    let group = singleflight::Group::new();
    let leader = Task::waiting(group.run(1, pending));
    let follower = Task::waiting(group.run(1, async || "follower"));
    let other = Task::waiting(group.run(1, async || "other"));
    drop(leader);
    assert_eq!(follower.finish(), "follower");
    assert_eq!(other.finish(), "follower");
}

#[test]
pub(crate) fn if_all_callers_are_dropped_nothing_of_the_call_is_left() {
    let drops = Drops::new(1);
    #[derive(Clone)]
    struct Key(#[allow(dead_code)] Arc<Probe>);
    impl PartialEq for Key {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }
    impl Eq for Key {}
    impl Hash for Key {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }
    let group = singleflight::Group::<Key, ()>::new();
    let key = Key(Arc::new(drops.probe(0)));
    let (one, other) =
        (Task::waiting(group.run(key.clone(), pending)), Task::waiting(group.run(key, pending)));
    drop(one);
    assert!(!drops.all_dropped());
    drop(other);
    drops.assert_each_once("the key");
}

#[test]
pub(crate) fn a_forgotten_call_is_not_joined_and_keeps_its_followers() {
    let group = singleflight::Group::new();
    let (open, opened) = futures::channel::oneshot::channel();
    let mut old = Task::waiting(group.run(1, async || opened.await.unwrap()));
    let follower = Task::waiting(group.run(1, async || 0));
    group.forget(&1);
    let new = Task::waiting(group.run(1, pending));
    open.send(7).unwrap();
    assert!(old.poll().is_ready());
    assert_eq!(follower.finish(), 7);
    let second = Task::waiting(group.run(1, async || 9));
    drop(new);
    assert_eq!(second.finish(), 9);
}

/// A key that uses the group while it is compared.
#[test]
pub(crate) fn keys_are_compared_without_a_lock() {
    thread_local! {
        static COMPARED: Cell<usize> = const { Cell::new(0) };
    }
    static GROUP: LazyLock<singleflight::Group<Key, ()>> = LazyLock::new(singleflight::Group::new);
    #[derive(Clone, Copy)]
    struct Key;
    impl PartialEq for Key {
        fn eq(&self, _: &Self) -> bool {
            COMPARED.set(COMPARED.get() + 1);
            if COMPARED.get() == 1 {
                GROUP.forget(self);
            }
            true
        }
    }
    impl Eq for Key {}
    impl Hash for Key {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }
    let _watchdog = watchdog();
    let first = Task::waiting(GROUP.run(Key, pending));
    let second = Task::waiting(GROUP.run(Key, pending));
    assert!(COMPARED.get() >= 2);
    drop((first, second));
}

#[test]
pub(crate) fn calls_of_many_goroutines_end_whoever_of_them_is_aborted() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let group = Arc::new(singleflight::Group::new());
            let mut set = JoinSet::new();
            let mut aborted = Vec::new();
            for n in 0..200 {
                let group = group.clone();
                let call = async move {
                    let work = async || {
                        yield_now().await;
                        n % 4
                    };
                    assert_eq!(group.run(n % 4, work).await, n % 4);
                };
                if n % 3 == 0 {
                    aborted.push(spawn(call));
                } else {
                    set.spawn(call);
                }
            }
            yield_now().await;
            aborted.iter().for_each(gorun::JoinHandle::abort);
            set.join_all().await;
        });
    }
}

/// It is woken since the first attempt has failed, and finds that a newcomer was faster.
#[test]
pub(crate) fn one_that_was_overtaken_gets_the_value_and_makes_none() {
    let cell = OnceCell::new();
    let mut fails = Task::waiting(cell.get_or_try_init(async || {
        yield_now().await;
        Err::<u32, ()>(())
    }));
    let overtaken = Task::waiting(cell.get_or_init(async || 1));
    assert_eq!(fails.poll(), Poll::Ready(Err(())));
    assert_eq!(now(cell.get_or_init(async || 2)), &2);
    assert_eq!(overtaken.finish(), &2);
    assert_eq!(cell.get(), Some(&2));
}
