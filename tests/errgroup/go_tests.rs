//! What the tests of `golang.org/x/sync/errgroup` ask, asked here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gorun::context::{Context, ContextError};
use gorun::errgroup::Group;
use gorun::{channel, yield_now};

use crate::WORKERS;
use crate::common::*;

type Outcomes = &'static [Result<(), &'static str>];

/// In each row the first error is the one that is expected.
const ROWS: [(Outcomes, Result<(), &str>); 6] = [
    (&[], Ok(())),
    (&[Ok(())], Ok(())),
    (&[Ok(()), Ok(())], Ok(())),
    (&[Err("doomed")], Err("doomed")),
    (&[Err("doomed"), Ok(())], Err("doomed")),
    (&[Ok(()), Err("doomed"), Ok(())], Err("doomed")),
];

/// `TestZeroGroup`.
#[test]
pub(crate) fn a_group_without_a_context_gives_the_first_error() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for (outcomes, expected) in ROWS {
                let group = Group::new();
                for outcome in outcomes {
                    group.go(async move { *outcome }).await;
                }
                assert_eq!(group.wait().await, expected);
            }
            // One after the other, so that it is known which comes first.
            let mut group = Group::new();
            group.set_limit(1);
            for outcome in [Ok(()), Err("first"), Err("second")] {
                group.go(async move { outcome }).await;
            }
            assert_eq!(group.wait().await, Err("first"));
        });
    }
}

/// `TestWithContext`.
#[test]
pub(crate) fn the_context_of_a_group_is_done_after_the_wait_whatever_the_outcome() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for (outcomes, expected) in ROWS {
                let (group, ctx) = Group::with_context(&Context::background());
                assert!(!ctx.is_done());
                for outcome in outcomes {
                    group.go(async move { *outcome }).await;
                }
                assert_eq!(group.wait().await, expected);
                assert_eq!(ctx.err(), Some(ContextError::Cancelled));
            }
        });
    }
}

/// `TestCancelCause`. The cause is the text of the error here.
#[test]
pub(crate) fn the_cause_of_the_context_is_the_first_error_or_the_cancellation() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for (outcomes, expected) in ROWS {
                let (group, ctx) = Group::with_context(&Context::background());
                for outcome in outcomes {
                    group.go(async move { *outcome }).await;
                }
                let _ = group.wait().await;
                let text = expected.err().unwrap_or("the context was cancelled");
                assert_eq!(ctx.cause().unwrap().to_string(), text);
            }
        });
    }
}

/// `TestTryGo`.
#[test]
pub(crate) fn one_more_than_the_limit_is_not_started_until_another_one_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            const LIMIT: usize = 42;
            let mut group = Group::<()>::new();
            group.set_limit(LIMIT);
            let (tx, rx) = channel::<()>(0);
            let waits = || {
                let rx = rx.clone();
                async move {
                    rx.recv().await;
                    Ok(())
                }
            };
            for _ in 0..LIMIT {
                assert!(group.try_go(waits()).is_ok());
            }
            assert!(group.try_go(waits()).is_err());
            // Two end.
            tx.send(()).await.unwrap();
            tx.send(()).await.unwrap();
            for _ in 0..2 {
                group.go(waits()).await;
            }
            assert!(group.try_go(waits()).is_err());
            drop(tx);
            group.wait().await.unwrap();

            let group = Group::<()>::new();
            for _ in 0..100 {
                assert!(group.try_go(async { Ok(()) }).is_ok(), "without a limit");
            }
            group.wait().await.unwrap();

            let mut group = Group::<()>::new();
            group.set_limit(0);
            assert!(group.try_go(async { Ok(()) }).is_err(), "none may run");
            group.set_limit(1);
            assert!(group.try_go(async { Ok(()) }).is_ok());
            group.wait().await.unwrap();
        });
    }
}

/// `TestGoLimit`.
#[test]
pub(crate) fn no_more_than_the_limit_run_at_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            const LIMIT: usize = 10;
            let mut group = Group::new();
            group.set_limit(LIMIT);
            let running = Arc::new(AtomicUsize::new(0));
            for _ in 0..=1 << 10 {
                let running = running.clone();
                group
                    .go(async move {
                        let now = running.fetch_add(1, SeqCst) + 1;
                        if now > LIMIT {
                            return Err(format!("{now} run, and the limit is {LIMIT}"));
                        }
                        yield_now().await;
                        running.fetch_sub(1, SeqCst);
                        Ok(())
                    })
                    .await;
            }
            assert_eq!(group.wait().await, Ok(()));
        });
    }
}
