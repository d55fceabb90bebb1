//! Where tasks wait: a worker's own queue, and the injector for everybody else's pushes.

pub(crate) mod injector;
pub(crate) mod prefetch;
pub(crate) mod run_queue;
