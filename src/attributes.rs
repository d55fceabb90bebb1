//! The attributes of `gorun-macros`, with their documentation.

#![forbid(unsafe_code)]

/// Makes an `async fn` an ordinary one that runs it as a program: as main's future in a runtime of
/// its own. The counterpart of Go's `func main`.
///
/// The function has no arguments and may return what any `main` may return. It need not be called
/// `main`. Its end is the end of the program, as [`block_on`](crate::block_on) says.
///
/// # Settings
///
/// Each is an expression, evaluated when the function is called. One with a comma outside of all
/// brackets, as in `f::<A, B>()`, needs braces around it.
///
/// - `worker_threads`, `thread_name`, `thread_stack_size`, `exit_grace`, `report_left_behind`,
///   `unhandled_panic`, `max_threads`, `on_blocked`, `on_deadlock`, and with the feature `tokio` also `tokio_runtime` and
///   `tokio`: what the method of [`Builder`](crate::Builder) with this name takes.
/// - `timeout`: a [`Duration`](std::time::Duration). If the future has not ended by then, it is
///   dropped at its present await, the goroutines are cancelled, and the function panics. A future
///   that blocks its thread is not interrupted.
/// - `crate`: the path of this crate, if it is not `::gorun`: `crate = my_crate::gorun`.
///
/// The function's type may not name `Self`, because the original function stands inside the new one.
///
/// # Panics
///
/// As `block_on` does: also if the runtime cannot start.
///
/// # Examples
///
/// ```
/// #[gorun::main]
/// async fn main() -> Result<(), gorun::JoinError> {
///     let sum = gorun::spawn(async { 1 + 2 }).await?;
///     assert_eq!(sum, 3);
///     Ok(())
/// }
/// ```
///
/// ```
/// use std::time::Duration;
///
/// #[gorun::main(worker_threads = 2, exit_grace = Duration::from_secs(1))]
/// async fn main() {
///     gorun::go!(async { println!("one of two workers runs this, or none") });
/// }
/// ```
pub use gorun_macros::main;
/// Makes a test of an `async fn`: `#[test]`, with the settings of [`macro@main`].
///
/// Each test has a runtime of its own. A goroutine's panic that no code observes fails the test, and
/// so does an `Err` that the function returns. Other attributes, such as `#[should_panic]` and
/// `#[ignore]`, work as ever. A `timeout` fails a test that goes on for ever.
///
/// A test also fails if it
///
/// - is [deadlocked](crate::OnDeadlock): nothing has moved for a second, and nobody is left who could end that
///   but threads of which gorun does not know (a harness has some). Tests beside it that may still act count,
///   so it fails when these have ended. `on_deadlock = OnDeadlock::Ignore`, or `GORUN_DEADLOCK=ignore`, is for
///   tests that wait for such threads for longer. With a `timeout`, a test ends then, and not before.
/// - leaves goroutines when it ends, as [`Builder::on_exit`](crate::Builder::on_exit) sees them. `leaks =
///   "allow"` allows that.
///
/// These, and a `timeout`, print what the goroutines wait for.
///
/// Two more settings make it a [simulation](crate::sim):
///
/// - `schedules`: under how many schedules the test runs, one after the other, with time of its own. It fails with
///   the first schedule that fails, and the report says how to replay it. All expressions among the settings are
///   evaluated for each.
/// - `pct`: how many changes of priorities each has, if they shall not be random: [`Strategy::Pct`](crate::sim::Strategy).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// #[gorun::test(timeout = Duration::from_secs(5))]
/// async fn a_goroutine_answers() -> Result<(), gorun::JoinError> {
///     let (question, asked) = gorun::channel(0);
///     gorun::go!(async move { question.send(42).await });
///     assert_eq!(asked.recv().await, Some(42));
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// ```no_run
/// #[gorun::test(schedules = 1000)]
/// async fn numbers_arrive_in_any_order() {
///     let (tx, rx) = gorun::channel(2);
///     for n in 1..=2 {
///         let tx = tx.clone();
///         gorun::go!(async move { tx.send(n).await.unwrap() });
///     }
///     assert_eq!(rx.recv().await.unwrap() + rx.recv().await.unwrap(), 3);
/// }
/// # fn main() {}
/// ```
pub use gorun_macros::test;
