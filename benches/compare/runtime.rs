//! What the workloads need of a runtime, and the runtimes.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use async_executor::StaticExecutor;

/// A runtime with a current instance, as all of these have.
pub(crate) trait Runtime: Send + Sync + 'static {
    type Handle<T: Send + 'static>: Future<Output = T> + Send + Unpin;

    /// Runs `main` on this thread and goroutines on so many others.
    fn block_on<F: Future>(workers: usize, main: F) -> F::Output;

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    fn detach<F: Future<Output = ()> + Send + 'static>(future: F);

    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Calls `f`, which blocks the thread, after telling the runtime, if there is a way to.
    fn blocking<T>(f: impl FnOnce() -> T) -> T;

    /// What threads that do not belong to the runtime spawn with.
    fn remote() -> impl Remote;
}

pub(crate) trait Remote: Clone + Send + 'static {
    fn detach<F: Future<Output = ()> + Send + 'static>(&self, future: F);
}

pub(crate) struct Gorun;

pub(crate) struct GorunHandle<T>(gorun::JoinHandle<T>);

impl<T> Future for GorunHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|result| result.unwrap())
    }
}

impl Runtime for Gorun {
    type Handle<T: Send + 'static> = GorunHandle<T>;

    fn block_on<F: Future>(workers: usize, main: F) -> F::Output {
        let mut builder = gorun::Builder::new().worker_threads(workers);
        if std::env::var_os("GORUN_BENCH_NO_SPARES").is_some_and(|value| value == "1") {
            builder = builder.max_threads(workers);
        }
        builder.block_on(main).unwrap()
    }

    fn spawn<F>(future: F) -> GorunHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        GorunHandle(gorun::spawn(future))
    }

    fn detach<F: Future<Output = ()> + Send + 'static>(future: F) {
        gorun::spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        gorun::yield_now()
    }

    fn blocking<T>(f: impl FnOnce() -> T) -> T {
        gorun::blocking(f)
    }

    fn remote() -> impl Remote {
        gorun::Handle::current()
    }
}

impl Remote for gorun::Handle {
    fn detach<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        self.spawn(future).detach();
    }
}

/// `TIME`: with timers, which the other workloads do not need.
pub(crate) struct TokioWith<const TIME: bool>;

pub(crate) type Tokio = TokioWith<false>;
pub(crate) type TokioWithTime = TokioWith<true>;

pub(crate) struct TokioHandle<T>(tokio::task::JoinHandle<T>);

impl<T> Future for TokioHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|result| result.unwrap())
    }
}

impl<const TIME: bool> Runtime for TokioWith<TIME> {
    type Handle<T: Send + 'static> = TokioHandle<T>;

    fn block_on<F: Future>(workers: usize, main: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if TIME {
            builder.enable_time();
        }
        builder.worker_threads(workers).build().unwrap().block_on(main)
    }

    fn spawn<F>(future: F) -> TokioHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TokioHandle(tokio::spawn(future))
    }

    fn detach<F: Future<Output = ()> + Send + 'static>(future: F) {
        drop(tokio::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn blocking<T>(f: impl FnOnce() -> T) -> T {
        tokio::task::block_in_place(f)
    }

    fn remote() -> impl Remote {
        tokio::runtime::Handle::current()
    }
}

impl Remote for tokio::runtime::Handle {
    fn detach<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        drop(self.spawn(future));
    }
}

/// `StaticExecutor`, the fastest form of it, with one thread for each worker.
#[derive(Clone, Copy)]
pub(crate) struct AsyncExecutor;

fn executor() -> &'static StaticExecutor {
    static EXECUTOR: OnceLock<&'static StaticExecutor> = OnceLock::new();
    EXECUTOR.get_or_init(|| Box::leak(Box::new(StaticExecutor::new())))
}

impl Runtime for AsyncExecutor {
    type Handle<T: Send + 'static> = async_executor::Task<T>;

    fn block_on<F: Future>(workers: usize, main: F) -> F::Output {
        for _ in 0..workers {
            std::thread::spawn(|| {
                futures_lite::future::block_on(executor().run(std::future::pending::<()>()))
            });
        }
        futures_lite::future::block_on(main)
    }

    fn spawn<F>(future: F) -> async_executor::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        executor().spawn(future)
    }

    fn detach<F: Future<Output = ()> + Send + 'static>(future: F) {
        executor().spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }

    fn blocking<T>(f: impl FnOnce() -> T) -> T {
        f()
    }

    fn remote() -> impl Remote {
        AsyncExecutor
    }
}

impl Remote for AsyncExecutor {
    fn detach<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        executor().spawn(future).detach();
    }
}
