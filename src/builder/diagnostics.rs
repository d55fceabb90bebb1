//! `Builder`'s setting for full diagnostics.

#![forbid(unsafe_code)]

use super::Builder;

impl Builder {
    /// Sets whether [dumps](crate::dump) and the reports of deadlocks and of goroutines that are left say for how long
    /// each goroutine has been waiting, and which of them nobody can wake. The default is the environment
    /// variable `GORUN_DIAGNOSTICS`: `full` or `off`; if that is not set, they do not.
    ///
    /// A goroutine *waits* since its last poll. *Nobody can wake it* if what it waits for has kept no waker of
    /// it: a future that was written by hand has returned pending and forgotten the waker, for one. Then it
    /// stays there until it is aborted or main ends. This is exact: gorun says it of no goroutine that somebody
    /// could still wake. But who has a waker may never use it, so of goroutines that are not marked some may wait in
    /// vain as well. Main, and what a `block_on` runs, have no such mark.
    ///
    /// What goroutines do is the same with and without. Each takes 200 to 300 ns more, some 270 bytes more if it ever
    /// waits, and some tens of nanoseconds more for each poll. Without this setting it costs nothing.
    ///
    /// Go counterpart: the minutes in the stacks that a program prints on `SIGQUIT`, as in `[chan receive, 3
    /// minutes]`; and the goroutine leak profile, by which the garbage collector finds those that nobody can wake.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{Builder, Handle, spawn};
    /// use std::future::poll_fn;
    /// use std::task::Poll;
    ///
    /// Builder::new().full_diagnostics(true).block_on(async {
    ///     // It keeps no waker.
    ///     let lost = spawn(poll_fn(|_cx| Poll::<()>::Pending));
    ///     let lost = lost.abort_on_drop();
    ///     let dump = loop {
    ///         let dump = Handle::current().dump();
    ///         if dump.groups().iter().any(|group| group.orphans == 1) {
    ///             break dump;
    ///         }
    ///         gorun::yield_now().await;
    ///     };
    ///     assert!(dump.groups()[0].longest.is_some());
    ///     assert!(dump.to_string().contains("; nobody can wake it"));
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn full_diagnostics(mut self, full: bool) -> Self {
        self.full_diagnostics = Some(full);
        self
    }
}
