//! `#[gorun::main]` and `#[gorun::test]`. `tests/compile_fail` has what the compiler says of mistakes.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use gorun::{channel, go, num_goroutines, spawn};

#[gorun::main]
async fn no_settings() -> u32 {
    spawn(async { 6 }).await.unwrap() * 7
}

/// The path to gorun, as a program that has renamed it would write it.
mod renamed {
    pub(crate) use gorun as runtime;
}

#[gorun::main(
    crate = renamed::runtime,
    worker_threads = 1 + usize::from(cfg!(unix)),
    thread_name = format!("{}-{}", "named", 1),
    exit_grace = Duration::ZERO,
    timeout = Duration::from_secs(60),
)]
/// Documented, and visible elsewhere.
#[must_use = "it may have failed"]
pub(crate) async fn all_settings() -> Result<String, Box<dyn std::error::Error>> {
    let number: u32 = "7".parse()?;
    let name = spawn(async { std::thread::current().name().map(str::to_owned) }).await?;
    Ok(format!("{number} {}", name.unwrap_or_default()))
}

#[test]
fn settings_reach_the_runtime() {
    assert_eq!(no_settings(), 42);
    let text = all_settings().unwrap();
    assert!(text.starts_with("7 named-1"), "{text}");
}

#[gorun::main(timeout = Duration::from_millis(1))]
async fn endless() {
    std::future::pending().await
}

#[test]
fn a_timeout_ends_what_waits_for_ever() {
    let panic = catch_unwind(endless).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.starts_with("`endless` has not ended: "), "{message}");
}

#[gorun::test]
async fn a_test_may_hold_what_is_not_send() {
    let value = Rc::new(Cell::new(1));
    gorun::yield_now().await;
    value.set(2);
    assert_eq!((value.get(), num_goroutines()), (2, 1));
}

#[gorun::test(worker_threads = 1)]
async fn a_test_may_fail_with_an_error() -> Result<(), gorun::JoinError> {
    spawn(async {}).await?;
    Ok(())
}

#[gorun::test]
#[should_panic(expected = "in a goroutine")]
async fn a_panic_of_a_goroutine_fails_the_test() {
    go!(async { panic!("in a goroutine") });
    std::future::pending().await
}

#[gorun::test]
#[ignore = "it would wait for ever"]
async fn an_ignored_test_does_not_run() {
    let (_tx, rx) = channel::<()>(0);
    rx.recv().await;
}

macro_rules! from_a_macro {
    ($(#[$attribute:meta])* $visibility:vis $name:ident $body:block) => {
        $(#[$attribute])*
        $visibility async fn $name() $body
    };
}

from_a_macro! {
    #[gorun::test]
    pub(crate) the_function_may_come_from_a_macro {
        assert_eq!(num_goroutines(), 1);
    }
}
