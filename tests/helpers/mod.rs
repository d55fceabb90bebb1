//! What several of these test binaries need.
#![allow(dead_code)]

use std::any::Any;
use std::cell::RefCell;
use std::env;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output, Stdio};
use std::sync::Once;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

/// A condition that is not met by then never will be.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

const CHILD: &str = "GORUN_TEST_CHILD";

/// Runs `main` in a runtime with so many workers.
pub(crate) fn run<F: Future>(workers: usize, main: F) -> F::Output {
    gorun::Builder::new().worker_threads(workers).block_on(main).expect("the runtime starts")
}

/// Aborts the process if it is not dropped in time, so that a hang is a failure.
pub(crate) struct Watchdog {
    _done: mpsc::Sender<()>,
}

pub(crate) fn watchdog() -> Watchdog {
    quiet();
    let (done, over) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let limit = Duration::from_secs(if is_child() { 80 } else { 150 });
    thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            if over.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{name} hangs");
                std::process::abort();
            }
        })
        .unwrap();
    Watchdog { _done: done }
}

/// Waits, on the calling thread, until `condition` holds.
#[track_caller]
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "this condition was never met");
        thread::yield_now();
    }
}

/// Lets others run until `condition` holds.
pub(crate) async fn yield_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "this condition was never met");
        gorun::yield_now().await;
    }
}

/// Suspends once, after it has handed its waker to `f`.
pub(crate) async fn suspend_with(f: impl FnOnce(&mut Context<'_>)) {
    let mut f = Some(f);
    std::future::poll_fn(|cx| match f.take() {
        Some(f) => {
            f(cx);
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await
}

/// Calls a function when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)()
    }
}

// Panics.

/// A panic as the hook saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) message: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// From now on panics whose message begins with "boom" are not printed, except in a child.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = message(info.payload()).unwrap_or("boom").to_owned();
            let location = info.location().unwrap();
            let is_wanted = SEEN.with_borrow_mut(|seen| match seen {
                Some(seen) => {
                    *seen = Seen {
                        message: message.clone(),
                        file: location.file().to_owned(),
                        line: location.line(),
                    };
                    true
                }
                None => false,
            });
            if !is_wanted && (is_child() || !message.starts_with("boom")) {
                default(info);
            }
        }));
    });
}

/// The panic of `f`, on this thread, as the hook sees it.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> Seen {
    quiet();
    SEEN.set(Some(Seen { message: String::new(), file: String::new(), line: 0 }));
    let result = catch_unwind(AssertUnwindSafe(f));
    let seen = SEEN.take().unwrap();
    assert!(result.is_err(), "this should have panicked");
    seen
}

/// The payload of the panic of `f`.
#[track_caller]
pub(crate) fn payload_of<R>(f: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("this should have panicked"),
        Err(payload) => payload,
    }
}

/// A payload's text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

// Child processes.

pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs the named test of this binary in a process of its own, where `is_child` says true. `shell`
/// goes before it in the shell that starts it.
pub(crate) fn child(test: &str, variables: &[(&str, &str)], shell: &str) -> Output {
    let exe = env::current_exe().unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{shell}\nexec \"$0\" --exact \"$1\" --nocapture --test-threads=1"))
        .arg(exe)
        .arg(test)
        .env_remove("GORUN_WORKER_THREADS")
        .env_remove("RUST_BACKTRACE")
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Passes if the child did.
#[track_caller]
pub(crate) fn child_passes(test: &str, variables: &[(&str, &str)], shell: &str) {
    let output = child(test, variables, shell);
    assert!(
        output.status.success(),
        "{test} in a process of its own: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        stderr(&output),
    );
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
