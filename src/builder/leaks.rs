//! What a runtime does with the news of who is left when main ends.

#![forbid(unsafe_code)]

use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::report::print;
use super::trace_file::TraceFile;
use super::variables::{DUMP_VARIABLE, ON_PANIC, invalid, variable};
use crate::dump::Dump;
use crate::scheduler::main::main_end::MainEnd;
use crate::scheduler::shared::Scheduler;

const VARIABLE: &str = "GORUN_LEAKS";

#[derive(Clone, Default)]
pub(super) struct Leaks {
    pub(super) on_exit: Option<OnExit>,
    pub(super) fails: Option<bool>,
    /// A panic that ends main is followed by a dump.
    pub(super) dumps_on_panic: bool,
    /// Main has failed without a panic.
    pub(super) has_failed: Arc<AtomicBool>,
}

#[derive(Clone)]
pub(super) struct OnExit(pub(super) Arc<dyn Fn(&Dump) + Send + Sync>);

/// A panic in it ends the program; it answers for any state it leaves behind.
impl UnwindSafe for OnExit {}
impl RefUnwindSafe for OnExit {}

impl Leaks {
    pub(super) fn into_main_end(self, trace: Option<TraceFile>) -> io::Result<Option<MainEnd>> {
        let prints = match variable(VARIABLE) {
            None => false,
            Some(value) => match value.to_str().map(str::trim) {
                Some("1") => true,
                Some("0") => false,
                _ => {
                    return Err(invalid(format!(
                        "the environment variable {VARIABLE} is {value:?}; set it to 1, for a report of \
                         goroutines that are left when main ends, or unset it for none"
                    )));
                }
            },
        };
        let (on_exit, fails) = (self.on_exit, self.fails.unwrap_or(false));
        let is_asked = variable(DUMP_VARIABLE).is_some_and(|value| value == ON_PANIC);
        let dumps_on_panic = self.dumps_on_panic || is_asked;
        let returned_failure = self.has_failed;
        let looks = on_exit.is_some() || fails || prints;
        if !looks && !dumps_on_panic && trace.is_none() {
            return Ok(None);
        }
        let main_end = move |scheduler: &Arc<Scheduler>, has_panicked: bool| {
            // First, since there will be more events.
            trace.iter().for_each(|trace| trace.keep(scheduler));
            if dumps_on_panic && has_panicked {
                print(&Dump::of(scheduler).to_string());
            }
            let has_failed = || has_panicked || returned_failure.load(Ordering::Relaxed);
            if !looks {
                return has_failed();
            }
            scheduler.settle();
            let left = Dump::of(scheduler);
            if prints && left.num_goroutines() > 0 {
                print(&left.to_string());
            }
            on_exit.iter().for_each(|OnExit(f)| f(&left));
            let has_failed = has_failed();
            if fails && left.num_goroutines() > 0 && !has_failed {
                panic!(
                    "goroutines are left at the end of the test. Wait for them, or end them; or allow it, by \
                     `#[gorun::test(leaks = \"allow\")]`\n{left}"
                );
            }
            has_failed
        };
        Ok(Some(MainEnd { call: Arc::new(main_end), settles: looks }))
    }
}
