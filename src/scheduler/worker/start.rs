//! Starting a worker's thread.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::thread;

use crate::scheduler::shared::Scheduler;
use crate::scheduler::worker::run_loop;

impl Scheduler {
    /// Starts one more worker, if there are fewer than `limit`, spares included.
    pub(crate) fn start_worker(self: &Arc<Self>, limit: usize) -> io::Result<()> {
        let worker = self.threads.reserve(limit, |index| self.make_worker(index))?;
        self.idle.worker_added();
        let index = worker.index;
        let name = [&self.config.thread_name, "-", &index.to_string()].concat();
        let mut builder = thread::Builder::new().name(name);
        if let Some(bytes) = self.config.stack_size {
            builder = builder.stack_size(bytes);
        }
        let started = self.threads.spawn(builder, Some(index), {
            let (scheduler, worker) = (self.clone(), worker.clone());
            move || run_loop::thread_main(scheduler, worker)
        });
        let handle = started.inspect_err(|_| {
            self.idle.worker_removed(&worker.parker);
            self.threads.release(Some(index));
        })?;
        self.threads.note(index, handle);
        Ok(())
    }
}
