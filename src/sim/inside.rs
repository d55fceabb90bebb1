//! What code inside a simulation asks of it.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::clock;
use crate::primitives::{AtomicBool, Ordering};
use crate::scheduler::context;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::state::Simulation;

/// Calls `f` with the simulation that the calling code is in.
#[track_caller]
pub(super) fn with_simulation<R>(what: &str, f: impl FnOnce(&Simulation) -> R) -> R {
    with_scheduler(what, |scheduler| f(scheduler.simulation().expect("it is simulated")))
}

/// The same with its runtime.
#[track_caller]
pub(super) fn with_scheduler<R>(what: &str, f: impl FnOnce(&Arc<Scheduler>) -> R) -> R {
    context::with_inside(|context| {
        let scheduler = context.map(|context| &context.scheduler);
        match scheduler.filter(|scheduler| scheduler.simulation_here().is_some()) {
            Some(scheduler) => f(scheduler),
            None => panic!("`{what}` was called outside of a simulation; `Sim::check` runs one"),
        }
    })
}

/// Waits until all others wait: until nobody can run, and only time could go on. The clock stands still.
///
/// If several wait for that, all of them go on.
///
/// **Cancellation**: dropping the future has no effect on others.
///
/// Go counterpart: `synctest.Wait`.
///
/// # Panics
///
/// Outside of a simulation.
///
/// # Examples
///
/// ```
/// use gorun::sim::{self, Sim};
/// use gorun::{channel, go};
///
/// Sim::new().schedules(100).check(|| async {
///     let (tx, rx) = channel(8);
///     go!(async move { for n in 0..3 { tx.send(n).await.unwrap() } });
///     sim::settle().await;
///     assert_eq!(rx.len(), 3);
/// });
/// ```
#[track_caller]
pub fn settle() -> impl Future<Output = ()> + Send {
    with_simulation("sim::settle", |_| ());
    let is_rest = Arc::new(AtomicBool::new(false));
    poll_fn(move |cx| {
        if is_rest.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        with_simulation("sim::settle", |simulation| simulation.settle(&is_rest, cx.waker()));
        Poll::Pending
    })
}

/// How much time has passed in this run.
///
/// Go counterpart: `time.Since`, inside `synctest.Test`.
///
/// # Panics
///
/// Outside of a simulation.
///
/// # Examples
///
/// See [`Sim`](super::Sim).
#[track_caller]
pub fn elapsed() -> Duration {
    with_simulation("sim::elapsed", |simulation| clock::now() - simulation.settings.start)
}
