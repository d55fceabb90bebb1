//! Which runtime the running thread belongs to, and what it does for it.
//!
//! A [`Context`] lives in the frame of the function that entered it: a worker's main, the main
//! guard, or a nested `block_on`. A thread-local points at the innermost one. When a worker's
//! frame is gone, because the runtime ends or a spare leaves, destructors of thread-locals may still run
//! on its thread; they find [`Place::Ended`].

#![allow(unsafe_code)]

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::Waker;

use crate::rng::Rng;
use crate::scheduler::Scheduler;
use crate::scheduler::task::Meta;
use crate::scheduler::worker::Worker;

/// What a thread does for a runtime.
pub(crate) struct Context {
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) role: Role,
    /// This worker is inside a `block_on`, which waits for other goroutines, perhaps.
    pub(crate) waits_for_others: Cell<bool>,
    /// The goroutine that is being polled here, until it completes.
    pub(crate) polling: Cell<Option<NonNull<Meta>>>,
    /// The data pointer of that goroutine's own waker.
    pub(crate) waker_data: Cell<*const ()>,
    /// The data pointer of the waker of the innermost future that is driven to its end here.
    pub(crate) driving: Cell<*const ()>,
    /// Where the goroutine was spawned whose result is being dropped. Means nothing at other times.
    pub(crate) running: Cell<Option<&'static Location<'static>>>,
    /// Exit is dropping a goroutine's future, and the handles in it.
    pub(crate) dropping_at_exit: Cell<bool>,
    /// How many operations the goroutine that is polled here may still do before it has to give way.
    budget: Cell<u32>,
    /// How often a goroutine has been told to give way.
    gave_way: Cell<u64>,
    /// Chooses among the ready cases of a `select!`.
    choices: Cell<Rng>,
}

/// How many operations on channels a goroutine does in one poll, if all of them are ready. At some
/// thirty nanoseconds each, giving way then costs two percent.
const BUDGET: u32 = 128;

/// The part a thread plays in its runtime.
pub(crate) enum Role {
    /// Runs goroutines.
    Worker(Arc<Worker>),
    /// Drives the main future.
    Main,
    /// Drives another future, in [`Handle::block_on`](crate::Handle::block_on) or in a `block_on`
    /// inside main.
    Guest,
}

/// Where the running code is.
pub(crate) enum Place<'a> {
    /// On no thread of a runtime.
    Outside,
    /// On a worker thread that ends, in the destructor of a thread-local.
    Ended,
    /// Inside a runtime.
    Inside(&'a Context),
}

thread_local! {
    // Without a destructor, so that it can be read while others are destroyed.
    static CURRENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
    /// Chooses where there is no runtime.
    static CHOICES: Cell<Option<Rng>> = const { Cell::new(None) };
}

/// Marks a worker whose context is gone; never dereferenced.
const ENDED: *const Context = ptr::without_provenance(align_of::<Context>());

impl Context {
    pub(crate) fn new(scheduler: Arc<Scheduler>, role: Role) -> Self {
        let number = match &role {
            Role::Worker(worker) => worker.index as u64,
            Role::Main | Role::Guest => u64::MAX,
        };
        // Apart from the seeds of the workers' other choices.
        let choices = Rng::new(scheduler.seed.wrapping_add(number).rotate_left(32));
        Context {
            scheduler,
            role,
            waits_for_others: Cell::new(false),
            polling: Cell::new(None),
            waker_data: Cell::new(ptr::null()),
            driving: Cell::new(ptr::null()),
            running: Cell::new(None),
            dropping_at_exit: Cell::new(false),
            budget: Cell::new(BUDGET),
            gave_way: Cell::new(0),
            choices: Cell::new(choices),
        }
    }

    /// A goroutine's poll begins, or ends early.
    #[inline]
    pub(crate) fn refill_budget(&self) {
        self.budget.set(BUDGET);
    }

    /// Runs `f` with this as the thread's context.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(*const Context);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _restore = Restore(CURRENT.replace(self));
        f()
    }

    /// The worker this thread is, if it is one.
    #[inline]
    pub(crate) fn worker(&self) -> Option<&Worker> {
        match &self.role {
            Role::Worker(worker) => Some(worker),
            Role::Main | Role::Guest => None,
        }
    }

    /// `false` where a goroutine is polled, which has to give way then; others need not.
    #[cold]
    fn begin_after_budget(&self, waker: &Waker) -> bool {
        self.refill_budget();
        let gives_way = self.polling.get().is_some();
        if gives_way {
            self.gave_way.set(self.gave_way.get() + 1);
            waker.wake_by_ref();
        }
        !gives_way
    }

    /// Whether `waker` is that of the goroutine which is being polled here.
    #[inline]
    pub(crate) fn is_own_waker(&self, waker: &Waker) -> bool {
        self.polling.get().is_some() && ptr::eq(self.waker_data.get(), waker.data())
    }

    /// Whether `waker` is that of the goroutine which is being polled here, or of the future which is
    /// being driven: no code of the user's.
    pub(crate) fn is_ours(&self, waker: &Waker) -> bool {
        let driving = self.driving.get();
        // One of the user's may have no data.
        self.is_own_waker(waker) || !driving.is_null() && ptr::eq(driving, waker.data())
    }

    /// Whether this is a context of the scheduler at `address`.
    #[inline]
    pub(crate) fn belongs_to(&self, address: *const Scheduler) -> bool {
        ptr::eq(Arc::as_ptr(&self.scheduler), address)
    }
}

/// Marks the calling thread as a worker's that ends.
pub(crate) fn end_thread() {
    CURRENT.set(ENDED);
}

/// Calls `f` with the place the calling code is in.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(Place<'_>) -> R) -> R {
    let current = CURRENT.get();
    // `f` is called in one place, so that it becomes part of its caller.
    f(if current.is_null() {
        Place::Outside
    } else if current == ENDED {
        Place::Ended
    } else {
        // SAFETY: only `enter` stores other addresses, that of a context borrowed for the whole of
        // a call that is still on this thread's stack: it restores the former value on every way
        // out. The reference stays in `f`, which is above that call on the stack.
        Place::Inside(unsafe { &*current })
    })
}

/// Calls `f`, which drops the result of the goroutine that was spawned there: a panic in a
/// destructor is that goroutine's.
pub(crate) fn with_result_of<R>(
    spawned_at: &'static Location<'static>,
    f: impl FnOnce() -> R,
) -> R {
    with_inside(|context| {
        let Some(context) = context else { return f() };
        let running = context.running.replace(Some(spawned_at));
        let result = f();
        context.running.set(running);
        result
    })
}

/// Calls `f` with the context, if the calling code is inside a runtime.
#[inline]
pub(crate) fn with_inside<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    with(|place| {
        f(match place {
            Place::Inside(context) => Some(context),
            Place::Outside | Place::Ended => None,
        })
    })
}

/// Begins an operation, on a channel for example, that may go on for ever without suspending its
/// goroutine.
///
/// `false` if the goroutine has done its share in this poll: then it has been woken again, and the
/// operation is to say that it is pending. It may go on after that, so that an executor inside the
/// goroutine, which polls it again at once, does not wait for ever.
#[inline]
pub(crate) fn begin_operation(waker: &Waker) -> bool {
    with_inside(|context| {
        let Some(context) = context else { return true };
        match context.budget.get().checked_sub(1) {
            Some(left) => {
                context.budget.set(left);
                true
            }
            None => context.begin_after_budget(waker),
        }
    })
}

/// Whether `waker` is that of the goroutine which is being polled here.
#[inline]
pub(crate) fn is_own_waker(waker: &Waker) -> bool {
    with_inside(|context| context.is_some_and(|context| context.is_own_waker(waker)))
}

/// How often goroutines that are polled here have been told to give way. It becomes more when
/// `begin_operation` says `false`.
pub(crate) fn times_given_way() -> u64 {
    with_inside(|context| context.map_or(0, |context| context.gave_way.get()))
}

/// A random number below `bound`, which must not be zero.
#[inline]
pub(crate) fn random_below(bound: usize) -> usize {
    with_inside(|context| match context {
        Some(context) => {
            let mut rng = context.choices.get();
            let number = rng.below(bound);
            context.choices.set(rng);
            number
        }
        None => {
            let mut rng = CHOICES.get().unwrap_or_else(outside_choices);
            let number = rng.below(bound);
            CHOICES.set(Some(rng));
            number
        }
    })
}

/// For a thread outside: a seed from the standard library, which differs from thread to thread.
#[cold]
fn outside_choices() -> Rng {
    Rng::new(RandomState::new().hash_one(0))
}
