//! Workloads of goroutines that share a lock, or permits, of any crate.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::measured::{Measured, timed};
use crate::runtime::Runtime;

pub(crate) trait Mutex: Default + Send + Sync + 'static {
    fn lock(&self) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send;
}

pub(crate) trait RwLock: Default + Send + Sync + 'static {
    fn read(&self) -> impl Future<Output: Deref<Target = usize> + Send> + Send;

    fn write(&self) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send;
}

pub(crate) trait Semaphore: Send + Sync + 'static {
    fn new(permits: usize) -> Self;

    fn acquire(&self) -> impl Future<Output: Send> + Send;
}

/// The futures are passed on as they are, so that nothing is added to their cost.
macro_rules! of_crate {
    ($($krate:ident)::+) => {
        impl Mutex for $($krate)::+::Mutex<usize> {
            fn lock(&self) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send {
                self.lock()
            }
        }

        impl RwLock for $($krate)::+::RwLock<usize> {
            fn read(&self) -> impl Future<Output: Deref<Target = usize> + Send> + Send {
                self.read()
            }

            fn write(&self) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send {
                self.write()
            }
        }

        impl Semaphore for $($krate)::+::Semaphore {
            fn new(permits: usize) -> Self {
                Self::new(permits)
            }

            fn acquire(&self) -> impl Future<Output: Send> + Send {
                self.acquire()
            }
        }
    };
}

of_crate!(gorun::sync);
of_crate!(tokio::sync);
of_crate!(async_lock);

/// How many goroutines share one.
const TASKS: usize = 16;

/// So many goroutines run `task` with what they share, and one waits for all.
async fn share<R: Runtime, S, F>(shared: &Arc<S>, task: impl Fn(Arc<S>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS).map(|_| R::spawn(task(shared.clone()))).collect();
    for task in tasks {
        task.await;
    }
}

/// Goroutines add one under the lock, `n` times in all.
pub(crate) fn mutex<R: Runtime, M: Mutex>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let mutex = Arc::new(M::default());
        share::<R, _, _>(&mutex, |mutex| async move {
            for _ in 0..n / TASKS {
                *mutex.lock().await += 1;
            }
        })
        .await;
        assert_eq!(*mutex.lock().await, n / TASKS * TASKS);
    });
    Measured::per_operation(took, n / TASKS * TASKS)
}

/// Likewise, and each yields while it has the lock.
pub(crate) fn mutex_held<R: Runtime, M: Mutex>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let mutex = Arc::new(M::default());
        share::<R, _, _>(&mutex, |mutex| async move {
            for _ in 0..n / TASKS {
                let mut count = mutex.lock().await;
                let before = *count;
                R::yield_now().await;
                *count = before + 1;
            }
        })
        .await;
        assert_eq!(*mutex.lock().await, n / TASKS * TASKS);
    });
    Measured::per_operation(took, n / TASKS * TASKS)
}

/// One turn in so many is a writer's.
const READS: usize = 16;

/// Goroutines read, or sometimes add one, `n` times in all.
pub(crate) fn rw_lock<R: Runtime, L: RwLock>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let lock = Arc::new(L::default());
        share::<R, _, _>(&lock, |lock| async move {
            let mut last = 0;
            for turn in 1..=n / TASKS {
                if turn % READS == 0 {
                    *lock.write().await += 1;
                } else {
                    let seen = *lock.read().await;
                    assert!(seen >= last);
                    last = seen;
                }
            }
        })
        .await;
        assert_eq!(*lock.read().await, n / TASKS / READS * TASKS);
    });
    Measured::per_operation(took, n / TASKS * TASKS)
}

const PERMITS: usize = 4;

/// Goroutines acquire a permit and yield while they have it, `n` times in all.
pub(crate) fn semaphore<R: Runtime, S: Semaphore>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let shared = Arc::new((S::new(PERMITS), AtomicUsize::new(0)));
        share::<R, _, _>(&shared, |shared| async move {
            let (semaphore, out) = &*shared;
            for _ in 0..n / TASKS {
                let permit = semaphore.acquire().await;
                assert!(out.fetch_add(1, Relaxed) < PERMITS);
                R::yield_now().await;
                out.fetch_sub(1, Relaxed);
                drop(permit);
            }
        })
        .await;
    });
    Measured::per_operation(took, n / TASKS * TASKS)
}
