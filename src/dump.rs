//! What the goroutines of a runtime do, and where.
//!
//! ```
//! use gorun::{Handle, channel, go, yield_now};
//!
//! gorun::Builder::new().worker_threads(1).block_on(async {
//!     let (tx, rx) = channel::<u32>(1);
//!     for _ in 0..3 {
//!         let rx = rx.clone();
//!         go!(async move { rx.recv().await });
//!     }
//!     # while Handle::current().dump().groups().len() != 1
//!     #     || Handle::current().dump().groups()[0].count != 3 { gorun::time::sleep(std::time::Duration::from_millis(1)).await }
//!     gorun::time::sleep(std::time::Duration::from_millis(1)).await;
//!     println!("{}", Handle::current().dump());
//!     // gorun: 4 goroutines, main among them
//!     // main [running]
//!     // 3 goroutines [recv] at src/main.rs:8:37, spawned at src/main.rs:8:9
//!     // ..
//!     # drop(tx);
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::duration::roughly;
use crate::handle::Handle;
use crate::scheduler::census::{PollState, WorkerState};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::wait::{Activity, is_users};

/// So many groups a printed dump has at most.
const MOST_GROUPS: usize = 100;

/// The state of a runtime's goroutines at a moment: [`Handle::dump`] makes it.
///
/// To print it is to see it: its [`Display`](fmt::Display) has a line for each group of goroutines that
/// were spawned at one place and wait at one place, the largest first, and one for each worker. It prints a
/// hundred groups at most, and how many there are beyond.
///
/// With [full diagnostics](crate::Builder::full_diagnostics) it also says for how long they have been waiting, with
/// those first that have waited longest, and which of them nobody can wake.
///
/// Go counterpart: the stacks that a program prints on `SIGQUIT`, and `runtime.Stack`.
///
/// # Examples
///
/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Dump {
    main: Option<State>,
    main_waited: Option<Duration>,
    groups: Vec<Group>,
    new: usize,
    is_ending: bool,
    workers: Vec<WorkerDump>,
}

/// Goroutines of a [`Dump`] that were spawned at one place, and do the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// How many they are.
    pub count: usize,
    /// Where they were spawned.
    pub spawned_at: &'static Location<'static>,
    /// What each of them does.
    pub state: State,
    /// For how long the one has been waiting that has waited longest: since its last poll. `None`: they do not wait,
    /// or nobody knows, as without [full diagnostics](crate::Builder::full_diagnostics).
    pub longest: Option<Duration>,
    /// How many of them nobody can wake: what they wait for has kept no waker of theirs. Each of them is dropped
    /// when it is aborted or when main has ended, and does nothing until then. This is certain, but of those that do
    /// not count here others may wait in vain, too: somebody has a waker, and does not use it. 0
    /// without [full diagnostics](crate::Builder::full_diagnostics).
    pub orphans: usize,
}

/// What a goroutine, or main, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It could run, and waits in a queue for a worker.
    Queued,
    /// It is being polled.
    Running,
    /// It waits for an operation of gorun's, of those that wait in it for the one that it polled last.
    #[non_exhaustive]
    Waiting {
        /// The kind of operation: `recv`, `send`, `select`, `sleep`, `join`, `lock`, ..
        operation: &'static str,
        /// The place of the `.await`. It may be in another crate, if that polls the operation for the
        /// program, as `futures::join!` does. `None` if it is in gorun, or in `std`, as for a future in a
        /// box.
        at: Option<&'static Location<'static>>,
    },
    /// It waits for a future that is not gorun's.
    WaitingElsewhere,
}

/// A worker of a [`Dump`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerDump {
    /// Its number.
    pub index: usize,
    /// What it has on its thread. `None`: it has nothing to do.
    pub poll: Option<PollDump>,
}

/// What a worker of a [`Dump`] has on its thread.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PollDump {
    /// Where the goroutine was spawned. `None` if it ends just now, or if it is a waker or a hook.
    pub spawned_at: Option<&'static Location<'static>>,
    /// For how long at least it has been doing this: since the monitor noticed it, mostly a millisecond or
    /// two after it began, or an earlier dump. `None`: nobody has noticed it yet, since the monitor sleeps while
    /// no work waits.
    pub held_for: Option<Duration>,
    /// It blocks in a way that gorun knows, in [`blocking`](crate::blocking) or
    /// [`block_on`](crate::block_on()), and another thread stands in for it.
    pub is_blocked: bool,
    /// What it waits for, if it is blocked in a `block_on`.
    pub waits_for: Option<State>,
}

impl Handle {
    /// What the goroutines of this runtime do at present, and where.
    ///
    /// It polls nothing, waits for no worker, and can be called on any thread, so it also tells of a
    /// program whose workers are all stuck. A million goroutines take some tenths of a second. It is not
    /// a moment of the whole program: while it goes from one goroutine to the next, others go on. It does
    /// not know the futures of [`spawn_local`](crate::spawn_local), nor what a thread outside waits for in
    /// [`block_on`](Handle::block_on).
    ///
    /// Go counterpart: `runtime.Stack` with `all`, `pprof.Lookup("goroutine")`.
    ///
    /// # Examples
    ///
    /// See [`dump`](crate::dump).
    pub fn dump(&self) -> Dump {
        Dump::of(self.scheduler())
    }
}

impl Dump {
    pub(crate) fn of(scheduler: &Scheduler) -> Dump {
        let census = scheduler.census();
        let groups = census.tallies.into_iter().map(|((spawned_at, activity), tally)| Group {
            count: tally.count,
            spawned_at,
            state: State::from(activity),
            longest: tally.longest,
            orphans: tally.orphans,
        });
        let mut groups: Vec<_> = groups.collect();
        groups.sort_by_key(|group| {
            // What is wrong for certain, and who could run and does not, are always among those that are printed.
            let waits = matches!(group.state, State::Waiting { .. } | State::WaitingElsewhere);
            let first = (group.orphans == 0, waits && group.longest.is_some());
            let rank = (first, Reverse(group.longest), Reverse(group.count));
            (rank, group.spawned_at, group.state.place(), group.state.rank())
        });
        Dump {
            main: census.main.map(State::from),
            main_waited: census.main_waited,
            groups,
            new: census.new,
            is_ending: census.is_ending,
            workers: census.workers.into_iter().map(WorkerDump::from).collect(),
        }
    }

    /// What main does. `None` if it has ended.
    pub fn main(&self) -> Option<State> {
        self.main
    }

    /// For how long main has been waiting. `None`: it does not, or nobody knows, as without [full
    /// diagnostics](crate::Builder::full_diagnostics).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{Builder, Handle};
    ///
    /// let main = async { Handle::current().dump().main_waited() };
    /// // It runs.
    /// assert_eq!(Builder::new().full_diagnostics(true).block_on(main)?, None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn main_waited(&self) -> Option<Duration> {
        self.main_waited
    }

    /// The goroutines that have been suspended at some time: the largest group first, or, with [full
    /// diagnostics](crate::Builder::full_diagnostics), the one that has waited longest. Those that have not been
    /// suspended are in [`num_new`](Self::num_new).
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many goroutines have never been suspended: they are in a queue, or in their first poll. When main
    /// has ended, all that are left count here.
    pub fn num_new(&self) -> usize {
        self.new
    }

    /// The workers, and those that stand in for others.
    pub fn workers(&self) -> &[WorkerDump] {
        &self.workers
    }

    /// How many goroutines there are in all, main included.
    pub fn num_goroutines(&self) -> usize {
        let suspended: usize = self.groups.iter().map(|group| group.count).sum();
        suspended + self.new + usize::from(self.main.is_some())
    }
}

impl State {
    /// Of two that are alike but for this, the first to be shown.
    fn rank(self) -> (u8, &'static str) {
        match self {
            State::Queued => (0, ""),
            State::Running => (1, ""),
            State::Waiting { operation, .. } => (2, operation),
            State::WaitingElsewhere => (3, ""),
        }
    }

    fn place(self) -> Option<&'static Location<'static>> {
        match self {
            State::Waiting { at, .. } => at,
            _ => None,
        }
    }
}

impl From<Activity> for State {
    fn from(activity: Activity) -> Self {
        match activity {
            Activity::Queued => State::Queued,
            Activity::Running => State::Running,
            Activity::WaitingElsewhere => State::WaitingElsewhere,
            Activity::Waiting(operation, at) => {
                State::Waiting { operation: operation.name(), at: at.filter(|at| is_users(at)) }
            }
        }
    }
}

impl From<WorkerState> for WorkerDump {
    fn from(WorkerState { index, poll }: WorkerState) -> Self {
        let poll = poll.map(|PollState { spawned_at, held_for, is_blocked, driving }| PollDump {
            spawned_at,
            held_for,
            is_blocked,
            waits_for: driving.map(State::from),
        });
        WorkerDump { index, poll }
    }
}

fn goroutines(count: usize) -> String {
    format!("{count} goroutine{}", if count == 1 { "" } else { "s" })
}

impl State {
    /// With how long that has lasted.
    fn write(self, f: &mut fmt::Formatter<'_>, waited: Option<Duration>) -> fmt::Result {
        let what = match self {
            State::Queued => "queued",
            State::Running => "running",
            State::WaitingElsewhere => "waits for a future that is not gorun's",
            State::Waiting { operation, .. } => operation,
        };
        let waited = waited.map_or(String::new(), |waited| format!(", {}", roughly(waited)));
        write!(f, "[{what}{waited}]")?;
        match self.place() {
            Some(at) => write!(f, " at {at}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Group { count, spawned_at, state, longest, orphans } = self;
        write!(f, "{} ", goroutines(count))?;
        state.write(f, longest)?;
        write!(f, ", spawned at {spawned_at}")?;
        match orphans {
            0 => Ok(()),
            1 if count == 1 => f.write_str("; nobody can wake it"),
            _ if orphans == count => f.write_str("; nobody can wake them"),
            _ => write!(f, "; nobody can wake {orphans} of them"),
        }
    }
}

impl fmt::Display for WorkerDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}: ", self.index)?;
        let Some(poll) = &self.poll else { return f.write_str("idle") };
        f.write_str(if poll.is_blocked { "blocked" } else { "running" })?;
        if let Some(held_for) = poll.held_for {
            write!(f, " for {held_for:?}")?;
        }
        if let Some(waits_for) = &poll.waits_for {
            write!(f, " {waits_for}")?;
        }
        match poll.spawned_at {
            Some(spawned_at) => write!(f, ", a goroutine spawned at {spawned_at}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let among = if self.main.is_some() { ", main among them" } else { "; main has ended" };
        writeln!(f, "gorun: {}{among}", goroutines(self.num_goroutines()))?;
        if let Some(main) = self.main {
            f.write_str("main ")?;
            main.write(f, self.main_waited)?;
            writeln!(f)?;
        }
        let (shown, others) = self.groups.split_at(self.groups.len().min(MOST_GROUPS));
        shown.iter().try_for_each(|group| writeln!(f, "{group}"))?;
        if !others.is_empty() {
            let count: usize = others.iter().map(|group| group.count).sum();
            let which =
                if shown.iter().any(|group| group.longest.is_some()) { "other" } else { "smaller" };
            writeln!(f, "and {count} goroutines in {} {which} groups", others.len())?;
        }
        if self.new > 0 {
            let which = match self.is_ending {
                true => "left, while main has ended",
                false => "new, so queued or in the first poll",
            };
            writeln!(f, "{}: {which}", goroutines(self.new))?;
        }
        self.workers.iter().try_for_each(|worker| writeln!(f, "{worker}"))
    }
}
