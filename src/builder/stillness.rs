//! What a runtime does when nothing moves.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::report::{print, print_meanwhile};
use super::trace_file::TraceFile;
use super::variables::{invalid, variable};
use crate::deadlock::{OnDeadlock, Stall};
use crate::dump::Dump;
use crate::panics;
use crate::scheduler::monitor::stillness::{Kind, Stillness, StillnessSettings, Tell};
use crate::scheduler::shared::Scheduler;

const VARIABLE: &str = "GORUN_DEADLOCK";

/// The least time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct OnStillness {
    pub(super) on_deadlock: Option<OnDeadlock>,
    /// If neither the program nor the environment says anything.
    pub(super) default: OnDeadlock,
    pub(super) closed_after: Option<Duration>,
    pub(super) on_stall: Option<(Duration, OnStall)>,
    pub(super) interval: Duration,
}

impl Default for OnStillness {
    fn default() -> Self {
        OnStillness {
            on_deadlock: None,
            default: OnDeadlock::default(),
            closed_after: None,
            on_stall: None,
            interval: INTERVAL,
        }
    }
}

#[derive(Clone)]
pub(super) struct OnStall(pub(super) Arc<dyn Fn(&Stall) + Send + Sync>);

/// gorun catches its panics; it answers for any state it leaves behind.
impl UnwindSafe for OnStall {}
impl RefUnwindSafe for OnStall {}

impl OnStillness {
    /// `trace` is written when nothing moves.
    pub(super) fn into_settings(
        self,
        trace: Option<TraceFile>,
    ) -> io::Result<Option<StillnessSettings>> {
        let wanted = match variable(VARIABLE) {
            Some(value) => Wanted::parse(&value)?,
            None => Wanted::default(),
        };
        let on_deadlock = self.on_deadlock.or(wanted.on_deadlock).unwrap_or(self.default);
        if on_deadlock == OnDeadlock::Ignore && self.on_stall.is_none() && !wanted.explains {
            return Ok(None);
        }
        let (stall_after, on_stall) = self.on_stall.unzip();
        let tell = move |scheduler: &Arc<Scheduler>, Stillness { lasted, kind }: &Stillness| {
            let reason = match kind {
                Kind::Deadlock => {
                    tell_deadlock(scheduler, on_deadlock);
                    "it may not: this is a deadlock".to_owned()
                }
                Kind::Stall(doubt) => doubt.to_string(),
                Kind::CannotTell(doubt) => {
                    return print(&format!(
                        "gorun: nothing moves, and it cannot be told whether that is a deadlock: {doubt}\n{}",
                        Dump::of(scheduler),
                    ));
                }
            };
            // A panic ends main, and then it is written anyway.
            if on_deadlock != OnDeadlock::Panic || !matches!(kind, Kind::Deadlock) {
                trace.iter().for_each(|trace| trace.write(scheduler));
            }
            if let Some(OnStall(f)) = &on_stall {
                f(&Stall { lasted: *lasted, reason, dump: Dump::of(scheduler) });
            }
        };
        Ok(Some(StillnessSettings {
            closed_after: self.closed_after,
            stall_after,
            explains: wanted.explains,
            interval: self.interval,
            tell: Tell(Arc::new(tell)),
        }))
    }
}

fn tell_deadlock(scheduler: &Scheduler, policy: OnDeadlock) {
    const SENTENCE: &str =
        "deadlock: main and all goroutines wait, and nobody is left who could wake one";
    let whose = match scheduler.main.thread_name() {
        None | Some("main") => String::new(),
        Some(name) => format!(" (main is on thread \"{name}\")"),
    };
    let report = |consequence| {
        format!("gorun: {SENTENCE}{whose}\n{}gorun: {consequence}\n", Dump::of(scheduler))
    };
    match policy {
        OnDeadlock::Ignore => {}
        OnDeadlock::Report => print_meanwhile(report(
            "the program goes on waiting. To end it instead, set `GORUN_DEADLOCK=panic`, or \
             `Builder::on_deadlock`",
        )),
        OnDeadlock::Panic => {
            print_meanwhile(report("main is cancelled, and `block_on` panics"));
            let (consequence, surplus) = scheduler.main.crash(Box::new(SENTENCE.to_owned()));
            if let Some(surplus) = surplus {
                print(&format!("gorun: of this deadlock, {consequence}\n"));
                panics::discard(surplus);
            }
        }
    }
}

/// What the environment variable says.
#[derive(Default)]
struct Wanted {
    on_deadlock: Option<OnDeadlock>,
    explains: bool,
}

impl Wanted {
    fn parse(value: &OsStr) -> io::Result<Self> {
        let policy = |policy| Ok(Wanted { on_deadlock: Some(policy), explains: false });
        match value.to_str().map(str::trim) {
            Some("report") => policy(OnDeadlock::Report),
            Some("panic") => policy(OnDeadlock::Panic),
            Some("ignore") => policy(OnDeadlock::Ignore),
            Some("explain") => Ok(Wanted { on_deadlock: None, explains: true }),
            _ => Err(invalid(format!(
                "the environment variable {VARIABLE} is {value:?}; set it to report, panic, ignore or \
                 explain, or unset it for a report"
            ))),
        }
    }
}
