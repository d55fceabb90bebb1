//! Runs a model, and tasks for models to hand around.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};

/// Every schedule.
pub(crate) const ALL: Option<usize> = None;

/// The bound of a model whose `full` one takes long: `quick`, unless `GORUN_MODELS` is `full`.
pub(crate) fn quick_or_full(quick: usize, full: Option<usize>) -> Option<usize> {
    match std::env::var("GORUN_MODELS").as_deref() {
        Ok("full") => full,
        Ok("") | Err(_) => Some(quick),
        Ok(other) => panic!("GORUN_MODELS is {other:?}; set it to \"full\", or unset it"),
    }
}

/// Checks `model` over the schedules with at most `preemptions` preemptions of a thread that could
/// go on. `LOOM_MAX_PREEMPTIONS` overrides it.
pub(crate) fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    let executions = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    builder.check({
        let executions = executions.clone();
        move || {
            executions.fetch_add(1, Ordering::Relaxed);
            model();
        }
    });
    let name = std::thread::current().name().unwrap_or("").to_owned();
    let executions = executions.load(Ordering::Relaxed);
    println!("{name}: {executions} executions in {:.1?}", start.elapsed());
}

/// One of two values that lie beside each other. Their addresses are in the same order in each execution, and code
/// may go by that, as a `select!` does when it locks channels: loom runs the same schedule again and again.
pub(crate) struct Neighbour<T>(Arc<[T; 2]>, usize);

pub(crate) fn neighbours<T>(first: T, second: T) -> (Neighbour<T>, Neighbour<T>) {
    let both = Arc::new([first, second]);
    (Neighbour(both.clone(), 0), Neighbour(both, 1))
}

impl<T> Clone for Neighbour<T> {
    fn clone(&self) -> Self {
        Neighbour(self.0.clone(), self.1)
    }
}

impl<T> Deref for Neighbour<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0[self.1]
    }
}

/// Polls until it is ready, and blocks in between. Loom finds a wake that does not come.
pub(crate) fn block<R>(mut poll: impl FnMut(&Waker) -> Poll<R>) -> R {
    let wakes = Arc::new(Wakes { woken: Mutex::new(false), changed: Condvar::new() });
    let waker = Waker::from(wakes.clone());
    loop {
        if let Poll::Ready(result) = poll(&waker) {
            return result;
        }
        let mut woken = wakes.woken.lock().unwrap();
        while !*woken {
            woken = wakes.changed.wait(woken).unwrap();
        }
        *woken = false;
    }
}

struct Wakes {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

/// The memory of tasks, which are the numbers from 1 on. Loom finds an access that is not ordered
/// after the one before it.
pub(crate) struct Tasks(Vec<UnsafeCell<bool>>);

impl Tasks {
    pub(crate) fn new(count: usize) -> Self {
        Tasks((0..count).map(|_| UnsafeCell::new(false)).collect())
    }

    /// Before the push.
    pub(crate) fn make(&self, word: usize) {
        self.replace(word, true);
    }

    /// By whoever took it.
    pub(crate) fn run(&self, word: usize) {
        assert!(self.replace(word, false), "task {word} was taken twice");
    }

    /// At the end.
    pub(crate) fn assert_all_run(&self) {
        for word in 1..=self.0.len() {
            assert!(!self.replace(word, false), "task {word} was lost");
        }
    }

    fn replace(&self, word: usize, value: bool) -> bool {
        self.0[word - 1].with_mut(|memory| {
            // SAFETY: loom panics before this if the access is not exclusive.
            unsafe { std::mem::replace(&mut *memory, value) }
        })
    }
}
