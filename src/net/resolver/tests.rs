//! Lookups, with a resolver that takes as long as a test wants.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::primitives::lock;
use crate::time::timeout;
use crate::{Builder, blocking, spawn, yield_now};

/// The tests share the permits of the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The names that no server answers, each with how many ask for it.
static SILENT: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

/// The answer, if the name is one of a test's.
pub(super) fn resolve(name: &str) -> Option<io::Result<Vec<SocketAddr>>> {
    let mut silent = lock(&SILENT);
    *silent.get_mut(zone_of(name))? += 1;
    CHANGED.notify_all();
    while silent.contains_key(zone_of(name)) {
        silent = CHANGED.wait(silent).unwrap();
    }
    Some(Ok(vec![(Ipv6Addr::LOCALHOST, 0).into()]))
}

/// The last part of a name.
fn zone_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, zone)| zone)
}

/// As long as it lives, nobody answers for names in this zone.
struct Silence(&'static str);

impl Silence {
    fn of(zone: &'static str) -> Self {
        lock(&SILENT).insert(zone.to_owned(), 0);
        Silence(zone)
    }

    /// How many lookups run at present, or have.
    fn asked(&self) -> usize {
        lock(&SILENT)[self.0]
    }

    /// Waits, on the calling thread.
    fn wait_for(&self, count: usize) {
        let limit = Duration::from_secs(60);
        let too_few = |silent: &mut BTreeMap<String, usize>| silent[self.0] < count;
        let (_guard, result) = CHANGED.wait_timeout_while(lock(&SILENT), limit, too_few).unwrap();
        assert!(!result.timed_out(), "nobody asks");
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        lock(&SILENT).remove(self.0);
        CHANGED.notify_all();
    }
}

#[test]
fn a_lookup_survives_the_runtime_that_began_it() {
    let _one = lock(&ONE_AT_A_TIME);
    let silence = Silence::of("shared");
    let grace = Duration::from_millis(1);
    let builder = || Builder::new().worker_threads(2).exit_grace(grace);
    let (main_may_end, end) = std::sync::mpsc::channel();
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
        // It waits for the same answer, or will ask itself.
        std::thread::sleep(Duration::from_millis(10));
        main_may_end.send(()).unwrap();
        let error = first.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
        silence.wait_for(2);
        drop(silence);
        assert_eq!(second.join().unwrap().unwrap(), [(Ipv6Addr::LOCALHOST, 0).into()]);
    });
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
