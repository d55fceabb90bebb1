//! Calls with the same key share one run.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use crate::primitives::{AtomicUsize, Mutex, Ordering, lock};
use crate::sync::once_cell::OnceCell;

/// Runs the same work once for all that want it at the same time.
///
/// Of several [calls](Self::run) with equal keys, one does the work, and all get clones of its
/// result. A call that comes when the work is done begins anew. So the group is no cache, but it
/// prevents a hundred callers from filling, all at once, a cache that has just expired. With a cache,
/// look into it again at the beginning of the work: another call may have filled it since you looked.
///
/// Keys and results belong to their users: the group compares, clones and drops them without a lock.
///
/// Go counterpart: `singleflight.Group` in `golang.org/x/sync`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use gorun::sync::singleflight;
/// use gorun::time::sleep;
/// use gorun::{JoinSet, block_on};
///
/// block_on(async {
///     let group = Arc::new(singleflight::Group::new());
///     let (queries, mut set) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
///     for _ in 0..10 {
///         let (group, queries) = (group.clone(), queries.clone());
///         set.spawn(async move {
///             let query = async || {
///                 queries.fetch_add(1, Ordering::SeqCst);
///                 sleep(std::time::Duration::from_millis(50)).await;
///                 42
///             };
///             group.run("answer", query).await
///         });
///     }
///     assert_eq!(set.join_all().await, [42; 10]);
///     assert!(queries.load(Ordering::SeqCst) <= 10);
/// });
/// ```
pub struct Group<K, V> {
    /// Under the hashes of their keys.
    calls: Mutex<Calls<K, V>>,
    hasher: RandomState,
}

struct Call<K, V> {
    key: K,
    hash: u64,
    /// How many wait for the result. Changes under the lock only.
    users: AtomicUsize,
    result: OnceCell<V>,
}

impl<K: Hash + Eq, V: Clone> Group<K, V> {
    /// Without calls.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = gorun::sync::singleflight::Group::new();
    /// assert_eq!(gorun::block_on(group.run(1, async || "one")), "one");
    /// ```
    pub fn new() -> Self {
        Group { calls: Mutex::new(HashMap::new()), hasher: RandomState::new() }
    }

    /// The result of `work`, or of that of another call with an equal key that has not ended yet.
    ///
    /// If the work may fail, let its result be a `Result` whose error can be cloned: an `Arc` of it.
    ///
    /// **Cancellation**: if the call that does the work is dropped, or panics, the next waiting
    /// call does its own work. So a caller that gives up harms no other.
    ///
    /// Work that itself waits for the same key waits for ever.
    ///
    /// Go counterpart: `Group.Do`.
    ///
    /// # Examples
    ///
    /// See [`Group`].
    pub async fn run<F, Fut>(&self, key: K, work: F) -> V
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = V>,
    {
        let user = User { group: self, call: self.call(key) };
        let work = async || {
            let result = work().await;
            // Later calls begin anew.
            self.remove(&user.call);
            result
        };
        user.call.result.get_or_init(work).await.clone()
    }

    /// From now on, new calls do not share the current work for this key. Calls that wait for it
    /// still get its result.
    ///
    /// Go counterpart: `Group.Forget`.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = gorun::sync::singleflight::Group::<_, u32>::new();
    /// group.forget(&"nothing");
    /// ```
    pub fn forget(&self, key: &K) {
        let hash = self.hasher.hash_one(key);
        let calls = self.with(hash);
        calls.iter().filter(|call| call.key == *key).for_each(|call| self.remove(call));
    }

    /// Joins the call with this key, or a new one.
    fn call(&self, key: K) -> Arc<Call<K, V>> {
        let hash = self.hasher.hash_one(&key);
        let (users, result) = (AtomicUsize::new(0), OnceCell::new());
        let new = Arc::new(Call { key, hash, users, result });
        loop {
            // Keys are compared without the lock.
            let seen = self.with(hash);
            let same = seen.iter().find(|call| call.key == new.key);
            if self.join(same, &new, &seen) {
                return same.unwrap_or(&new).clone();
            }
        }
    }
}

impl<K, V> Group<K, V> {
    /// The calls whose keys have this hash.
    fn with(&self, hash: u64) -> Vec<Arc<Call<K, V>>> {
        lock(&self.calls).get(&hash).cloned().unwrap_or_default()
    }

    /// Joins the call `same`, or begins the `new` one, if all calls there were `seen`. Returns
    /// `false` if the caller has to look again.
    fn join(
        &self,
        same: Option<&Arc<Call<K, V>>>,
        new: &Arc<Call<K, V>>,
        seen: &[Arc<Call<K, V>>],
    ) -> bool {
        let mut calls = lock(&self.calls);
        let present = calls.get(&new.hash).map_or(&[][..], |present| present);
        let is_in = |calls: &[Arc<_>], call| calls.iter().any(|other| Arc::ptr_eq(other, call));
        let can_join = match same {
            Some(same) => is_in(present, same),
            None => present.iter().all(|call| is_in(seen, call)),
        };
        if can_join {
            // Ordering: Relaxed, under the lock.
            same.unwrap_or(new).users.fetch_add(1, Ordering::Relaxed);
            if same.is_none() {
                calls.entry(new.hash).or_default().push(new.clone());
            }
        }
        can_join
    }

    fn leave(&self, call: &Arc<Call<K, V>>) {
        let mut calls = lock(&self.calls);
        // Ordering: Relaxed, under the lock.
        let is_last = call.users.fetch_sub(1, Ordering::Relaxed) == 1;
        let removed = is_last.then(|| take_out(&mut calls, call));
        drop(calls);
        drop(removed);
    }

    fn remove(&self, call: &Arc<Call<K, V>>) {
        let removed = take_out(&mut lock(&self.calls), call);
        drop(removed);
    }
}

type Calls<K, V> = HashMap<u64, Vec<Arc<Call<K, V>>>>;

/// How much room for calls is kept for good.
const KEPT: usize = 64;

/// Returns what the caller has to drop without the lock.
fn take_out<K, V>(calls: &mut Calls<K, V>, call: &Arc<Call<K, V>>) -> Option<Arc<Call<K, V>>> {
    let present = calls.get_mut(&call.hash)?;
    let place = present.iter().position(|other| Arc::ptr_eq(other, call))?;
    let removed = present.swap_remove(place);
    if present.is_empty() {
        calls.remove(&call.hash);
    }
    // A group may live for ever. Memory follows what is there.
    if calls.is_empty() && calls.capacity() > KEPT {
        calls.shrink_to_fit();
    }
    Some(removed)
}

/// One that waits for a call's result. The last one removes the call when it goes.
struct User<'a, K, V> {
    group: &'a Group<K, V>,
    call: Arc<Call<K, V>>,
}

impl<K, V> Drop for User<'_, K, V> {
    fn drop(&mut self) {
        self.group.leave(&self.call);
    }
}

impl<K: Hash + Eq, V: Clone> Default for Group<K, V> {
    fn default() -> Self {
        Group::new()
    }
}

impl<K, V> fmt::Debug for Group<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_group_gives_back_the_memory_of_keys_that_have_gone() {
        let group = Group::<u32, ()>::new();
        let capacity = || lock(&group.calls).capacity();
        let mut calls: Vec<Pin<Box<dyn Future<Output = ()>>>> =
            (0..1000).map(|key| Box::pin(group.run(key, pending)) as Pin<Box<_>>).collect();
        for call in &mut calls {
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert!(capacity() >= 1000);
        drop(calls);
        assert!(capacity() <= KEPT);
    }
}
