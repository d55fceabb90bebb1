//! How a `Builder` shows itself.

#![forbid(unsafe_code)]

use std::fmt;

use super::Builder;

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Builder");
        debug
            .field("worker_threads", &self.workers)
            .field("thread_name", &self.thread_name)
            .field("thread_stack_size", &self.stack_size)
            .field("exit_grace", &self.exit_grace)
            .field("report_left_behind", &self.reports_left_behind)
            .field("unhandled_panic", &self.unhandled_panic)
            .field("max_threads", &self.max_threads)
            .field("trace", &self.trace.events)
            .field("trace_file", &self.trace.file)
            .field("full_diagnostics", &self.full_diagnostics)
            .field("on_blocked", &self.on_blocked.as_ref().map(|_| "a function"))
            .field("on_thread_start", &self.hooks.start.as_ref().map(|_| "a function"))
            .field("on_thread_stop", &self.hooks.stop.as_ref().map(|_| "a function"));
        #[cfg(feature = "tokio")]
        debug.field("tokio", &self.tokio);
        debug.finish()
    }
}
