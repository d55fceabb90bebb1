//! The end of the program if something is wrong; panics that are not.

use std::fmt::Display;
use std::panic;
use std::process::exit;
use std::sync::{Mutex, PoisonError};

use super::event;

/// The payload of a panic that the program itself has planned, with the goroutine's number.
#[derive(Debug)]
pub(crate) struct Planned(pub(crate) u32);

static ROUND: Mutex<String> = Mutex::new(String::new());
static END: Mutex<()> = Mutex::new(());

/// Says which round a failure will name.
pub(crate) fn begin_round(description: String) {
    *ROUND.lock().unwrap_or_else(PoisonError::into_inner) = description;
}

/// Ends the program with what is known about the violation.
pub(crate) fn fail(what: impl Display) -> ! {
    end(1, format!("{what}\nthe last events:\n{}", event::last(200)))
}

/// Ends the program. If several threads do, the first one says why.
pub(crate) fn end(code: i32, why: String) -> ! {
    let _first = END.lock().unwrap_or_else(PoisonError::into_inner);
    let round = ROUND.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("FAILED in {round}: {why}FAILED in {round}");
    exit(code)
}

/// From now on planned panics are silent, and others are violations.
pub(crate) fn watch_panics() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().is::<Planned>() {
            return;
        }
        default(info);
        fail("a panic that was not planned");
    }));
}

/// Ends the program if the condition does not hold. `fail` is to be in scope.
macro_rules! demand {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            fail(format!($($message)+));
        }
    };
}
pub(crate) use demand;
