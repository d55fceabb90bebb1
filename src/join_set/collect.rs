//! Starting the futures of an iterator in a set.

#![forbid(unsafe_code)]

use std::future::Future;

use super::JoinSet;

/// Starts each of the futures, as [`spawn`](JoinSet::spawn) does. Reports name the caller's line.
///
/// # Panics
///
/// When called on a thread that belongs to no runtime, if there is a future.
///
/// # Examples
///
/// ```
/// gorun::block_on(async {
///     let mut set = gorun::JoinSet::new();
///     set.extend((0..3).map(|n| async move { n }));
///     assert_eq!(set.len(), 3);
/// });
/// ```
impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}

/// Starts each of the futures. With `collect`, reports name a line of the standard library as the
/// place of the spawn; with [`extend`](JoinSet::extend) they name the caller's.
///
/// # Panics
///
/// When called on a thread that belongs to no runtime, if there is a future.
///
/// # Examples
///
/// ```
/// use gorun::JoinSet;
///
/// gorun::block_on(async {
///     let set: JoinSet<_> = (0..3).map(|n| async move { n }).collect();
///     let mut numbers = set.join_all().await;
///     numbers.sort();
///     assert_eq!(numbers, [0, 1, 2]);
/// });
/// ```
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = JoinSet::new();
        set.extend(futures);
        set
    }
}
