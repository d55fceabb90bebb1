//! The gate: every future of gorun passes it when it is polled.
//!
//! # The rule
//!
//! A future whose awaits are always ready never suspends by itself. So each poll has a budget of
//! operations (`budget.rs`). After the budget is spent, the next operation *gives way*: it wakes
//! its waker, returns pending, and proceeds when it is polled again.
//!
//! | polled by | when the budget is spent | afterwards |
//! |---|---|---|
//! | a goroutine | gives way: back of the queue | a full budget |
//! | a goroutine, and its runtime is closing | gives way: the scheduler drops it | one operation |
//! | main, a guest, a nested `block_on` | gives way: its thread fires its timers, and polls again | a full budget |
//! | an executor, or a combinator, inside one of these, with its own waker | gives way: it polls again | one operation |
//! | a destructor that exit calls, a waker, a thread outside | goes on | a full budget |
//! | any code, with a waker without data, or inside `default` | goes on | unchanged |
//!
//! An executor inside the future polls again at once, so it proceeds one operation at a time. The
//! future itself has not given way yet. So the next operation polled with its own waker gives way.
//!
//! The last row is for code that only *probes*. A waker without data (the no-op of `std`, or of
//! `futures`) cannot cause another poll, and a first look must not miss anything because of a
//! budget.
//!
//! The budget ends early in two cases: the monitor exhausts it if a goroutine holds its worker for
//! long while work waits, and exit exhausts it when the runtime closes. Both do so from another
//! thread. So a goroutine that computes between awaits that are always ready gives way in time,
//! too, and none goes on for long after main has returned.
//!
//! The poller decides, never the owner of the channel or handle.
//!
//! # Withdrawing
//!
//! A `timeout` whose time is up polls its future once more, and asks the operations in it to
//! *withdraw*: each has completed or left its wait queue when that poll returns. So an operation
//! that was committed just before the limit is reported as done, and one that is reported as late
//! has not happened. The request holds only for operations that are polled with the very waker of
//! the `timeout`, so an executor inside the future does not see it. An operation that withdraws
//! wakes that waker, so that if the future is kept, it is polled again and enters its wait queue
//! anew. Those of `gorun::sync` that are granted something in their turn, a lock, permits, a
//! notification, do not withdraw: what they were granted goes to the next one when they are dropped.
//! Who waits for a lock or permits does not get them in the last poll: whatever comes after them
//! would begin, in each of many that end at the same time.
//!
//! An operation that has waited withdraws even if its neighbours have spent the budget. An
//! operation that polls others passes the request on, also without budget, if it has waited. It
//! does so once, so this ends. In the last poll 256 more operations may begin within a millisecond, unless the
//! runtime is closing. After that they give way, as in a poll whose budget has been exhausted: an operation that has
//! not begun has not happened.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::Location;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::clock;
use crate::scheduler::budget::{Left, SLOW};
use crate::scheduler::context::{Context, WakerId, with_inside};
use crate::scheduler::operation::Operation;
use crate::scheduler::wait::Wait;

thread_local! {
    /// How many operations have given way on this thread.
    static GIVEN_WAY: Cell<u64> = const { Cell::new(0) };
    /// The running code probes: it polls once, and does not wait.
    static PROBING: Cell<bool> = const { Cell::new(false) };
    /// The waker of a `timeout` whose time is up, and what may begin with it whatever is left of the
    /// budget.
    static WITHDRAWING: Cell<WakerId> = const { Cell::new(WakerId::NONE) };
    static EXTRA: Cell<Extra> = const { Cell::new(Extra { operations: 0, until: None }) };
}

/// For how long a last poll has extra operations.
const EXTRA_TIME: Duration = Duration::from_millis(1);

/// The operations that may still begin in a last poll, and until when.
#[derive(Clone, Copy)]
struct Extra {
    operations: u32,
    until: Option<Instant>,
}

impl Extra {
    fn of_a_last_poll() -> Self {
        Extra { operations: SLOW, until: clock::now().checked_add(EXTRA_TIME) }
    }

    /// Spends one on this thread, if one is left.
    fn spend() -> bool {
        let Extra { operations, until } = EXTRA.get();
        let may = operations > 0 && until.is_some_and(|until| clock::now() < until);
        if may {
            EXTRA.set(Extra { operations: operations - 1, until });
        }
        may
    }
}

/// Begins an operation. `false`: it gives way. Its waker has been woken, and it must return
/// pending.
#[inline]
pub(crate) fn enter(waker: &Waker) -> bool {
    with_inside(|context| match context {
        Some(context) if !context.budget.spend() => spend_after_stage(context, waker),
        _ => true,
    })
}

/// Begins an operation that polls other futures, or continues it if it has waited. `None`: it gives
/// way.
#[inline]
pub(crate) fn enter_outer(waker: &Waker, has_waited: bool) -> Option<OuterOp> {
    with_inside(|context| {
        let Some(context) = context else { return Some(OuterOp { left: None, noted: None }) };
        if context.budget.left() == 0
            && !enter_after_stage(context, waker)
            && !(has_waited && is_withdrawing(waker))
        {
            return None;
        }
        Some(OuterOp { left: Some(context.budget.save()), noted: context.wait.take() })
    })
}

/// What was there when an operation that polls others began: the budget left, and the note of a wait.
pub(crate) struct OuterOp {
    left: Option<Left>,
    noted: Option<Wait>,
}

impl OuterOp {
    /// The operation is complete. It costs one only if nothing inside it did, so one operation
    /// inside any number of others needs no larger budget than it does alone.
    #[inline]
    pub(crate) fn finish(self) {
        with_inside(|context| {
            let Some(context) = context else { return };
            context.wait.set(self.noted);
            if self.left == Some(context.budget.save()) {
                context.budget.spend();
            }
        });
    }

    /// The operation waits. That is noted unless something inside it has noted more.
    #[track_caller]
    pub(crate) fn note_wait(&self, operation: Operation) {
        let wait = Wait { operation, place: Location::caller() };
        with_inside(|context| {
            if let Some(context) = context
                && context.wait.get().is_none()
            {
                context.wait.set(Some(wait));
            }
        });
    }
}

#[cold]
fn spend_after_stage(context: &Context, waker: &Waker) -> bool {
    let enters = enter_after_stage(context, waker);
    if enters {
        context.budget.spend();
    }
    enters
}

/// Nothing is left of this stage.
#[cold]
fn enter_after_stage(context: &Context, waker: &Waker) -> bool {
    if waker.data().is_null() || PROBING.get() {
        return true;
    }
    let is_driving = context.is_driving();
    let is_closing = !is_driving && context.scheduler.is_closing();
    if !is_closing && is_withdrawing(waker) && Extra::spend() {
        return true;
    }
    let is_goroutine = context.polling.get().is_some() && !context.dropping_at_exit.get();
    if !is_driving && !is_goroutine {
        context.budget.refill();
        return true;
    }
    if context.budget.begin_stage() {
        return true;
    }
    match context.is_internal(waker) && !is_closing {
        true => context.budget.refill(),
        false => context.budget.set(1),
    }
    GIVEN_WAY.set(GIVEN_WAY.get() + 1);
    waker.wake_by_ref();
    false
}

/// Notes that `operation` waits, if it does, where it is awaited. Says what it was given.
#[inline(always)]
#[track_caller]
pub(crate) fn note_wait<T>(operation: Operation, polled: Poll<T>) -> Poll<T> {
    if polled.is_pending() {
        let wait = Wait { operation, place: Location::caller() };
        with_inside(|context| {
            if let Some(context) = context {
                context.wait.set(Some(wait));
            }
        });
    }
    polled
}

pub(crate) fn times_given_way() -> u64 {
    GIVEN_WAY.get()
}

/// For a simulation, in which others run on this thread meanwhile.
pub(crate) fn set_times_given_way(times: u64) {
    GIVEN_WAY.set(times);
}

/// Sets whether the calling code only probes. Returns the former value.
pub(crate) fn set_probing(probes: bool) -> bool {
    PROBING.replace(probes)
}

/// Calls `poll`, which must not wait. The budget does not apply to it, and stays as it is.
pub(crate) fn probe<R>(poll: impl FnOnce() -> R) -> R {
    with_inside(|context| {
        let before = context.map(|context| (context, context.budget.save(), context.wait.get()));
        let _restore = EndProbe { was_probing: PROBING.replace(true), before };
        poll()
    })
}

struct EndProbe<'a> {
    was_probing: bool,
    /// What was left of the budget, and noted of a wait.
    before: Option<(&'a Context, Left, Option<Wait>)>,
}

impl Drop for EndProbe<'_> {
    fn drop(&mut self) {
        PROBING.set(self.was_probing);
        if let Some((context, left, noted)) = self.before {
            context.budget.restore(left);
            context.wait.set(noted);
        }
    }
}

/// Calls `poll`. Operations in it that are polled with `waker` withdraw.
pub(crate) fn withdraw<R>(waker: &Waker, poll: impl FnOnce() -> R) -> R {
    let own = WakerId::of(waker);
    let former = WITHDRAWING.replace(own);
    // A nested call with the same waker shares what is left of the outer one's extra budget.
    // Otherwise a loop of such calls would never end.
    let extra = (former != own).then(|| EXTRA.replace(Extra::of_a_last_poll()));
    let _restore = EndWithdrawing { former, extra };
    poll()
}

struct EndWithdrawing {
    former: WakerId,
    /// What was left of the outer call's extra budget, if this call has its own.
    extra: Option<Extra>,
}

impl Drop for EndWithdrawing {
    fn drop(&mut self) {
        WITHDRAWING.set(self.former);
        if let Some(extra) = self.extra {
            EXTRA.set(extra);
        }
    }
}

/// Whether an operation that is polled with `waker` must withdraw rather than wait.
#[inline]
pub(crate) fn is_withdrawing(waker: &Waker) -> bool {
    WITHDRAWING.get() == WakerId::of(waker)
}
