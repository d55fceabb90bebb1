//! Why `gorun::sync` is not made of `event-listener`, on which `async-lock` stands: it calls wakers under its
//! lock. A waker that then drops or polls another listener of the same event waits for itself for ever.
//!
//! `cancellation.rs` shows that wakers may come back into `gorun::sync`.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Context;

use event_listener::Event;

use super::calls;

/// The debugging text of an event is "<locked>" if somebody has its lock, and it does not wait for it as other
/// operations do. (So this test does not hang.)
#[test]
pub(crate) fn event_listener_calls_wakers_under_its_lock() {
    let event = Arc::new(Event::<()>::new());
    let seen = Arc::new(Mutex::new(String::new()));
    let waker = calls({
        let (event, seen) = (event.clone(), seen.clone());
        move || *seen.lock().unwrap() = format!("{event:?}")
    });
    let mut listener = pin!(event.listen());
    assert!(listener.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(!format!("{event:?}").contains("<locked>"));
    event.notify(1);
    let seen = seen.lock().unwrap();
    assert!(seen.contains("<locked>"), "then `docs/design.md` should no longer say so: {seen}");
}
