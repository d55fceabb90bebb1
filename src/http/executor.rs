//! `hyper`'s trait for what starts futures.

#![forbid(unsafe_code)]

use std::future::Future;

use hyper::rt::Executor;

use crate::handle::Handle;

/// Starts each as a goroutine of this runtime. A panic of one is unhandled, as that of any goroutine
/// without a handle.
impl<F> Executor<F> for Handle
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.start(async move { drop(future.await) });
    }
}
