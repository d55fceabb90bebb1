//! Spawning a goroutine: counting it, allocating it, pushing it.

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use crate::scheduler::context::Context;
use crate::scheduler::goroutine::meta::Meta;
use crate::scheduler::goroutine::observed::Observed;
use crate::scheduler::goroutine::span;
use crate::scheduler::goroutine::task::{self, Spawned};
use crate::scheduler::queues::injector::thread_shard_number;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::{Phase, SHARDS, Scheduler};
use crate::scheduler::trace::event::EventKind;

impl Scheduler {
    /// Starts a goroutine. If the runtime is closed, drops the future instead. Before the goroutine
    /// can run, `keep` gets it, or `None`. Returns what `keep` makes of it.
    pub(crate) fn spawn<F, R>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
        keep: impl FnOnce(Option<Spawned<F::Output>>) -> R,
    ) -> R
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let context = context.filter(|context| context.belongs_to(Arc::as_ptr(self)));
        if !self.count_spawn(context) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
                self.main.unhandled(payload, Some(spawned_at));
            }
            return keep(None);
        }
        let future = span::around(future, spawned_at);
        let sees = context.map_or(self.sees, |context| context.sees_queued.get());
        let diagnostics = if sees { self.diagnostics.as_ref() } else { None };
        let (task, spawned) = match diagnostics {
            None => task::allocate(self, future, spawned_at),
            Some(diagnostics) => {
                task::allocate(self, Observed::new(future, diagnostics), spawned_at)
            }
        };
        if sees {
            self.see_spawned(context, task, spawned.meta());
        }
        let kept = keep(Some(spawned));
        self.push_spawned(context, task);
        kept
    }

    #[cold]
    #[inline(never)]
    fn see_spawned(&self, context: Option<&Context>, task: RawTask, meta: &Meta) {
        let site = meta.site().address();
        match context {
            Some(context) => context.see_queued(EventKind::Spawned, task, site, meta),
            None => self.record(EventKind::Spawned, task, site),
        }
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
        let outside = &self.live_count_outside[thread_shard_number() % SHARDS];
        outside.count_spawned_outside();
        if self.phase() >= Phase::Closed {
            outside.count_refused_outside();
            return false;
        }
        true
    }
}
