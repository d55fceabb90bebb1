//! Panics that tests bring about, and see.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::is_child;

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
pub(crate) fn quiet() {
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
