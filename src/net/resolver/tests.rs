//! Lookups, with a resolver that takes as long as a test wants.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::{Condvar, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::primitives::lock;
use crate::time::timeout;
use crate::{Builder, blocking, num_goroutines, spawn, yield_now};

/// The tests share the permits of the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

static ZONES: Mutex<BTreeMap<String, Zone>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

/// Names with the same last part.
struct Zone {
    /// How many lookups run at present, or have.
    asked: usize,
    /// No server answers.
    is_silent: bool,
}

/// The answer, if the name is one of a test's.
pub(super) fn resolve(name: &str) -> Option<io::Result<Vec<SocketAddr>>> {
    let mut zones = lock(&ZONES);
    zones.get_mut(zone_of(name))?.asked += 1;
    CHANGED.notify_all();
    while zones.get(zone_of(name)).is_some_and(|zone| zone.is_silent) {
        zones = CHANGED.wait(zones).unwrap();
    }
    Some(Ok(vec![(Ipv6Addr::LOCALHOST, 0).into()]))
}

/// The last part of a name.
fn zone_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, zone)| zone)
}

/// Until its end nobody answers for names in this zone.
struct Silence(&'static str);

impl Silence {
    fn of(zone: &'static str) -> Self {
        lock(&ZONES).insert(zone.to_owned(), Zone { asked: 0, is_silent: true });
        Silence(zone)
    }

    /// From now on there is an answer at once, until the drop.
    fn end(&self) {
        lock(&ZONES).get_mut(self.0).unwrap().is_silent = false;
        CHANGED.notify_all();
    }

    fn asked(&self) -> usize {
        lock(&ZONES)[self.0].asked
    }

    /// Waits, on the calling thread.
    fn wait_for(&self, count: usize) {
        let limit = Duration::from_secs(60);
        let too_few = |zones: &mut BTreeMap<String, Zone>| zones[self.0].asked < count;
        let (_guard, result) = CHANGED.wait_timeout_while(lock(&ZONES), limit, too_few).unwrap();
        assert!(!result.timed_out(), "nobody asks");
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        lock(&ZONES).remove(self.0);
        CHANGED.notify_all();
    }
}

#[test]
fn a_lookup_survives_the_runtime_that_began_it() {
    let _one = lock(&ONE_AT_A_TIME);
    let silence = Silence::of("shared");
    let grace = Duration::from_millis(1);
    let builder = || Builder::new().worker_threads(2).exit_grace(grace);
    let (main_may_end, end) = mpsc::channel();
    std::thread::scope(|scope| {
        // A guest of the first runtime asks first.
        let first = scope.spawn(move || {
            let (guest, handle) = builder()
                .block_on(async {
                    let handle = Handle::current();
                    let guest = std::thread::spawn({
                        let handle = handle.clone();
                        move || handle.block_on(lookup("name.shared"))
                    });
                    end.recv().unwrap();
                    (guest, handle)
                })
                .unwrap();
            drop(handle);
            guest.join().unwrap()
        });
        silence.wait_for(1);
        let second = scope.spawn(move || builder().block_on(lookup("name.shared")).unwrap());
        // It waits for the same answer, or for the next permit.
        std::thread::sleep(Duration::from_millis(10));
        main_may_end.send(()).unwrap();
        let error = first.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
        silence.end();
        assert_eq!(second.join().unwrap().unwrap(), [(Ipv6Addr::LOCALHOST, 0).into()]);
    });
}

async fn lookup_of(name: String) -> io::Result<Vec<SocketAddr>> {
    lookup(&name).await
}

/// A losing branch of a `select!`, a hedged request, one of a `join!` whose neighbour blocks.
#[test]
fn a_lookup_that_is_kept_and_not_polled_holds_up_no_other() {
    let _one = lock(&ONE_AT_A_TIME);
    let answer = [(Ipv6Addr::LOCALHOST, 0).into()];
    for workers in [1, 2, 16] {
        let main = async {
            let silence = Silence::of("kept");
            // Half of them wait for a permit.
            let name = |number| format!("name-{number}.kept");
            let mut kept: Vec<_> =
                (0..2 * AT_ONCE).map(|number| Box::pin(lookup_of(name(number)))).collect();
            for kept in &mut kept {
                assert!(futures::poll!(kept.as_mut()).is_pending());
            }
            silence.wait_for(AT_ONCE);
            let mut others = [name(0), "another.kept".to_owned()].map(|n| Box::pin(lookup_of(n)));
            for other in &mut others {
                assert!(futures::poll!(other.as_mut()).is_pending());
            }
            silence.end();
            for lookup in others.into_iter().chain(kept) {
                let found = timeout(Duration::from_secs(20), lookup).await;
                assert_eq!(found.expect("nobody holds it up").unwrap(), answer);
            }
        };
        Builder::new().worker_threads(workers).block_on(main).unwrap();
    }
}

#[test]
fn a_caller_that_goes_takes_nothing_from_the_others_and_leaves_nothing_behind() {
    let _one = lock(&ONE_AT_A_TIME);
    let main = async {
        let silence = Silence::of("left");
        let ask = || {
            let mut lookup = Box::pin(lookup("name.left"));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(lookup.as_mut().poll(&mut cx).is_pending());
            lookup
        };
        let goes = ask();
        silence.wait_for(1);
        let stays = ask();
        drop(goes);
        for _ in 0..100 {
            drop(ask());
            yield_now().await;
        }
        // Main, the one that stays, and the one in which the resolver runs.
        while num_goroutines() > 3 {
            yield_now().await;
        }
        assert_eq!(silence.asked(), 1);
        silence.end();
        assert_eq!(stays.await.unwrap(), [(Ipv6Addr::LOCALHOST, 0).into()]);
        assert_eq!(silence.asked(), 1, "its answer was for all");
        while num_goroutines() > 1 || PERMITS.available_permits() < AT_ONCE {
            yield_now().await;
        }
    };
    let main = async { timeout(Duration::from_secs(60), main).await.expect("nothing is left") };
    Builder::new().worker_threads(2).block_on(main).unwrap();
}

#[test]
fn a_guest_that_asks_after_main_has_ended_is_told_at_once() {
    let (ask, asks) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let (report, reported) = mpsc::channel();
    let main = async move {
        let (guest, runtime) = (Handle::current(), Handle::current());
        std::thread::spawn(move || {
            asks.recv().unwrap();
            tell.send(guest.block_on(lookup("name.late"))).unwrap();
        });
        let (begins, has_begun) = crate::channel(1);
        // Exit waits for it.
        let straggler = spawn(async move {
            begins.send(()).await.unwrap();
            blocking(|| {
                while !runtime.scheduler().is_closing() {
                    std::thread::yield_now();
                }
                ask.send(()).unwrap();
                report.send(told.recv_timeout(Duration::from_secs(20))).unwrap();
            });
        });
        straggler.detach();
        has_begun.recv().await.unwrap();
    };
    let grace = Duration::from_secs(60);
    Builder::new().worker_threads(2).exit_grace(grace).block_on(main).unwrap();
    let error = reported.recv().unwrap().expect("before exit is over").unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

#[test]
fn names_without_an_answer_take_few_threads_and_exit_is_bounded() {
    let _one = lock(&ONE_AT_A_TIME);
    let silence = Silence::of("stuck");
    let grace = Duration::from_millis(50);
    let builder = Builder::new().worker_threads(2).exit_grace(grace).max_threads(100);
    let start = builder
        .block_on(async {
            let others_go_on = async {
                for number in 0..500 {
                    let name = format!("name-{number}.stuck");
                    spawn(async move { lookup(&name).await.is_ok() }).detach();
                }
                while silence.asked() < AT_ONCE {
                    yield_now().await;
                }
                // There are threads left for others.
                for _ in 0..20 {
                    spawn(async { blocking(|| ()) }).await.unwrap();
                }
            };
            timeout(Duration::from_secs(60), others_go_on).await.expect("there are threads left");
            Instant::now()
        })
        .unwrap();
    let took = start.elapsed();
    println!("exit took {took:?}");
    assert!(took >= grace && took < Duration::from_secs(20), "{took:?}");
    assert_eq!(silence.asked(), AT_ONCE);
    drop(silence);
    // They are all there again.
    let start = Instant::now();
    while PERMITS.available_permits() < AT_ONCE {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", PERMITS.available_permits());
        std::thread::yield_now();
    }
}
