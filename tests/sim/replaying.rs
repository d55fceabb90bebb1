//! A schedule that fails, again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use gorun::sim::{Failure, Sim, Strategy};
use gorun::{WaitGroup, channel, spawn, yield_now};

use crate::common::*;

/// Fails where all three read before one of them writes.
async fn lost_update() {
    let (count, group) = (Arc::new(AtomicU32::new(0)), WaitGroup::new());
    let (tx, rx) = channel(1);
    for _ in 0..3 {
        let (count, tx) = (count.clone(), tx.clone());
        group.go(async move {
            tx.send(()).await.unwrap();
            let before = count.load(SeqCst);
            yield_now().await;
            count.store(before + 1, SeqCst);
        });
    }
    for _ in 0..3 {
        rx.recv().await;
        yield_now().await;
    }
    group.wait().await;
    assert_ne!(count.load(SeqCst), 1, "two updates are lost");
}

fn without_seed(failure: &Failure) -> String {
    let report = failure.to_string();
    report.split_once("its last steps").unwrap().1.split("of its").next().unwrap().to_owned()
}

#[test]
fn a_replay_takes_other_steps() {
    let strategies =
        [Strategy::Random, Strategy::Pct { changes: 2 }, Strategy::Exhaustive { depth: 40 }];
    for strategy in strategies {
        let sim = || Sim::new().schedules(100_000).strategy(strategy);
        let failure = sim().run(lost_update).unwrap_err();
        for _ in 0..100 {
            let again = Sim::new().replay(failure.replay()).run(lost_update).unwrap_err();
            assert_eq!((again.steps(), again.schedule()), (failure.steps(), None));
            assert_eq!(
                without_seed(&again).split("to replay").next(),
                without_seed(&failure).split("to replay").next()
            );
        }
    }
}

#[test]
fn a_schedule_that_passes_fails_in_a_replay() {
    let failure = Sim::new().run(lost_update).unwrap_err();
    Sim::new().replay(failure.replay()).check(|| async { spawn(async {}).await.unwrap() });
}

#[test]
fn the_variables_are_ignored() {
    const CHILD: &str = "the_variables_are_ignored";
    if is_child() {
        let ran = Sim::new().schedules(100).run(lost_update);
        println!(
            "{:?}",
            ran.map(|explored| explored.schedules).map_err(|failure| failure.schedule())
        );
        println!("{} passed", Sim::new().check(async || ()).schedules);
        return;
    }
    let replay = Sim::new().run(lost_update).unwrap_err().replay().to_owned();
    let with = |variables: &[(&str, &str)]| {
        let output = child(&format!("replaying::{CHILD}"), variables, "");
        String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)
    };
    assert!(with(&[("GORUN_REPLAY", &replay)]).contains("Err(None)"));
    assert!(with(&[("GORUN_REPLAY", "script")]).contains("Ok(1)"));
    assert!(with(&[]).contains("1000 passed"));
    assert!(with(&[("GORUN_SCHEDULES", "7")]).contains("7 passed"));
    assert!(with(&[("GORUN_REPLAY", "rubbish")]).contains("that is no schedule"));
    assert!(with(&[("GORUN_SCHEDULES", "many")]).contains("set it to a number"));
}

#[test]
fn taking_turns_is_replayed_by_other_choices() {
    let drawn = || async { assert_eq!(gorun::sim::rng().below(1000), 1000, "impossible") };
    let failure = Sim::new().strategy(Strategy::RoundRobin).allow_threads().run(drawn).unwrap_err();
    let again = Sim::new().replay(failure.replay()).run(drawn).unwrap_err();
    let drawn_in =
        |failure: &Failure| failure.to_string().split("left:").nth(1).unwrap()[..8].to_owned();
    assert_eq!(drawn_in(&again), drawn_in(&failure));
}
