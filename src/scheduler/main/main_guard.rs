//! The main guard's state: whether main is done, and the first panic that no code can observe.
//!
//! A panic goes to the code that takes the result from the goroutine's handle. If none can any
//! more, because there is no handle, or the handle was dropped with the result untaken, the panic
//! is *unhandled*. The first one before main's result is kept here, and main is interrupted, so
//! that `block_on` can resume the panic on the caller's thread. Later ones are reported and
//! dropped. The panic hook has already reported each panic, with message and place; the line
//! written here adds where the goroutine was spawned, and what follows.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::sync::Arc;
use std::thread::Thread;

use crate::clock;
use crate::panics::{Payload, discard};
use crate::primitives::{AtomicBool, Mutex, Ordering, lock};

/// What happens when a goroutine panics and no code can observe that.
///
/// Go counterpart: an unrecovered panic in any goroutine ends the program; `Crash` is that.
///
/// # Examples
///
/// ```
/// use gorun::{Builder, UnhandledPanic, spawn};
///
/// let answer = Builder::new()
///     .unhandled_panic(UnhandledPanic::Ignore)
///     .block_on(async {
///         spawn(async { panic!("nobody listens") }).detach();
///         42
///     })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// Main is dropped at its next await, the other goroutines are cancelled, and `block_on`
    /// resumes the panic on its caller's thread.
    #[default]
    Crash,
    /// The panic is dropped. The panic hook has reported it, as it reports every panic.
    Ignore,
}

/// The panic that ends a simulation which does not go on. It is nobody's: nothing is printed.
pub(crate) struct GivenUp;

pub(crate) struct MainGuard {
    policy: UnhandledPanic,
    thread: Thread,
    state: Mutex<State>,
    /// Main must stop. Mirrors `state`, for reading without the lock.
    crashed: AtomicBool,
}

enum State {
    Running,
    Crashed {
        payload: Payload,
        /// Main's own unwinding caused it, by dropping a handle.
        after_mains_own: bool,
    },
    /// The payload has been resumed inside a nested `block_on` of main's.
    CrashResumed,
    Done,
    /// The same, and its goroutines go on for a while. The first panic of theirs.
    Settling(Option<Payload>),
}

impl MainGuard {
    /// Main runs on the calling thread.
    pub(crate) fn new(policy: UnhandledPanic) -> Self {
        MainGuard {
            policy,
            thread: std::thread::current(),
            state: Mutex::new(State::Running),
            crashed: AtomicBool::new(false),
        }
    }

    /// Handles a panic that no code can observe.
    pub(crate) fn unhandled(
        &self,
        payload: Payload,
        spawned_at: Option<&'static Location<'static>>,
    ) {
        if self.policy == UnhandledPanic::Ignore {
            return discard(payload);
        }
        if payload.is::<GivenUp>() {
            self.crash(payload);
            return;
        }
        let (consequence, surplus) = self.crash(payload);
        // The report of a simulation says more, and of one run alone.
        if !clock::is_simulated() {
            report(spawned_at, consequence);
        }
        surplus.into_iter().for_each(discard);
    }

    /// Ends main with this panic, unless it ends already. Returns what becomes of main, and the payload
    /// that is not needed.
    pub(crate) fn crash(&self, payload: Payload) -> (&'static str, Option<Payload>) {
        let after_mains_own = self.is_this_thread() && std::thread::panicking();
        let mut state = lock(&self.state);
        let (consequence, surplus) = match *state {
            State::Running => {
                *state = State::Crashed { payload, after_mains_own };
                // Ordering: Release pairs with the Acquire in `crashed`.
                self.crashed.store(true, Ordering::Release);
                ("main is cancelled and the panic resumed in its thread", None)
            }
            State::Crashed { .. } | State::CrashResumed => {
                ("main is being cancelled for an earlier one", Some(payload))
            }
            State::Settling(None) => {
                *state = State::Settling(Some(payload));
                ("main has ended, and the panic is resumed in its thread", None)
            }
            State::Done | State::Settling(Some(_)) => ("main has already ended", Some(payload)),
        };
        drop(state);
        self.thread.unpark();
        (consequence, surplus)
    }

    /// Whether main must stop because of an unhandled panic.
    pub(crate) fn crashed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `unhandled`.
        self.crashed.load(Ordering::Acquire)
    }

    /// Takes the panic, to resume it in the middle of main.
    fn take_for_resumption(&self) -> Payload {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, State::CrashResumed) {
            State::Crashed { payload, .. } => payload,
            _ => already_resumed(),
        }
    }

    /// Main has returned, been interrupted, or panicked with `own`. Returns the earlier panics, in order. From
    /// now on panics are only reported; or, if main has not failed, and goroutines go on until `end_settling`,
    /// the first one is kept.
    pub(crate) fn main_done(
        &self,
        own: Option<Payload>,
        settles: bool,
    ) -> impl Iterator<Item = Payload> + use<> {
        let state = {
            let mut state = lock(&self.state);
            let has_failed = own.is_some() || !matches!(*state, State::Running);
            let next = if settles && !has_failed { State::Settling(None) } else { State::Done };
            std::mem::replace(&mut *state, next)
        };
        self.crashed.store(false, Ordering::Release);
        let panics = match (state, own) {
            (State::Crashed { payload, after_mains_own: true }, own) => [own, Some(payload)],
            (State::Crashed { payload, after_mains_own: false }, own) => [Some(payload), own],
            // Main's own panic is most likely that very one.
            (State::CrashResumed, own) => [own.or_else(|| Some(already_resumed())), None],
            (State::Running | State::Done | State::Settling(_), own) => [own, None],
        };
        panics.into_iter().flatten()
    }

    pub(crate) fn is_main_done(&self) -> bool {
        matches!(*lock(&self.state), State::Done | State::Settling(_))
    }

    /// The goroutines are cancelled now. Returns the first panic of theirs.
    pub(crate) fn end_settling(&self) -> Option<Payload> {
        match std::mem::replace(&mut *lock(&self.state), State::Done) {
            State::Settling(first) => first,
            _ => None,
        }
    }

    /// Whether main runs on the calling thread.
    fn is_this_thread(&self) -> bool {
        self.thread.id() == std::thread::current().id()
    }

    pub(crate) fn thread_name(&self) -> Option<&str> {
        self.thread.name()
    }

    /// Makes main's thread check again whatever it waits for.
    pub(crate) fn unpark(&self) {
        self.thread.unpark();
    }
}

thread_local! {
    /// The mains that run on this thread, outermost first. Without a destructor, so that a main can
    /// run while other thread-locals are destroyed; between mains it owns nothing.
    static MAINS: ManuallyDrop<RefCell<Vec<Arc<MainGuard>>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// Runs `main` as the main of `guard`.
pub(crate) fn run_as_main<R>(guard: &Arc<MainGuard>, main: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            MAINS.with(|mains| {
                let mut mains = mains.borrow_mut();
                mains.pop();
                if mains.is_empty() {
                    *mains = Vec::new();
                }
            });
        }
    }
    MAINS.with(|mains| mains.borrow_mut().push(guard.clone()));
    let _leave = Leave;
    main()
}

/// Whether the caller, which keeps a main on this thread waiting, must unwind it for an unhandled
/// panic. It need not if main already unwinds: a second panic would abort the process.
pub(crate) fn must_unwind() -> bool {
    !std::thread::panicking() && must_stop()
}

/// Whether a main on this thread must be dropped at its next await.
pub(crate) fn must_stop() -> bool {
    crashed_here().is_some()
}

/// Unwinds the outermost main on this thread that must stop, from inside.
pub(crate) fn unwind() -> ! {
    let guard = crashed_here().expect("some main must stop");
    std::panic::resume_unwind(guard.take_for_resumption())
}

fn crashed_here() -> Option<Arc<MainGuard>> {
    MAINS.with(|mains| mains.borrow().iter().find(|guard| guard.crashed()).cloned())
}

/// The payload if main caught the real one and went on.
fn already_resumed() -> Payload {
    Box::new(
        "a goroutine's panic was resumed in main, which caught it; a panic nobody handles ends main",
    )
}

/// Reports on standard error what became of a panic. A failure to write is ignored.
fn report(spawned_at: Option<&'static Location<'static>>, consequence: &str) {
    let mut stderr = std::io::stderr();
    let _ = match spawned_at {
        Some(place) => writeln!(
            stderr,
            "gorun: unhandled panic in the goroutine spawned at {place}: {consequence}"
        ),
        None => {
            writeln!(
                stderr,
                "gorun: unhandled panic in a destructor, a waker or a thread's hook: {consequence}"
            )
        }
    };
}
