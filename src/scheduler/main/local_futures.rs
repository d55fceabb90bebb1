//! The futures that main drives beside its own: those of `spawn_local`.
//!
//! They need not be `Send`, so they never leave main's thread. Only their wakers do. A waker puts
//! its future into the ready queue, and wakes main's thread. Before main's thread polls main's
//! future, it polls those that are ready (`exit.rs`), each as main is polled: with a budget of its
//! own, and with a waker that counts as main's.
//!
//! The set closes right after main's future has been dropped. It cancels what is left; a wake that
//! comes later does nothing.
//!
//! Rejected: `async_task::spawn_local`. It saves one allocation for each future. But a set that can
//! drop futures that are not queued has to keep a list of them beside it.

#![forbid(unsafe_code)]

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
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

#[derive(Default)]
pub(crate) struct LocalFutures {
    ready: Arc<ReadyQueue>,
    set: RefCell<Set>,
    driver: OnceCell<Waker>,
}

#[derive(Default)]
struct Set {
    /// `None` while the task is being polled.
    tasks: Slab<Option<Box<dyn LocalTask>>>,
    is_closed: bool,
}

impl LocalFutures {
    /// The waker of main's thread. Main's first poll brings it.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        self.driver.get_or_init(|| waker.clone());
    }

    /// Adds a task, which is ready. Returns its waker. If the set is closed, cancels the task.
    pub(crate) fn add(&self, mut task: Box<dyn LocalTask>) -> Option<Waker> {
        let mut set = self.set.borrow_mut();
        let (false, Some(driver)) = (set.is_closed, self.driver.get()) else {
            drop(set);
            task.cancel();
            return None;
        };
        let key = set.tasks.insert(Some(task));
        let waker = Arc::new(LocalWaker {
            key,
            is_done: AtomicBool::new(false),
            is_queued: AtomicBool::new(false),
            ready: self.ready.clone(),
            driver: driver.clone(),
        });
        waker.wake_by_ref();
        Some(Waker::from(waker))
    }

    /// Polls the tasks that are ready now, each inside `around`, which gets the task's waker.
    pub(crate) fn poll_ready(&self, mut around: impl FnMut(&Waker, &mut dyn FnMut())) {
        // What becomes ready meanwhile comes after main's next turn.
        for _ in 0..self.ready.len() {
            let Some(waker) = self.ready.pop() else { return };
            // Ordering: Acquire pairs with the Release in `wake_by_ref`: the poll sees what was done
            // before a wake that found the task queued.
            waker.is_queued.swap(false, Ordering::Acquire);
            if waker.is_done.load(Ordering::Relaxed) {
                continue;
            }
            let task = self.set.borrow_mut().tasks[waker.key].take();
            let mut polled = BeingPolled { futures: self, waker: &waker, task };
            let task_waker = Waker::from(waker.clone());
            around(&task_waker, &mut || polled.poll(&task_waker));
        }
    }

    /// Cancels all tasks, and those that are added later.
    pub(crate) fn close(&self) {
        lock(&self.ready.queue).take();
        self.set.borrow_mut().is_closed = true;
        let tasks = std::mem::take(&mut self.set.borrow_mut().tasks);
        for (_, task) in tasks {
            if let Some(mut task) = task {
                task.cancel();
            }
        }
    }
}

/// A task out of its place in the set. Dropping this puts it back, or frees the place.
struct BeingPolled<'a> {
    futures: &'a LocalFutures,
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
        let mut set = self.futures.set.borrow_mut();
        match self.task.take() {
            Some(task) => set.tasks[self.waker.key] = Some(task),
            None => drop(set.tasks.remove(self.waker.key)),
        }
    }
}

/// The wakers of the tasks to poll, first come, first served. `None`: the set is closed.
struct ReadyQueue {
    queue: Mutex<Option<VecDeque<Arc<LocalWaker>>>>,
}

impl Default for ReadyQueue {
    fn default() -> Self {
        ReadyQueue { queue: Mutex::new(Some(VecDeque::new())) }
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
    driver: Waker,
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
            self.driver.wake_by_ref();
        }
    }
}
