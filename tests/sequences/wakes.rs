//! Wakers that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// By number.
#[derive(Default)]
pub(crate) struct Wakes(Vec<Arc<Count>>);

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    /// The numbers of two new ones.
    pub(crate) fn two(&mut self) -> [usize; 2] {
        self.0.extend([Arc::default(), Arc::default()]);
        [self.0.len() - 2, self.0.len() - 1]
    }

    pub(crate) fn waker(&self, number: usize) -> Waker {
        self.0[number].clone().into()
    }

    /// How often each was woken.
    pub(crate) fn counts(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|count| count.0.load(Ordering::Relaxed))
    }

    /// How many others have each.
    pub(crate) fn holders(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|count| Arc::strong_count(count) - 1)
    }
}
