//! Several runtimes in a closed world, stalls, and reports that cannot be printed. Each program checks itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gorun::sync::Mutex;
use gorun::{Builder, OnDeadlock, channel, time};

use crate::Outcome::Passes;
use crate::Scenario;

pub(crate) fn all() -> Vec<Scenario> {
    let scenario = |name, run| Scenario { name, run, outcome: Passes };
    vec![
        scenario("each_of_several_deadlocks_is_found", each_of_several_deadlocks_is_found),
        scenario(
            "what_another_runtime_holds_is_no_deadlock",
            what_another_runtime_holds_is_no_deadlock,
        ),
        scenario("main_holds_the_lock_of_standard_error", main_holds_the_lock_of_standard_error),
        scenario(
            "a_stall_is_told_once_until_something_moves",
            a_stall_is_told_once_until_something_moves,
        ),
        scenario("a_deadlock_is_a_stall", a_deadlock_is_a_stall),
    ]
}

async fn wait_for_ever() {
    let (tx, rx) = channel::<u32>(0);
    rx.recv().await;
    drop(tx);
}

fn closed() -> Builder {
    Builder::new().worker_threads(1).assume_closed().on_deadlock(OnDeadlock::Panic)
}

fn ends_by_a_deadlock(builder: Builder) -> bool {
    let ended = catch_unwind(AssertUnwindSafe(|| builder.block_on(wait_for_ever())));
    let text = ended.err().and_then(|payload| payload.downcast::<String>().ok());
    text.is_some_and(|text| text.starts_with("deadlock: "))
}

fn each_of_several_deadlocks_is_found() {
    let runtimes: Vec<_> =
        (0..8).map(|_| thread::spawn(|| assert!(ends_by_a_deadlock(closed())))).collect();
    runtimes.into_iter().for_each(|runtime| runtime.join().unwrap());
}

fn what_another_runtime_holds_is_no_deadlock() {
    static SHARED: Mutex<()> = Mutex::new(());
    let (tell, told) = mpsc::channel();
    let holder = thread::spawn(move || {
        let hold = async {
            let _guard = SHARED.lock().await;
            tell.send(()).unwrap();
            time::sleep(Duration::from_millis(500)).await;
        };
        closed().block_on(hold).unwrap();
    });
    told.recv().unwrap();
    closed().block_on(async { drop(SHARED.lock().await) }).unwrap();
    holder.join().unwrap();
}

fn main_holds_the_lock_of_standard_error() {
    let ended = catch_unwind(|| {
        let main = async {
            let _lock = std::io::stderr().lock();
            wait_for_ever().await;
        };
        Builder::new().on_deadlock(OnDeadlock::Panic).block_on(main).unwrap();
    });
    assert!(ended.is_err());
}

fn a_stall_is_told_once_until_something_moves() {
    let (tell, told) = mpsc::channel();
    let builder = Builder::new().on_stall(Duration::from_millis(30), move |stall| {
        tell.send((stall.lasted, stall.to_string())).unwrap();
    });
    let main = async {
        let start = Instant::now();
        // Two stalls; between them it moves.
        time::sleep(Duration::from_millis(1500)).await;
        time::sleep(Duration::from_millis(1500)).await;
        start.elapsed()
    };
    builder.__look_every(Duration::from_millis(10)).block_on(main).unwrap();
    let all: Vec<_> = told.try_iter().collect();
    assert_eq!(all.len(), 2, "{all:?}");
    for (lasted, text) in all {
        assert!(lasted >= Duration::from_millis(30));
        assert!(text.contains("a timer has not fired") && text.contains("main [sleep]"), "{text}");
    }
}

fn a_deadlock_is_a_stall() {
    for limit in [Duration::from_secs(3600), Duration::MAX] {
        let (tell, told) = mpsc::channel();
        let builder = Builder::new()
            .on_deadlock(OnDeadlock::Panic)
            .on_stall(limit, move |stall| tell.send(stall.reason.clone()).unwrap());
        let main = async {
            // So that it is looked at before.
            time::sleep(Duration::from_millis(300)).await;
            wait_for_ever().await;
        };
        assert!(catch_unwind(AssertUnwindSafe(|| builder.block_on(main))).is_err());
        assert_eq!(told.recv().unwrap(), "it may not: this is a deadlock");
    }
}
