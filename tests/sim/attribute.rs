//! `#[gorun::test(schedules = ..)]`.

use std::panic::catch_unwind;

use gorun::{JoinError, channel, go, spawn, time};

#[gorun::test(schedules = 100, pct = 3)]
async fn a_test_runs_under_schedules_with_priorities() {
    let (tx, rx) = channel(0);
    go!(async move { tx.send(1).await.unwrap() });
    assert_eq!(rx.recv().await, Some(1));
}

#[gorun::test(schedules = 10, timeout = std::time::Duration::from_secs(10))]
async fn a_test_with_a_result_returns_it() -> Result<(), JoinError> {
    // In the time of the simulation.
    time::sleep(std::time::Duration::from_secs(9)).await;
    spawn(async {}).await
}

mod failing {
    use std::io;

    pub(super) fn returns_an_error() -> io::Result<()> {
        gorun::__simulate(
            10,
            None,
            || gorun::block_on(async { Err(io::ErrorKind::NotFound.into()) }),
            |result: &io::Result<()>| result.as_ref().err().map(ToString::to_string),
        )
    }
}

#[test]
fn an_error_that_a_test_returns_is_a_failure() {
    let payload = catch_unwind(failing::returns_an_error).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert!(report.contains("the test has returned an error: entity not found"), "{report}");
    assert!(report.contains("GORUN_REPLAY="), "{report}");
}
