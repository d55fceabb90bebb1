//! `Handle::enter`: a runtime for calls that need one, on a thread outside.

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::handle::Handle;
use crate::scheduler::context;
use crate::scheduler::entered::{self, EntryId};

impl Handle {
    /// Enters this runtime on the calling thread, as long as the guard lives. Calls there that
    /// need a runtime, and are inside none, use this one: [`spawn`](crate::spawn),
    /// [`go!`](crate::go!), timers, [`Handle::current`],
    /// [`num_goroutines`](crate::num_goroutines). A free [`block_on`](crate::block_on) then drives
    /// its future inside this runtime, as [`Handle::block_on`] does, instead of starting one.
    ///
    /// Guards nest: the last one that is alive counts. They may be dropped in any order. A guard
    /// does not keep the runtime alive, and cannot move to another thread.
    ///
    /// Inside a `block_on`, its runtime is the current one, and a guard of the same runtime
    /// changes nothing.
    ///
    /// Go counterpart: none; see [`Handle`]. tokio counterpart: `Handle::enter`, whose guards must be
    /// dropped in the reverse order.
    ///
    /// # Panics
    ///
    /// Inside another runtime: in its main, its goroutines, or a `block_on` there. Call `spawn` or
    /// `block_on` of the handle instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::{Handle, block_on, spawn, time};
    ///
    /// block_on(async {
    ///     let runtime = Handle::current();
    ///     let thread = std::thread::spawn(move || {
    ///         let _guard = runtime.enter();
    ///         let sleep = time::sleep(Duration::from_millis(1));
    ///         let answer = spawn(async move {
    ///             sleep.await;
    ///             42
    ///         });
    ///         block_on(answer).unwrap()
    ///     });
    ///     assert_eq!(thread.join().unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn enter(&self) -> EnterGuard {
        let is_inside_another = context::with_inside(|context| {
            context.is_some_and(|context| !context.belongs_to(Arc::as_ptr(self.scheduler())))
        });
        assert!(
            !is_inside_another,
            "`enter` was called inside another gorun runtime, whose own spawns would go astray; use \
             `spawn` or `block_on` of the handle instead"
        );
        EnterGuard { id: entered::push(self.scheduler().clone()), _stays: PhantomData }
    }
}

/// Keeps a runtime entered: see [`Handle::enter`].
#[must_use = "the runtime is left when the guard is dropped"]
pub struct EnterGuard {
    /// `None` if the thread was about to end.
    id: Option<EntryId>,
    /// It belongs to its thread.
    _stays: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            entered::remove(id);
        }
    }
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
