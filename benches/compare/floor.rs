//! A bound for one thread: goroutines of `async-task`, and a queue, and nothing else.
//!
//! One thread polls them all, first come, first served. It has no second worker, so it needs no lock for its own
//! queue, no search and no wake-up. Nor has it a budget, a way to abort or to end a goroutine, reports, or care
//! for those that block. Others pass it goroutines by a queue behind a lock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::sync::{Condvar, Mutex};

use async_task::Runnable;

use crate::runtime::{Remote, Runtime};

#[derive(Clone, Copy)]
pub(crate) struct Floor;

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
    static OWN: RefCell<VecDeque<Runnable>> = const { RefCell::new(VecDeque::new()) };
}

static FROM_OTHERS: Mutex<VecDeque<Runnable>> = Mutex::new(VecDeque::new());
static CAME: Condvar = Condvar::new();

fn push(runnable: Runnable) {
    if IS_WORKER.get() {
        OWN.with_borrow_mut(|own| own.push_back(runnable));
        return;
    }
    let mut queue = FROM_OTHERS.lock().unwrap();
    queue.push_back(runnable);
    if queue.len() == 1 {
        CAME.notify_one();
    }
}

fn work() {
    IS_WORKER.set(true);
    loop {
        while let Some(runnable) = OWN.with_borrow_mut(VecDeque::pop_front) {
            runnable.run();
        }
        let mut queue = FROM_OTHERS.lock().unwrap();
        while queue.is_empty() {
            queue = CAME.wait(queue).unwrap();
        }
        OWN.with_borrow_mut(|own| mem::swap(own, &mut queue));
    }
}

fn spawn<F>(future: F) -> async_task::Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (runnable, task) = async_task::spawn(future, push);
    runnable.schedule();
    task
}

impl Runtime for Floor {
    type Handle<T: Send + 'static> = async_task::Task<T>;

    fn block_on<F: Future>(_workers: usize, main: F) -> F::Output {
        std::thread::spawn(work);
        futures_lite::future::block_on(main)
    }

    fn spawn<F>(future: F) -> async_task::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn(future)
    }

    fn detach<F: Future<Output = ()> + Send + 'static>(future: F) {
        spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }

    fn blocking<T>(f: impl FnOnce() -> T) -> T {
        f()
    }

    fn remote() -> impl Remote {
        Floor
    }
}

impl Remote for Floor {
    fn detach<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        spawn(future).detach();
    }
}
