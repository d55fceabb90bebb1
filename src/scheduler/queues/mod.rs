//! Where tasks wait: a worker's own run queue, and the injector for pushes from other threads.

pub(crate) mod injector;
pub(crate) mod prefetch;
pub(crate) mod run_queue;
