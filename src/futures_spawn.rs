//! A runtime as an executor of the `futures` crate.

#![forbid(unsafe_code)]

use futures_task::{FutureObj, Spawn, SpawnError};

use crate::handle::Handle;

/// For libraries that are given something to spawn on: `SpawnExt` of the `futures` crate adds `spawn`
/// and `spawn_with_handle` to this.
///
/// A future that is spawned so has no handle of gorun's. So its panic is *unhandled* (see
/// [`UnhandledPanic`](crate::UnhandledPanic)), except with `spawn_with_handle`, whose handle resumes
/// it. A report names the place in the library that calls `spawn_obj`.
///
/// # Errors
///
/// `SpawnError` if the runtime has ended. The future is dropped.
///
/// # Examples
///
/// ```
/// use futures::task::{Spawn, SpawnExt};
///
/// async fn sum(spawner: &impl Spawn) -> u32 {
///     let parts: Vec<_> =
///         (1..=3).map(|n| spawner.spawn_with_handle(async move { n * n }).unwrap()).collect();
///     futures::future::join_all(parts).await.into_iter().sum()
/// }
///
/// gorun::block_on(async {
///     assert_eq!(sum(&gorun::Handle::current()).await, 14);
/// });
/// ```
impl Spawn for Handle {
    #[track_caller]
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        match self.start(future) {
            true => Ok(()),
            false => Err(SpawnError::shutdown()),
        }
    }

    fn status(&self) -> Result<(), SpawnError> {
        match self.is_closed() {
            true => Err(SpawnError::shutdown()),
            false => Ok(()),
        }
    }
}
