//! Code of users that a cancellation runs: wakers, causes, values. It comes back in, or panics.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context as Cx, Poll, Wake, Waker};

use gorun::context::{CancelGuard, Context};

use super::{Wakes, background, children, poll};
use crate::common::*;

/// Calls a function when it is woken, and another one when its last clone is dropped.
struct Deed {
    woken: Box<dyn Fn() + Send + Sync>,
    dropped: Box<dyn Fn() + Send + Sync>,
}

impl Wake for Deed {
    fn wake(self: Arc<Self>) {
        (self.woken)();
    }
}

impl Drop for Deed {
    fn drop(&mut self) {
        (self.dropped)();
    }
}

/// What user code may do with a tree that is being cancelled.
fn meddle(root: &Context, cancel: &CancelGuard) {
    cancel.cancel();
    assert!(root.is_done());
    let (child, guard) = root.with_value(1).with_cancel();
    assert!(child.is_done());
    guard.cancel();
    assert!(poll(&mut child.done(), &Arc::<Wakes>::default()).is_ready());
}

#[test]
pub(crate) fn a_waker_that_comes_back_in_finds_no_lock_held_and_all_contexts_done() {
    let _watchdog = watchdog();
    let (root, cancel) = background().with_cancel();
    let cancel = Arc::new(cancel);
    let family: Arc<Vec<Context>> = Arc::new(
        children(&root, 20)
            .into_iter()
            .map(|(ctx, guard)| {
                guard.detach();
                ctx
            })
            .collect(),
    );
    let times = Arc::new(AtomicUsize::new(0));
    let deed = {
        let (root, cancel, family, times) =
            (root.clone(), cancel.clone(), family.clone(), times.clone());
        move || {
            times.fetch_add(1, SeqCst);
            meddle(&root, &cancel);
            assert!(family.iter().all(Context::is_done), "one below is not done yet");
        }
    };
    let mut waits: Vec<_> = family.iter().chain([&root]).map(Context::done).collect();
    for wait in &mut waits {
        let waker =
            Waker::from(Arc::new(Deed { woken: Box::new(deed.clone()), dropped: Box::new(|| {}) }));
        assert!(std::pin::Pin::new(wait).poll(&mut Cx::from_waker(&waker)).is_pending());
    }
    cancel.cancel();
    assert_eq!(times.load(SeqCst), 21);
}

#[test]
pub(crate) fn a_waker_that_is_dropped_with_a_wait_may_come_back_in() {
    let _watchdog = watchdog();
    let (root, cancel) = background().with_cancel();
    let cancel = Arc::new(cancel);
    let times = Arc::new(AtomicUsize::new(0));
    let dropped = {
        let (root, cancel, times) = (root.clone(), cancel.clone(), times.clone());
        move || {
            times.fetch_add(1, SeqCst);
            meddle(&root, &cancel);
        }
    };
    let deed = Deed { woken: Box::new(|| {}), dropped: Box::new(dropped) };
    let mut wait = root.done();
    {
        let waker = Waker::from(Arc::new(deed));
        assert!(std::pin::Pin::new(&mut wait).poll(&mut Cx::from_waker(&waker)).is_pending());
    }
    drop(wait);
    assert_eq!(times.load(SeqCst), 1);
}

#[test]
pub(crate) fn a_waker_that_panics_keeps_no_other_from_being_woken() {
    quiet();
    let (root, cancel) = background().with_cancel();
    let family = children(&root, 10);
    let wakes = Arc::<Wakes>::default();
    let mut waits: Vec<_> = family.iter().map(|(ctx, _)| ctx.done()).collect();
    for (n, wait) in waits.iter_mut().enumerate() {
        let panics = Deed { woken: Box::new(|| panic!("boom")), dropped: Box::new(|| {}) };
        let waker = match n % 2 {
            0 => Waker::from(Arc::new(panics)),
            _ => Waker::from(wakes.clone()),
        };
        assert!(std::pin::Pin::new(wait).poll(&mut Cx::from_waker(&waker)).is_pending());
    }
    cancel.cancel();
    assert_eq!(wakes.get(), 5);
    for wait in &mut waits {
        assert!(matches!(poll(wait, &wakes), Poll::Ready(_)));
    }
}

/// An error whose destructor calls something.
struct Back(Box<dyn Fn() + Send + Sync>);

impl Drop for Back {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("back")
    }
}

impl fmt::Debug for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Back")
    }
}

impl Error for Back {}

#[test]
pub(crate) fn a_cause_that_comes_back_in_when_it_is_dropped_finds_no_lock_held() {
    let _watchdog = watchdog();
    let (root, cancel) = background().with_cancel();
    let cancel = Arc::new(cancel);
    let times = Arc::new(AtomicUsize::new(0));
    let back = || {
        let (root, cancel, times) = (root.clone(), cancel.clone(), times.clone());
        Back(Box::new(move || {
            times.fetch_add(1, SeqCst);
            meddle(&root, &cancel);
        }))
    };
    // The cause of a child that goes with the child.
    let (child, guard) = root.with_cancel();
    let back_of_child = back();
    guard.cancel_with_cause(back_of_child);
    drop((child, guard));
    assert_eq!(times.load(SeqCst), 1);
    // One that comes too late.
    cancel.cancel_with_cause(back());
    assert_eq!(times.load(SeqCst), 2);
}

/// While its tree is cancelled from above, children with causes of their own lose their last users.
#[test]
pub(crate) fn a_child_that_goes_during_a_cancel_takes_its_cause_along_without_a_lock() {
    let _watchdog = watchdog();
    for _ in 0..50 {
        let (root, cancel) = background().with_cancel();
        let cancel = Arc::new(cancel);
        let family = children(&root, 50);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (child, guard) in family {
                    let (root, cancel) = (root.clone(), cancel.clone());
                    guard.cancel_with_cause(Back(Box::new(move || meddle(&root, &cancel))));
                    drop((child, guard));
                }
            });
            scope.spawn(|| cancel.cancel());
        });
    }
}

#[test]
pub(crate) fn a_value_that_comes_back_in_when_it_is_dropped_finds_no_lock_held() {
    let _watchdog = watchdog();
    let (root, cancel) = background().with_cancel();
    let ctx = {
        let root = root.clone();
        root.clone().with_value(Back(Box::new(move || meddle(&root, &cancel))))
    };
    assert!(ctx.value::<Back>().is_some());
    drop(ctx);
    assert!(root.is_done());
}

#[test]
pub(crate) fn a_value_whose_destructor_panics_lets_the_others_be_dropped() {
    let _watchdog = watchdog();
    let drops = Drops::new(2);
    let ctx = background()
        .with_value(drops.probe(0))
        .with_value(Back(Box::new(|| panic!("boom"))))
        .with_value(drops.probe(1));
    payload_of(std::panic::AssertUnwindSafe(|| drop(ctx)));
    drops.assert_each_once("values");
}

/// A goroutine wakes so many. At the end of main it must not forget those that it has not reached.
#[test]
pub(crate) fn many_that_wait_elsewhere_are_all_woken_though_the_runtime_ends_at_once() {
    let _watchdog = watchdog();
    const MANY: usize = 1000;
    for workers in super::WORKERS {
        for _ in 0..20 {
            let (root, cancel) = background().with_cancel();
            let family = children(&root, MANY);
            let wakes: Vec<_> = (0..MANY).map(|_| Arc::<Wakes>::default()).collect();
            let mut waits: Vec<_> = family.iter().map(|(ctx, _)| ctx.done()).collect();
            for (wait, wakes) in waits.iter_mut().zip(&wakes) {
                assert!(poll(wait, wakes).is_pending());
            }
            run(workers, async move { cancel.cancel() });
            assert!(wakes.iter().all(|wakes| wakes.get() == 1));
        }
    }
}

/// Outside of a runtime there is no goroutine for it.
#[test]
pub(crate) fn many_are_woken_at_once_outside_a_runtime() {
    let (root, cancel) = background().with_cancel();
    let wakes = Arc::<Wakes>::default();
    let mut waits: Vec<_> = (0..1000).map(|_| root.done()).collect();
    for wait in &mut waits {
        assert!(poll(wait, &wakes).is_pending());
    }
    cancel.cancel();
    assert_eq!(wakes.get(), 1000);
}
