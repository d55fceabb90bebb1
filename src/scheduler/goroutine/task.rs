//! A goroutine in its `async-task` allocation: the wrapper around the user's future.
//!
//! ```text
//!                       ┌────────────── woken while running: back of the queue ─────────┐
//!                       ▼                                                               │
//!  spawn ──► queued ──► polled ──► Pending ──► suspended, in the registry ──► woken ──► queued
//!                       │                                                               ▲
//!                       └──► completed: future dropped, left the registry, counted      │
//!                            then: result to the handle, awaiter woken      abort, exit ┘
//! ```
//!
//! `async-task` aborts the process when a destructor panics inside it. It panics in the task that
//! awaits another one whose `Runnable` was dropped. It has no `cancel` by reference. The wrapper
//! makes up for all three. It catches panics of polls and destructors, and drops the user's future
//! itself before it completes. Cancelling, by `abort` or by exit, is a flag plus one more poll, in
//! which the wrapper drops the future instead of polling it. We never close a task and never drop a
//! `Runnable`.
//!
//! The wrapper checks the flags before the poll *and* after it. So if exit leaves a goroutine
//! behind and it suspends later, the wrapper drops the future there and then.
//!
//! # Why a waker may outlive the runtime
//!
//! The metadata has the number of the scheduler, by which its address is found (`runtime_id.rs`), without
//! owning it: owning costs two contended read-modify-writes for each goroutine. The schedule function may
//! dereference that address for these reasons:
//!
//! 1. `async-task` calls it with a `Runnable`, which exists only for a goroutine that has not
//!    completed. The state word of `async-task` makes a `wake` on a completed one do nothing.
//! 2. Every goroutine is counted before its allocation exists, and counted out when it completes.
//!    `block_on` owns a reference to the scheduler. It drops the reference only after it has seen
//!    that all are counted out (see `live_count.rs`) or, if it leaves goroutines behind, never.
//! 3. So the scheduler lives while the function holds the `Runnable`. Before the push gives the
//!    `Runnable` away, a thread that is not inside this runtime takes a reference of its own. It
//!    keeps that until the push and the notification are over. A thread inside the runtime has one
//!    already.
//!
//! Modelled in `tests/models/models.rs`.
//!
//! Rejected:
//!
//! - The argument "a closed task cannot be woken": the push may still be going on when another
//!   thread has run and freed its `Runnable`. That is the use after free that async-executor fixed
//!   in 1.14.1.
//! - Counting pushes in and out and waiting for them at exit: exit would wait for outside threads.
//! - Recycling schedulers for ever: a leak by design.

#![allow(unsafe_code)]

use std::future::Future;
use std::mem::{ManuallyDrop, needs_drop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::{Poll, Waker};

use async_task::{Builder, Runnable, ScheduleInfo, Task, WithInfo};

use crate::panics::Payload;
use crate::scheduler::context::{self, Context};
use crate::scheduler::goroutine::entry::{Entry, METADATA_OFFSET};
use crate::scheduler::goroutine::meta::{Meta, Shared, State};
use crate::scheduler::goroutine::outcome::Outcome;
use crate::scheduler::goroutine::registry::RegistryKey;
use crate::scheduler::goroutine::runtime_id;
use crate::scheduler::goroutine::spawn_site::{SpawnSite, WakerKind};
use crate::scheduler::main::main_guard::GivenUp;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::worker::Worker;

/// A goroutine as its handle holds it: one word.
///
/// Dropping it detaches the goroutine, and drops its result, now or when it completes.
pub(crate) struct Spawned<T> {
    /// Dropping this would cancel the goroutine in `async-task`'s own way.
    task: ManuallyDrop<Task<Outcome<T>, Meta>>,
}

impl<T> Drop for Spawned<T> {
    #[inline]
    fn drop(&mut self) {
        let site = self.meta().site();
        // SAFETY: nothing uses `self.task` after this.
        // Exercised by `soundness::handles_polled_elsewhere`.
        let task = unsafe { ManuallyDrop::take(&mut self.task) };
        if needs_drop::<T>() {
            context::with_result_of(site.spawned_at, || task.detach());
        } else {
            task.detach();
        }
    }
}

impl<T> Spawned<T> {
    #[inline]
    pub(crate) fn meta(&self) -> &Meta {
        self.task.metadata()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    #[inline]
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Outcome<T>> {
        Pin::new(&mut *self.task).poll(&mut std::task::Context::from_waker(waker))
    }

    /// Drops the waker of the last poll. The goroutine would keep it, even once detached, until it
    /// gets another one: here one that does nothing.
    #[cold]
    pub(crate) fn clear_waker(&mut self) -> Poll<Outcome<T>> {
        self.poll(Waker::noop())
    }

    pub(crate) fn abort(&self) {
        self.meta().abort(&self.waker());
    }

    pub(crate) fn task_ref(&self) -> TaskRef {
        TaskRef { waker: Waker::clone(&self.waker()), meta: Shared(NonNull::from(self.meta())) }
    }

    /// The goroutine's waker, which owns no reference.
    fn waker(&self) -> ManuallyDrop<Waker> {
        let meta = self.meta();
        let kind = meta.site().waker.get().expect("`allocate` has set it");
        let address = ptr::from_ref(meta).addr() - kind.metadata_offset;
        let data = ptr::with_exposed_provenance(address);
        // SAFETY: `allocate` has seen that a goroutine of this type has wakers with this vtable,
        // and that their data is the address that it has exposed. `self` keeps the allocation
        // alive. The waker is not dropped, so it does not release a reference that it does not own.
        // Exercised by `soundness::odd_layouts`.
        ManuallyDrop::new(unsafe { Waker::new(data, kind.vtable) })
    }
}

/// A goroutine as abort handles refer to it.
#[derive(Clone)]
pub(crate) struct TaskRef {
    waker: Waker,
    /// Lies in the allocation that `waker` keeps alive.
    meta: Shared<Meta>,
}

impl TaskRef {
    pub(crate) fn abort(&self) {
        self.meta().abort(&self.waker);
    }

    fn meta(&self) -> &Meta {
        // SAFETY: `waker` owns a reference to the allocation that holds the metadata, so the
        // metadata lives as long as `self`.
        // Exercised by `soundness::abort_handles_anywhere`.
        unsafe { self.meta.0.as_ref() }
    }
}

/// Allocates a goroutine that has been counted. The caller must queue the `RawTask`.
#[inline]
pub(crate) fn allocate<F>(
    scheduler: &Arc<Scheduler>,
    future: F,
    spawned_at: &'static Location<'static>,
) -> (RawTask, Spawned<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = SpawnSite::of::<F>(spawned_at);
    let (runnable, task) = Builder::new()
        .propagate_panic(false)
        .metadata(Meta::new(scheduler.id.get(), site))
        .spawn(move |_| Goroutine { future: ManuallyDrop::new(future) }, WithInfo(schedule));
    site.waker.get_or_init(|| waker_kind(&runnable));
    (into_raw_task(runnable), Spawned { task: ManuallyDrop::new(task) })
}

#[cold]
fn waker_kind(runnable: &Runnable<Meta>) -> WakerKind {
    let waker = runnable.waker();
    let metadata_offset = ptr::from_ref(runnable.metadata()).addr() - waker.data().addr();
    let of_others = *METADATA_OFFSET.get_or_init(|| metadata_offset);
    assert_eq!(metadata_offset, of_others, "the layout of `async-task` has changed");
    WakerKind { vtable: waker.vtable(), metadata_offset }
}

/// Turns a `Runnable` into what a queue holds.
#[inline]
fn into_raw_task(runnable: Runnable<Meta>) -> RawTask {
    runnable.into_raw().as_ptr().expose_provenance()
}

/// `async-task` calls this when a goroutine was woken. On a thread of this runtime `push.rs`
/// chooses the queue; any other thread injects. A function item is zero-sized, so nothing is cloned
/// for it.
fn schedule(runnable: Runnable<Meta>, info: ScheduleInfo) {
    // Before the push: after it, another thread may run, complete and free the goroutine.
    let runtime = runnable.metadata().runtime();
    runnable.metadata().activity.set_queued();
    let elsewhere = context::with_inside(|context| match context {
        Some(context) if context.runtime == runtime => {
            let task = match context.sees_queued.get() {
                false => into_raw_task(runnable),
                true => see_woken(context, runnable),
            };
            context.scheduler.push_woken(context, task, info.woken_while_running);
            None
        }
        _ => Some(runnable),
    });
    if let Some(runnable) = elsewhere {
        schedule_from_outside(runnable, runtime);
    }
}

// A call of its own, so that a wake inside the runtime saves no registers for it.
#[inline(never)]
fn schedule_from_outside(runnable: Runnable<Meta>, runtime: u32) {
    let scheduler = runtime_id::address_of(runtime);
    let scheduler = ptr::with_exposed_provenance::<Scheduler>(scheduler);
    // SAFETY: the scheduler is alive, for the reasons at the top of this file, and `Arc::new` made it.
    // The number is of no other runtime meanwhile, and `set_address` was given the exposed address of
    // its `Arc`.
    // Exercised by `soundness::wakes_from_outside`, `soundness::wakes_while_main_returns`.
    unsafe { Arc::increment_strong_count(scheduler) };
    // SAFETY: this is the reference just taken. Exercised by `soundness::wakes_from_outside`.
    let scheduler = unsafe { Arc::from_raw(scheduler) };
    let task = into_raw_task(runnable);
    scheduler.record(EventKind::Woken, task, 0);
    scheduler.inject(task);
}

#[cold]
#[inline(never)]
fn see_woken(context: &Context, runnable: Runnable<Meta>) -> RawTask {
    let meta = runnable.metadata();
    let offset = METADATA_OFFSET.get().expect("a goroutine has been allocated");
    let task = ptr::from_ref(meta).addr() - offset;
    context.see_queued(EventKind::Woken, task, 0, meta);
    into_raw_task(runnable)
}

/// Polls a goroutine that a queue gave out. The caller is `worker`.
///
/// `async-task` calls `poll` with a waker and nothing else. So this leaves in the context what the
/// poll needs. Calls `begin` first, which may set another budget, or abort the goroutine.
#[inline]
pub(crate) fn run(
    task: RawTask,
    context: &Context,
    worker: &Worker,
    begin: impl FnOnce(&Meta),
) -> Polled {
    let address = ptr::with_exposed_provenance_mut(task);
    let address = NonNull::new(address).expect("queues hold no null");
    // SAFETY: every address in a queue comes from `into_raw_task`, and queues give each out once
    // (their contract, which is model-checked). So this undoes one `into_raw` with the same
    // metadata type.
    // Exercised by `soundness::queues_under_stealing`.
    let runnable = unsafe { Runnable::<Meta>::from_raw(address) };
    let site = runnable.metadata().site();
    context.budget.refill();
    begin(runnable.metadata());
    worker.begin_poll(site);
    context.polling.set(Some(NonNull::from(runnable.metadata())));
    // `async-task` uses this address as the data of its wakers.
    context.waker_data.set(address.as_ptr());
    context.site.set(Some(site));
    context.wait.set(None);
    runnable.metadata().activity.set_running();
    let is_queued = runnable.run();
    let is_suspended = context.polling.take().is_some();
    worker.end_poll();
    Polled { is_suspended, is_queued }
}

/// What has become of a goroutine that was polled.
pub(crate) struct Polled {
    /// It has not completed.
    pub(crate) is_suspended: bool,
    /// It was woken meanwhile, and so it was queued again.
    pub(crate) is_queued: bool,
}

/// The wrapper around the future, which it drops before it completes. (An `Option` would take a word more.)
struct Goroutine<F> {
    future: ManuallyDrop<F>,
}

impl<F: Future> Future for Goroutine<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        context::with_inside(|context| {
            let context = context.expect("goroutines are polled by workers");
            let meta = context.polling.get().expect("`run` has set it");
            // SAFETY: `run` has just set it to the metadata of the allocation that holds this
            // future. The `Runnable` being run keeps that allocation alive until this poll has
            // returned.
            // Exercised by `soundness::futures_moved_between_threads`.
            let meta = unsafe { meta.as_ref() };
            let outcome = self.poll_or_cancel(context, meta, cx);
            if outcome.is_ready() {
                complete(context, meta);
                if needs_drop::<F::Output>() {
                    // `async-task` may drop the output now.
                    context.dropping_result_of.set(Some(meta.spawned_at()));
                }
            }
            outcome
        })
    }
}

impl<F: Future> Goroutine<F> {
    fn poll_or_cancel(
        mut self: Pin<&mut Self>,
        context: &Context,
        meta: &Meta,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        let panicked = |payload: Payload| {
            if payload.is::<GivenUp>() {
                return Outcome::cancelled(meta.spawned_at());
            }
            record_end(context, meta, EventKind::Panicked);
            Outcome::panicked(payload, &context.scheduler.main, meta.spawned_at())
        };
        let state = meta.state();
        if state.is_aborted_or_marked() || context.scheduler.is_closing() {
            if state.is_marked() {
                context.end_sample(meta);
            }
            if is_cancelled(context, state) {
                return Poll::Ready(self.cancel(context, meta));
            }
        }
        let polled = catch_unwind(AssertUnwindSafe(|| self.as_mut().future().poll(cx)));
        let outcome = match polled {
            Ok(Poll::Pending) => {
                let state = meta.state();
                let stays = !is_cancelled(context, state)
                    && (state.key().is_some() || register(context, meta, cx.waker()));
                if !stays {
                    return Poll::Ready(self.cancel(context, meta));
                }
                meta.activity.set_waiting(context.wait.get());
                return Poll::Pending;
            }
            Ok(Poll::Ready(value)) => Outcome::value(value),
            Err(payload) => panicked(payload),
        };
        Poll::Ready(match self.drop_future() {
            Ok(()) => outcome,
            Err(payload) => context::with_result_of(meta.spawned_at(), || {
                outcome.then_panicked(panicked(payload))
            }),
        })
    }

    /// Drops the future instead of polling it again.
    #[cold]
    fn cancel(self: Pin<&mut Self>, context: &Context, meta: &Meta) -> Outcome<F::Output> {
        record_end(context, meta, EventKind::Cancelled);
        context.dropping_at_exit.set(context.scheduler.is_closing());
        let dropped = self.drop_future();
        context.dropping_at_exit.set(false);
        match dropped {
            Ok(()) => Outcome::cancelled(meta.spawned_at()),
            Err(payload) => Outcome::panicked(payload, &context.scheduler.main, meta.spawned_at()),
        }
    }

    fn future(self: Pin<&mut Self>) -> Pin<&mut F> {
        // SAFETY: the future is pinned with the wrapper: nothing moves it out, it is dropped where it is, and the
        // wrapper has no destructor and is `Unpin` only if the future is.
        // Exercised by `soundness::futures_moved_between_threads`.
        unsafe { self.map_unchecked_mut(|wrapper| &mut *wrapper.future) }
    }

    /// For the poll that completes the goroutine.
    fn drop_future(self: Pin<&mut Self>) -> std::thread::Result<()> {
        // SAFETY: nothing is moved out of it: the future is dropped where it is. Nor is its memory freed without that: no
        // task is closed and no `Runnable` dropped (above), and `poll` does not unwind.
        // Exercised by `soundness::futures_moved_between_threads`.
        let wrapper = unsafe { self.get_unchecked_mut() };
        let drop = || {
            // SAFETY: each way to `Ready` comes here once, and `async-task` does not poll a goroutine that has
            // completed. So the future is dropped once, and not used afterwards.
            // Exercised by `soundness::futures_moved_between_threads`.
            unsafe { ManuallyDrop::drop(&mut wrapper.future) }
        };
        catch_unwind(AssertUnwindSafe(drop))
    }
}

#[cold]
fn record_end(context: &Context, meta: &Meta, kind: EventKind) {
    if context.scheduler.trace.is_some() {
        context.record(kind, context.waker_data.get().addr(), meta.site().address());
    }
}

#[inline]
fn is_cancelled(context: &Context, state: State) -> bool {
    state.is_aborted() || context.scheduler.is_closing()
}

/// Enters the registry, at the first suspension. Returns `false` if the registry is closed.
fn register(context: &Context, meta: &Meta, waker: &Waker) -> bool {
    let worker = context.worker().expect("goroutines are polled by workers");
    match context.scheduler.registry.register(worker.index, Entry::of(waker.clone())) {
        Ok(key) => meta.set_key(key),
        Err(_closed) => return false,
    }
    true
}

/// Removes a completed goroutine, whose future is gone, from the registry and the count.
#[inline]
fn complete(context: &Context, meta: &Meta) {
    if let Some(key) = meta.state().key() {
        deregister(context, key);
    }
    context.polling.set(None);
    let worker = context.worker().expect("goroutines are polled by workers");
    worker.live_count.count_finished();
}

/// Leaves the registry. Never inline: a goroutine that has not waited would save registers for this.
#[inline(never)]
fn deregister(context: &Context, key: RegistryKey) {
    drop(context.scheduler.registry.deregister(key));
}
