//! What a runtime does when nothing moves.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::variables::{invalid, variable};
use crate::deadlock::{OnDeadlock, Stall};
use crate::dump::Dump;
use crate::panics;
use crate::scheduler::monitor::stillness::{self, StillnessSettings, Tell};
use crate::scheduler::shared::Scheduler;

const VARIABLE: &str = "GORUN_DEADLOCK";

/// The least time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
pub(super) struct Stillness {
    pub(super) on_deadlock: Option<OnDeadlock>,
    pub(super) closed_after: Option<Duration>,
    pub(super) on_stall: Option<(Duration, OnStall)>,
    pub(super) interval: Option<Duration>,
}

#[derive(Clone)]
pub(super) struct OnStall(pub(super) Arc<dyn Fn(&Stall) + Send + Sync>);

/// gorun catches its panics; it answers for any state it leaves behind.
impl UnwindSafe for OnStall {}
impl RefUnwindSafe for OnStall {}

impl Stillness {
    pub(super) fn into_settings(self) -> io::Result<Option<StillnessSettings>> {
        let wanted = match variable(VARIABLE) {
            Some(value) => Wanted::parse(&value)?,
            None => Wanted::default(),
        };
        let on_deadlock = self.on_deadlock.or(wanted.on_deadlock).unwrap_or_default();
        if on_deadlock == OnDeadlock::Ignore && self.on_stall.is_none() && !wanted.explains {
            return Ok(None);
        }
        let (stall_after, on_stall) = self.on_stall.unzip();
        let tell = move |scheduler: &Arc<Scheduler>, stillness: &stillness::Stillness| {
            match stillness {
                stillness::Stillness::Deadlock => tell_deadlock(scheduler, on_deadlock),
                stillness::Stillness::CannotTell(doubt) => print(&format!(
                    "gorun: nothing moves, and it cannot be told whether that is a deadlock: {doubt}\n{}",
                    Dump::of(scheduler),
                )),
                stillness::Stillness::Stall(lasted, doubt) => {
                    let (lasted, reason) = (*lasted, doubt.to_string());
                    let stall = Stall { lasted, reason, dump: Dump::of(scheduler) };
                    on_stall.iter().for_each(|OnStall(f)| f(&stall));
                }
            }
        };
        Ok(Some(StillnessSettings {
            closed_after: self.closed_after,
            stall_after,
            explains: wanted.explains,
            interval: self.interval.unwrap_or(INTERVAL),
            tell: Tell(Arc::new(tell)),
        }))
    }
}

fn tell_deadlock(scheduler: &Scheduler, policy: OnDeadlock) {
    const SENTENCE: &str =
        "deadlock: main and all goroutines wait, and nobody is left who could wake one";
    let consequence = match policy {
        OnDeadlock::Ignore => return,
        OnDeadlock::Report => {
            "The program goes on waiting. To end it instead, set `GORUN_DEADLOCK=panic`, or \
             `Builder::on_deadlock`"
        }
        OnDeadlock::Panic => "main is cancelled, and `block_on` panics",
    };
    print(&format!("gorun: {SENTENCE}\n{}gorun: {consequence}\n", Dump::of(scheduler)));
    if policy == OnDeadlock::Panic {
        let (_, surplus) = scheduler.main.crash(Box::new(SENTENCE.to_owned()));
        surplus.into_iter().for_each(panics::discard);
    }
}

/// In one piece. Nobody is there to be told of a failure.
fn print(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
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
