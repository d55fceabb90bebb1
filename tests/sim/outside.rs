//! What is no part of the simulation: it is refused by name, or found.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use gorun::sim::{self, RandomState, Sim, Strategy};
use gorun::{Builder, Handle, channel, spawn, yield_now};

/// A thread that sends when main waits.
async fn receive_from_a_thread() {
    let (tx, rx) = channel(0);
    let sender = thread::Builder::new().name("sender".to_owned());
    let sender = sender.spawn(move || while tx.try_send(1).is_err() {}).unwrap();
    assert_eq!(rx.recv().await, Some(1));
    sender.join().unwrap();
}

#[test]
fn a_thread_that_wakes_is_not_named() {
    let failure = Sim::new()
        .run(|| async {
            let (tx, rx) = channel(0);
            let receiver = spawn(async move { rx.recv().await });
            sim::settle().await;
            let sender = thread::Builder::new().name("sender".to_owned());
            sender.spawn(move || tx.try_send(1).unwrap()).unwrap().join().unwrap();
            assert_eq!(receiver.await.unwrap(), Some(1));
        })
        .unwrap_err()
        .to_string();
    assert!(failure.contains("the thread `sender` wakes a goroutine"), "{failure}");
}

#[test]
fn a_thread_that_spawns_is_not_named() {
    let failure = Sim::new()
        .run(|| async {
            let handle = Handle::current();
            let spawns = thread::Builder::new().name("spawner".to_owned());
            let spawns = spawns.spawn(move || handle.spawn(async {}).detach()).unwrap();
            spawns.join().unwrap();
            yield_now().await;
        })
        .unwrap_err()
        .to_string();
    assert!(failure.contains("the thread `spawner` wakes a goroutine, or spawns"), "{failure}");
}

#[test]
fn a_thread_that_is_allowed_is_a_deadlock() {
    Sim::new().schedules(100).allow_threads().check(receive_from_a_thread);
}

#[track_caller]
fn cannot_be_repeated(program: impl AsyncFn()) {
    let failure = Sim::new().run(|| program()).unwrap_err().to_string();
    assert!(failure.contains("do not lead to the same steps"), "{failure}");
}

/// Yields as often as `n` has bits.
async fn yield_for(n: usize) {
    for _ in 0..n.count_ones() {
        yield_now().await;
    }
}

#[test]
fn the_order_of_a_hash_map_decides_unseen() {
    cannot_be_repeated(async || {
        let map: HashMap<_, _> = (0..100).map(|n| (n, n)).collect();
        for n in map.into_values() {
            spawn(yield_for(n)).await.unwrap();
        }
    });
    Sim::new().schedules(20).check(|| async {
        let mut map = HashMap::with_hasher(RandomState::new());
        map.extend((0..100).map(|n| (n, n)));
        for n in map.into_values() {
            spawn(yield_for(n)).await.unwrap();
        }
    });
}

#[test]
fn the_real_clock_decides_unseen() {
    let start = Instant::now();
    cannot_be_repeated(async || {
        for _ in 0..100 {
            yield_for(start.elapsed().as_nanos() as usize).await;
        }
    });
}

#[test]
fn an_address_decides_unseen() {
    let mut kept = Vec::new();
    let kept = std::cell::RefCell::new(&mut kept);
    cannot_be_repeated(async || {
        // Of one address the bits may be as many by chance.
        for size in 1..50 {
            let allocated = vec![0_u8; 16 * size];
            let address = allocated.as_ptr().addr();
            kept.borrow_mut().push(allocated);
            yield_for(address).await;
        }
    });
}

#[test]
fn what_an_earlier_run_has_left_decides_unseen() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    cannot_be_repeated(async || yield_for(RUNS.fetch_add(1, SeqCst) as usize).await);
}

#[test]
fn a_thread_decides_unseen() {
    let (number, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(SeqCst) {
                number.fetch_add(1, SeqCst);
            }
        });
        cannot_be_repeated(async || {
            for _ in 0..100 {
                let before = number.load(SeqCst);
                while number.load(SeqCst) == before {}
                yield_for(number.load(SeqCst) as usize).await;
            }
        });
        is_over.store(true, SeqCst);
    });
}

#[test]
fn a_runtime_inside_of_another_one_begins() {
    Sim::new().schedules(1).check(|| async {
        let refused = Builder::new().block_on(async {}).unwrap_err();
        assert!(refused.to_string().contains("one runtime at a time"), "{refused}");
    });
}

#[test]
fn a_program_with_runtimes_one_after_the_other_is_refused() {
    let explored = Sim::new().schedules(50).check_program(|| {
        let number =
            gorun::block_on(async { spawn(async { sim::rng().below(10) }).await.unwrap() });
        gorun::block_on(async move {
            gorun::time::sleep(std::time::Duration::from_secs(number as u64)).await;
            assert_eq!(sim::elapsed().as_secs(), number as u64);
        });
    });
    assert_eq!(explored.schedules, 50);
}

#[test]
fn what_belongs_to_a_simulation_is_used_outside_of_one() {
    let message = |f: fn()| {
        let payload = std::panic::catch_unwind(f).unwrap_err();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap()
    };
    for f in [|| drop(sim::settle()), || _ = sim::elapsed(), || _ = sim::rng()] as [fn(); 3] {
        assert!(message(f).contains("outside of a simulation"));
    }
    let inside = message(|| gorun::block_on(async { _ = Sim::new().check(|| async {}) }));
    assert!(inside.contains("inside a runtime"), "{inside}");
    assert!(message(|| _ = Sim::new().replay("nonsense")).contains("no schedule"));
    let one = Sim::new().strategy(Strategy::RoundRobin).check(|| async {});
    assert_eq!(one.schedules, 1);
}

#[test]
fn a_thread_of_another_simulation_is_not_named() {
    let failure = Sim::new()
        .run(|| async {
            let (tx, rx) = channel(0);
            let receiver = spawn(async move { rx.recv().await });
            sim::settle().await;
            let other = move || {
                Sim::new().strategy(Strategy::RoundRobin).check(|| async { _ = tx.try_send(1) });
            };
            let thread = thread::Builder::new().name("other".to_owned());
            thread.spawn(other).unwrap().join().unwrap();
            assert_eq!(receiver.await.unwrap(), Some(1));
        })
        .unwrap_err()
        .to_string();
    assert!(failure.contains("the thread `"), "{failure}");
}
