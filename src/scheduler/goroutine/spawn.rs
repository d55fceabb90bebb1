//! Spawning a goroutine: counting it, allocating it, pushing it.

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use crate::scheduler::context::Context;
use crate::scheduler::goroutine::task::{self, Spawned};
use crate::scheduler::queues::injector::thread_number;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::{Phase, SHARDS, Scheduler};

impl Scheduler {
    /// Starts a goroutine. If the runtime is closed, drops the future and returns `None`.
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> Option<Spawned<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let context = context.filter(|context| context.belongs_to(Arc::as_ptr(self)));
        let (task, spawned) = self.allocate(context, future, spawned_at)?;
        self.push_spawned(context, task);
        Some(spawned)
    }

    /// Starts a goroutine without a handle.
    pub(crate) fn detach<F>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let context = context.filter(|context| context.belongs_to(Arc::as_ptr(self)));
        if let Some((task, spawned)) = self.allocate(context, future, spawned_at) {
            drop(spawned);
            self.push_spawned(context, task);
        }
    }

    fn allocate<F>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> Option<(RawTask, Spawned<F::Output>)>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.count_spawn(context) {
            return Some(task::allocate(self, future, spawned_at));
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
            self.main.unhandled(payload, Some(spawned_at));
        }
        None
    }

    /// Counts a goroutine about to be spawned, unless the runtime is closed.
    #[inline]
    fn count_spawn(&self, context: Option<&Context>) -> bool {
        // Inside a poll the worker's own counts suffice, as `live_count.rs` explains.
        let inside = context.filter(|context| context.polling.get().is_some());
        if let Some(worker) = inside.and_then(Context::worker) {
            if self.phase() >= Phase::Closed {
                return false;
            }
            worker.live_count.count_spawned();
            return true;
        }
        if self.phase() >= Phase::Closed {
            return false;
        }
        let outside = &self.live_count_outside[thread_number() % SHARDS];
        outside.count_spawned_outside();
        if self.phase() >= Phase::Closed {
            outside.count_refused_outside();
            return false;
        }
        true
    }
}
