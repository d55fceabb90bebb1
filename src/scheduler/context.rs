//! Which runtime the running thread belongs to, and what it does for it.
//!
//! A [`Context`] lives in the frame of the function that entered it: a worker's `thread_main`,
//! `exit::run_main`, or, on a thread that is not in this runtime, `away::block_on`. A thread-local
//! points at the innermost one. When a worker's frame is gone, because the runtime ends or a spare
//! retires, destructors of thread-locals may still run on its thread; they find [`Place::Ended`].

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::{RawWakerVTable, Waker};

use crate::rng::{Rng, fresh_seed};
use crate::scheduler::budget::Budget;
use crate::scheduler::diagnostics::record::Record;
use crate::scheduler::goroutine::meta::Meta;
use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::main::driver::Driver;
use crate::scheduler::main::local_futures::LocalFutures;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::tokio_bridge::TokioBridge;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::trace::recorder::Recorder;
use crate::scheduler::trace::{Owner, Trace};
use crate::scheduler::wait::{ActivityCell, RawActivity, Wait};
use crate::scheduler::worker::Worker;

/// A thread's state in a runtime.
pub(crate) struct Context {
    pub(crate) scheduler: Arc<Scheduler>,
    /// The scheduler's number.
    pub(crate) runtime: u32,
    pub(crate) role: Role,
    /// This worker is inside a `block_on`, which may wait for other goroutines.
    pub(crate) is_in_nested_block_on: Cell<bool>,
    /// The goroutine whose poll runs here, until it completes.
    pub(crate) polling: Cell<Option<NonNull<Meta>>>,
    /// The data pointer of that goroutine's own waker, and its spawn site, which knows the waker's
    /// functions.
    pub(crate) waker_data: Cell<*const ()>,
    pub(crate) site: Cell<Option<&'static SpawnSite>>,
    /// The innermost future that this thread drives here, and its waker.
    pub(crate) driver: RefCell<Option<Arc<Driver>>>,
    pub(crate) driver_waker: Cell<WakerId>,
    /// Where the goroutine was spawned whose result is being dropped. Valid only while a result is
    /// dropped.
    pub(crate) dropping_result_of: Cell<Option<&'static Location<'static>>>,
    /// Goroutines that are woken between two polls go to the injector, where they get their turn
    /// sooner.
    pub(crate) injects_woken: Cell<bool>,
    /// The goroutine that has just run yielded, and this worker's ring had no other task.
    pub(crate) yielded_to_none: Cell<bool>,
    /// Exit is dropping a goroutine's future, and the handles in it.
    pub(crate) dropping_at_exit: Cell<bool>,
    /// What the poll that runs here waits for, as far as it has noted it.
    pub(crate) wait: Cell<Option<Wait>>,
    /// How many operations this poll may still begin (`gate.rs`).
    pub(crate) budget: Arc<Budget>,
    /// Records what happens on this thread, if the runtime does. A guest has none, nor has
    /// a thread for which there was no memory: they record as threads outside do.
    pub(crate) recorder: Option<Recorder>,
    /// Polls are of interest to a trace, or to full diagnostics.
    pub(crate) sees_polls: bool,
    /// So is the next spawn or wake, or its latency is to be sampled.
    pub(crate) sees_queued: Cell<bool>,
    wants_sample: Cell<bool>,
    /// How much is to happen before the next sample.
    until_sample: Cell<u32>,
    /// With full diagnostics: the poll that ends here is pending, and has this number.
    pub(crate) pending: Cell<Option<(Arc<Record>, u64)>>,
    /// Random choices among the ready cases of a `select!`. In a simulation those are not drawn here.
    choices: Cell<Rng>,
}

/// Identifies a waker, and distinguishes it from a user's waker with the same data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakerId {
    data: *const (),
    vtable: *const RawWakerVTable,
}

impl WakerId {
    /// Matches no waker.
    pub(crate) const NONE: Self = WakerId { data: ptr::null(), vtable: ptr::null() };

    #[inline]
    pub(crate) fn of(waker: &Waker) -> Self {
        WakerId { data: waker.data(), vtable: waker.vtable() }
    }
}

/// What a thread is in its runtime.
pub(crate) enum Role {
    /// Runs goroutines.
    Worker(Arc<Worker>),
    /// Drives the main future, and those that main has spawned on its own thread.
    Main(LocalFutures),
    /// Drives another future, in [`Handle::block_on`](crate::Handle::block_on) on a thread that is
    /// not in this runtime.
    Guest,
}

/// Where the running code is.
pub(crate) enum Place<'a> {
    /// On a thread of no runtime.
    Outside,
    /// On a worker thread that ends, in the destructor of a thread-local.
    Ended,
    /// Inside a runtime.
    Inside(&'a Context),
}

thread_local! {
    // Without a destructor, so that it can be read while other thread-locals are destroyed.
    static CURRENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
    /// Random choices outside runtimes.
    static CHOICES: Cell<Option<Rng>> = const { Cell::new(None) };
}

/// A sample takes a quarter of a microsecond. It comes after so many looks at the injector, which are 61 polls
/// apart, or half as many sleeps.
const SAMPLE_AFTER: u32 = 16;
pub(crate) const LOOK: u32 = 1;
pub(crate) const SLEEP: u32 = 2;

/// Marks a worker whose context is gone. It is never dereferenced.
const ENDED: *const Context = ptr::without_provenance(align_of::<Context>());

impl Context {
    pub(crate) fn new(scheduler: Arc<Scheduler>, role: Role) -> Self {
        let (budget, seed) = match &role {
            Role::Worker(worker) => (worker.budget.clone(), scheduler.seed_of(worker.index)),
            Role::Main(_) | Role::Guest => (Arc::new(Budget::new()), fresh_seed()),
        };
        let owner = match &role {
            Role::Worker(worker) => Some(Owner::Worker(worker.index)),
            Role::Main(_) => Some(Owner::Main),
            Role::Guest => None,
        };
        let recorder = owner.and_then(|owner| scheduler.trace.as_ref()?.recorder(owner));
        let choices = match scheduler.simulation() {
            Some(_) => Rng::ABSENT,
            None => Rng::new(seed),
        };
        let sees = scheduler.sees;
        // A guest comes and goes, perhaps often.
        let samples = !matches!(role, Role::Guest);
        Context {
            runtime: scheduler.id.get(),
            scheduler,
            role,
            is_in_nested_block_on: Cell::new(false),
            polling: Cell::new(None),
            waker_data: Cell::new(ptr::null()),
            site: Cell::new(None),
            driver: RefCell::new(None),
            driver_waker: Cell::new(WakerId::NONE),
            dropping_result_of: Cell::new(None),
            injects_woken: Cell::new(false),
            yielded_to_none: Cell::new(false),
            dropping_at_exit: Cell::new(false),
            wait: Cell::new(None),
            budget,
            recorder,
            sees_polls: sees,
            sees_queued: Cell::new(sees || samples),
            wants_sample: Cell::new(samples),
            until_sample: Cell::new(SAMPLE_AFTER),
            pending: Cell::new(None),
            choices: Cell::new(choices),
        }
    }

    /// Runs `f` with this as the thread's context, and in that of tokio's runtime, if there is a bridge
    /// to one.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore {
            own: *const Context,
            former: *const Context,
        }
        impl Drop for Restore {
            fn drop(&mut self) {
                if CURRENT.replace(self.former) != self.own {
                    left_out_of_turn();
                }
            }
        }
        let _tokio = self.scheduler.config.tokio.as_ref().map(TokioBridge::enter);
        let _restore = Restore { own: self, former: CURRENT.replace(self) };
        f()
    }

    /// The futures of `spawn_local`, if this is main's thread.
    pub(crate) fn local_futures(&self) -> Option<&LocalFutures> {
        match &self.role {
            Role::Main(futures) => Some(futures),
            Role::Worker(_) | Role::Guest => None,
        }
    }

    /// This thread's worker, if it is one.
    #[inline]
    pub(crate) fn worker(&self) -> Option<&Arc<Worker>> {
        match &self.role {
            Role::Worker(worker) => Some(worker),
            Role::Main(_) | Role::Guest => None,
        }
    }

    /// What the future does that this thread drives, as reports show it. Not that of a guest: they know of
    /// no guests.
    pub(crate) fn driving(&self) -> Option<&ActivityCell> {
        match &self.role {
            Role::Worker(worker) => Some(&worker.driving),
            Role::Main(_) => Some(&self.scheduler.main_activity),
            Role::Guest => None,
        }
    }

    /// Whether `waker` belongs to the goroutine whose poll runs here.
    #[inline]
    pub(crate) fn is_own_waker(&self, waker: &Waker) -> bool {
        ptr::eq(self.waker_data.get(), waker.data())
            && self.polling.get().is_some()
            && self.site.get().is_some_and(|site| site.makes(waker))
    }

    /// Whether `waker` belongs to the goroutine whose poll runs here, or to the future that is
    /// driven here, and so is not user code.
    pub(crate) fn is_internal(&self, waker: &Waker) -> bool {
        self.is_own_waker(waker) || self.driver_waker.get() == WakerId::of(waker)
    }

    /// Whether main, a guest, or a goroutine in a nested `block_on` drives a future here.
    pub(crate) fn is_driving(&self) -> bool {
        self.driver_waker.get() != WakerId::NONE
    }

    /// The goroutine `task` is about to be queued here, because it was spawned or woken.
    #[cold]
    #[inline(never)]
    pub(crate) fn see_queued(&self, kind: EventKind, task: RawTask, site: usize, meta: &Meta) {
        if self.wants_sample.replace(false) {
            self.sees_queued.set(self.sees_polls);
            self.scheduler.latencies.begin(task);
            meta.mark();
        }
        self.record(kind, task, site);
    }

    /// The goroutine that was marked runs here.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_sample(&self, meta: &Meta) {
        meta.unmark();
        self.scheduler.latencies.end(self.waker_data.get().addr());
    }

    /// The poll that ran here has ended. `is_queued`: somebody has woken the goroutine meanwhile.
    #[inline]
    pub(crate) fn end_pending(&self, is_queued: bool) {
        if let Some((record, poll)) = self.pending.take()
            && !is_queued
        {
            record.begin_wait(poll);
        }
    }

    /// Something happens here that is rare, so much nearer to the next sample.
    #[inline]
    pub(crate) fn approach_sample(&self, by: u32) {
        if let Role::Guest = self.role {
            return;
        }
        let left = self.until_sample.get().saturating_sub(by);
        self.until_sample.set(left);
        if left == 0 {
            self.until_sample.set(SAMPLE_AFTER);
            self.wants_sample.set(true);
            self.sees_queued.set(true);
        }
    }

    /// Records that this happens here, if the runtime records anything.
    pub(crate) fn record(&self, kind: EventKind, subject: usize, site: usize) {
        match &self.recorder {
            Some(recorder) => recorder.record(kind, subject, site),
            None => self.scheduler.record(kind, subject, site),
        }
    }

    /// Whether this is a context of the scheduler at `address`.
    #[inline]
    pub(crate) fn belongs_to(&self, address: *const Scheduler) -> bool {
        ptr::eq(Arc::as_ptr(&self.scheduler), address)
    }
}

/// A thread leaves its contexts in the reverse order of entering them, unless code inside switches
/// stacks. Then the thread-local would point at a frame that is gone.
#[cold]
fn left_out_of_turn() -> ! {
    eprintln!(
        "gorun: a `block_on` has ended on this thread before another one that began later. Code inside has \
         switched stacks, as coroutine crates do, and gorun cannot follow that. Let each coroutine come \
         to the end of its own `block_on` before another runs on this thread"
    );
    std::process::abort()
}

/// Marks the calling thread as a worker's that ends.
pub(crate) fn end_thread() {
    CURRENT.set(ENDED);
}

/// Calls `f` with the place of the calling code.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(Place<'_>) -> R) -> R {
    let current = CURRENT.get();
    // One call site, so that `f` is inlined.
    f(if current.addr() <= ENDED.addr() {
        if current.is_null() { Place::Outside } else { Place::Ended }
    } else {
        // SAFETY: only `enter` stores other addresses. Each is that of a context borrowed for the
        // whole of a call that is still on this thread's stack: `enter` restores the former value
        // on every way out, and aborts if contexts are left out of turn. The reference does not
        // escape `f`, which is above that call on the stack. Exercised by
        // `soundness::contexts_nested_and_unwound`.
        Place::Inside(unsafe { &*current })
    })
}

/// Records that this happens on the calling thread, if `scheduler` records anything.
pub(crate) fn record(scheduler: &Scheduler, kind: EventKind, subject: usize) {
    if let Some(trace) = &scheduler.trace {
        record_in(trace, kind, subject);
    }
}

/// Records in `trace` that this happens on the calling thread.
pub(crate) fn record_in(trace: &Trace, kind: EventKind, subject: usize) {
    let is_its = |context: &Context| {
        context.scheduler.trace.as_ref().is_some_and(|own| ptr::eq(&**own, trace))
    };
    with_inside(|context| match context {
        Some(context) if is_its(context) => context.record(kind, subject, 0),
        _ => trace.record_outside(kind, subject, 0, RawActivity::RUNNING),
    });
}

/// Calls `f`, which drops the result of the goroutine spawned at `spawned_at`: a panic in a
/// destructor counts as that goroutine's.
pub(crate) fn with_result_of<R>(
    spawned_at: &'static Location<'static>,
    f: impl FnOnce() -> R,
) -> R {
    with_inside(|context| {
        let Some(context) = context else { return f() };
        let dropping_result_of = context.dropping_result_of.replace(Some(spawned_at));
        let result = f();
        context.dropping_result_of.set(dropping_result_of);
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

/// Whether `waker` belongs to the goroutine whose poll runs here.
#[inline]
pub(crate) fn is_own_waker(waker: &Waker) -> bool {
    with_inside(|context| context.is_some_and(|context| context.is_own_waker(waker)))
}

/// Calls `f`, in which `waker` is the own waker of the goroutine whose poll runs here, instead of the one that
/// `async-task` has made. `wakers` has its functions.
pub(crate) fn with_own_waker<R>(
    waker: &Waker,
    wakers: &'static SpawnSite,
    f: impl FnOnce() -> R,
) -> R {
    struct Restore<'a>(&'a Context, *const (), Option<&'static SpawnSite>);
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            let &mut Restore(context, data, site) = self;
            context.waker_data.set(data);
            context.site.set(site);
        }
    }
    with_inside(|context| {
        let context = context.expect("goroutines are polled by workers");
        let data = context.waker_data.replace(waker.data());
        let _restore = Restore(context, data, context.site.replace(Some(wakers)));
        f()
    })
}

/// The poll that runs here, `poll` of the goroutine with this record, is pending.
pub(crate) fn note_pending(record: &Arc<Record>, poll: u64) {
    with_inside(|context| {
        let context = context.expect("goroutines are polled by workers");
        context.pending.set(Some((record.clone(), poll)));
    });
}

/// 64 random bits; `None` in a simulation, which decides about each choice (`below_in_simulation`).
#[inline]
pub(crate) fn random_bits() -> Option<u64> {
    with_inside(|context| match context {
        Some(context) => {
            let mut rng = context.choices.get();
            if rng.is_absent() {
                return None;
            }
            let bits = rng.bits();
            context.choices.set(rng);
            Some(bits)
        }
        None => {
            let mut rng = CHOICES.get().unwrap_or_else(|| Rng::new(fresh_seed()));
            let bits = rng.bits();
            CHOICES.set(Some(rng));
            Some(bits)
        }
    })
}

/// A number below `bound`, which must not be zero, as the simulation decides in which the calling
/// code runs. Outside one it is random.
#[cold]
pub(crate) fn below_in_simulation(bound: usize) -> usize {
    let simulated = with_inside(|context| Some(context?.scheduler.simulation_here()?.below(bound)));
    simulated.unwrap_or_else(|| Rng::new(fresh_seed()).below(bound))
}
