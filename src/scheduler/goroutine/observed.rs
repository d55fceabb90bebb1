//! A goroutine's future with full diagnostics (`diagnostics/mod.rs`).
//!
//! It is polled with a [`Link`] instead of the goroutine's own waker. While that poll goes on, the link *is* the
//! goroutine's own waker for all of gorun: the context has its address and its functions instead. So the budget, timers
//! and channels treat it as they treat the other, and what a goroutine does is the same with and without.
//!
//! The future is boxed, as one of any type: otherwise each `spawn` would be compiled twice.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use crate::scheduler::context;
use crate::scheduler::diagnostics::record::Record;
use crate::scheduler::diagnostics::{Diagnostics, Link, Suspended};
use crate::scheduler::goroutine::spawn_site::SpawnSite;

pub(super) struct Observed<T> {
    /// `None` only during the drop.
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    diagnostics: Arc<Diagnostics>,
    /// From the first poll on.
    own: Option<Own>,
}

struct Own {
    /// Of the allocation.
    address: usize,
    /// A [`Link`]: the only handle to it that the goroutine holds.
    waker: Waker,
    record: Arc<Record>,
    polls: u64,
    /// The diagnostics know it, since its first suspension.
    suspended: Option<Suspended>,
    is_known: bool,
}

/// The functions of a [`Link`], as those of a goroutine's waker.
static LINKS: OnceLock<SpawnSite> = OnceLock::new();

impl<T> Observed<T> {
    #[cold]
    pub(super) fn new(
        future: impl Future<Output = T> + Send + 'static,
        diagnostics: &Arc<Diagnostics>,
    ) -> Self {
        Observed { future: Some(Box::pin(future)), diagnostics: diagnostics.clone(), own: None }
    }
}

impl Own {
    fn new(waker: &Waker) -> Self {
        let link = Link::new(waker.clone());
        let record = Arc::new(Record::new());
        let (waker_of, link_of) = (waker.clone(), Arc::downgrade(&link));
        let suspended = Suspended { waker: waker_of, record: record.clone(), link: link_of };
        Own {
            address: waker.data().addr(),
            waker: Waker::from(link),
            record,
            polls: 0,
            suspended: Some(suspended),
            is_known: false,
        }
    }
}

impl Own {
    /// Calls `f`, in which this waker is the goroutine's own.
    fn as_waker_here<R>(&self, f: impl FnOnce() -> R) -> R {
        let links = LINKS.get_or_init(|| SpawnSite::of_wakers_like(&self.waker));
        context::with_own_waker(&self.waker, links, f)
    }
}

impl<T> Future for Observed<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Observed { future, diagnostics, own } = self.get_mut();
        let own = own.get_or_insert_with(|| Own::new(cx.waker()));
        own.polls += 1;
        own.record.begin_poll(own.polls);
        let future = future.as_mut().expect("it is dropped last");
        let mut cx = Context::from_waker(&own.waker);
        let polled = own.as_waker_here(|| future.as_mut().poll(&mut cx));
        if polled.is_pending() {
            own.record.end_poll(diagnostics.now());
            if let Some(suspended) = own.suspended.take() {
                diagnostics.add(own.address, suspended);
                own.is_known = true;
            }
            context::note_pending(&own.record, own.polls);
        }
        polled
    }
}

impl<T> Drop for Observed<T> {
    fn drop(&mut self) {
        let Some(own) = &self.own else { return };
        if own.is_known {
            self.diagnostics.remove(own.address);
        }
        // Its destructors, too, find this waker to be the goroutine's.
        own.as_waker_here(|| drop(self.future.take()));
    }
}
