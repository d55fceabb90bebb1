//! The futures that main drives beside its own: those of `spawn_local`.
//!
//! They need not be `Send`, so they never leave main's thread. Only their wakers do. A waker puts
//! its future into the ready queue, and wakes main's thread. Before main's thread polls main's
//! future, it polls those that are ready (`exit.rs`), each as main is polled: with a budget of its
//! own, and with a waker that counts as main's.
//!
//! The set closes right after main's future has been dropped. It cancels what is left, and what
//! destructors add meanwhile; a wake that comes later does nothing. Then only what a panic has left can
//! still add one: main's output, which nobody gets, and other panics' payloads.
//!
//! Rejected: `async_task::spawn_local`. It saves one allocation for each future. But a set that can
//! drop futures that are not queued has to keep a list of them beside it.

#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Wake, Waker};

use slab::Slab;

use crate::primitives::{AtomicBool, Mutex, Ordering, lock};

/// A future of the set, with what takes its result.
pub(crate) trait LocalTask {
    /// Polls the future. `Ready`: the future is gone, and its result delivered. A panic that
    /// unwinds from here is main's own.
    fn poll(&mut self, waker: &Waker) -> Poll<()>;

    /// Drops the future, if it is still there, and delivers that it was cancelled.
    fn cancel(&mut self);
}

/// A program without local futures pays an empty cell for it.
#[derive(Default)]
pub(crate) struct LocalFutures {
    set: OnceCell<Set>,
    is_closed: Cell<bool>,
}

#[derive(Default)]
struct Set {
    ready: Arc<ReadyQueue>,
    /// `None` while the task is being polled.
    tasks: RefCell<Slab<Option<Box<dyn LocalTask>>>>,
}

impl LocalFutures {
    /// Adds a task, which is ready. Returns its waker. If the set is closed, cancels the task, on the
    /// caller's stack: nobody comes to the set any more.
    pub(crate) fn add(&self, mut task: Box<dyn LocalTask>) -> Option<Waker> {
        if self.is_closed.get() {
            task.cancel();
            return None;
        }
        let set = self.set.get_or_init(Set::default);
        let waker = Arc::new(LocalWaker {
            key: set.tasks.borrow_mut().insert(Some(task)),
            is_done: AtomicBool::new(false),
            is_queued: AtomicBool::new(false),
            ready: set.ready.clone(),
        });
        waker.wake_by_ref();
        Some(Waker::from(waker))
    }

    /// Polls the tasks that are ready now, each inside `around`, which gets the task's waker.
    pub(crate) fn poll_ready(&self, mut around: impl FnMut(&Waker, &mut dyn FnMut())) {
        let Some(set) = self.set.get() else { return };
        // What becomes ready meanwhile comes after main's next turn.
        for _ in 0..set.ready.len() {
            let Some(waker) = set.ready.pop() else { return };
            // Ordering: Acquire pairs with the Release in `wake_by_ref`: the poll sees what was done
            // before a wake that found the task queued.
            waker.is_queued.swap(false, Ordering::Acquire);
            if waker.is_done.load(Ordering::Relaxed) {
                continue;
            }
            let task = set.tasks.borrow_mut()[waker.key].take();
            let mut polled = BeingPolled { set, waker: &waker, task };
            let task_waker = Waker::from(waker.clone());
            around(&task_waker, &mut || polled.poll(&task_waker));
        }
    }

    /// Main's future is pending: sees to it that its thread polls what becomes ready. `driver` is
    /// the thread's waker.
    pub(crate) fn watch(&self, driver: &Waker) {
        if let Some(set) = self.set.get() {
            // Sets the waker before it reads the queue. So a task that becomes ready meanwhile finds
            // the waker, or is in the queue.
            set.ready.driver.get_or_init(|| driver.clone());
            if set.ready.len() > 0 {
                driver.wake_by_ref();
            }
        }
    }

    /// Cancels all tasks, also those that their destructors add; and those that are added later.
    pub(crate) fn close(&self) {
        if let Some(set) = self.set.get() {
            lock(&set.ready.queue).take();
            loop {
                // Not while a destructor runs that adds one, perhaps under a borrow of its own.
                let tasks = set.tasks.take();
                if tasks.is_empty() {
                    break;
                }
                for mut task in tasks.into_iter().filter_map(|(_, task)| task) {
                    task.cancel();
                }
            }
        }
        self.is_closed.set(true);
    }
}

/// A task out of its place in the set. Dropping this puts it back, or frees the place.
struct BeingPolled<'a> {
    set: &'a Set,
    waker: &'a LocalWaker,
    task: Option<Box<dyn LocalTask>>,
}

impl BeingPolled<'_> {
    fn poll(&mut self, waker: &Waker) {
        if let Some(task) = &mut self.task
            && task.poll(waker).is_ready()
        {
            // Later wakes find that it is done, not the task that gets its place.
            self.waker.is_done.store(true, Ordering::Relaxed);
            self.task = None;
        }
    }
}

impl Drop for BeingPolled<'_> {
    fn drop(&mut self) {
        let mut tasks = self.set.tasks.borrow_mut();
        match self.task.take() {
            Some(task) => tasks[self.waker.key] = Some(task),
            None => drop(tasks.remove(self.waker.key)),
        }
    }
}

/// The wakers of the tasks to poll, first come, first served. `None`: the set is closed.
struct ReadyQueue {
    queue: Mutex<Option<VecDeque<Arc<LocalWaker>>>>,
    /// The waker of main's thread, once main's first poll is over.
    driver: OnceLock<Waker>,
}

impl Default for ReadyQueue {
    fn default() -> Self {
        ReadyQueue { queue: Mutex::new(Some(VecDeque::new())), driver: OnceLock::new() }
    }
}

impl ReadyQueue {
    fn len(&self) -> usize {
        lock(&self.queue).as_ref().map_or(0, VecDeque::len)
    }

    fn pop(&self) -> Option<Arc<LocalWaker>> {
        lock(&self.queue).as_mut()?.pop_front()
    }
}

struct LocalWaker {
    key: usize,
    /// Read and written on main's thread alone.
    is_done: AtomicBool,
    is_queued: AtomicBool,
    ready: Arc<ReadyQueue>,
}

impl Wake for LocalWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Release pairs with the Acquire in `poll_ready`.
        if !self.is_queued.swap(true, Ordering::Release) {
            if let Some(queue) = lock(&self.ready.queue).as_mut() {
                queue.push_back(self.clone());
            }
            if let Some(driver) = self.ready.driver.get() {
                driver.wake_by_ref();
            }
        }
    }
}
