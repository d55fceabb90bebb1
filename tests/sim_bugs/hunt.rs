//! What is asked of a simulation for each program.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::time::Duration;

use gorun::sim::net::Network;
use gorun::sim::{Failure, Sim, Strategy};
use gorun::{Builder, select, spawn, time};

const BASE_SEEDS: u64 = 20;

/// The median over the base seeds must not be greater.
const MOST_SCHEDULES: u64 = 1000;

const REPLAYS: u32 = 100;

pub(crate) const RANDOM: Strategy = Strategy::Random;

/// Three changes of priorities: bugs of depth four.
pub(crate) const PCT: Strategy = Strategy::Pct { changes: 3 };

pub(crate) type Main = Pin<Box<dyn Future<Output = ()>>>;

/// What a simulation needs to know of a program.
#[derive(Clone, Copy)]
pub(crate) enum Setting {
    /// How late timers may be.
    Jitter(Duration),
    /// It has several hosts, as only a simulation has, and so their network behaves.
    Network(fn() -> Network),
}

pub(crate) const fn jitter(seconds: u64) -> Setting {
    Setting::Jitter(Duration::from_secs(seconds))
}

pub(crate) const fn network(network: fn() -> Network) -> Setting {
    Setting::Network(network)
}

/// A program with a bug that was planted in it, and without.
#[derive(Clone, Copy)]
pub(crate) struct Bug {
    pub(crate) name: &'static str,
    /// What the report of the failure has.
    pub(crate) shows: &'static str,
    pub(crate) setting: Setting,
    /// `true`: with the bug.
    pub(crate) program: fn(bool) -> Main,
}

/// An ordinary run queues what a goroutine starts on the goroutine's own worker. There a bug hides better than where
/// main starts all.
pub(crate) fn in_a_goroutine(program: impl Future<Output = ()> + Send + 'static) -> Main {
    Box::pin(async {
        if let Err(error) = spawn(program).await {
            resume_unwind(error.into_panic());
        }
    })
}

impl Bug {
    fn sim(&self) -> Sim {
        match self.setting {
            Setting::Jitter(most) => Sim::new().jitter(most),
            Setting::Network(network) => Sim::new().network(network()),
        }
    }

    pub(crate) fn is_on_one_host(&self) -> bool {
        matches!(self.setting, Setting::Jitter(_))
    }

    fn find(&self, strategy: Strategy, seed: u64) -> Option<Failure> {
        let sim = self.sim().seed(seed).strategy(strategy).schedules(5 * MOST_SCHEDULES);
        let failure = sim.run(|| (self.program)(true)).err()?;
        assert!(failure.to_string().contains(self.shows), "another failure: {failure}");
        Some(failure)
    }

    /// Which schedule fails, for each base seed, in order. One more than there are: none.
    fn schedules(&self, strategy: Strategy) -> Vec<u64> {
        let none = 5 * MOST_SCHEDULES + 1;
        let find = |seed| {
            self.find(strategy, seed).map_or(none, |failure| failure.schedule().expect("no replay"))
        };
        let mut schedules: Vec<_> = (0..BASE_SEEDS).map(find).collect();
        schedules.sort_unstable();
        schedules
    }

    pub(crate) fn is_found(&self, strategy: Strategy) {
        let failure = self.find(strategy, 0).expect("the bug is there");
        let report = failure.to_string();
        assert!(failure.replay().starts_with("script"), "it was not shortened: {report}");
        for _ in 0..REPLAYS {
            let replayed = self.sim().replay(failure.replay()).run(|| (self.program)(true));
            let again = replayed.expect_err("the shortened schedule fails").to_string();
            assert_eq!(details(&again), details(&report));
        }
        let schedules = self.schedules(strategy);
        assert!(median(&schedules) <= MOST_SCHEDULES, "schedules that fail: {schedules:?}");
    }

    pub(crate) fn is_not_imagined(&self) {
        for strategy in [RANDOM, PCT] {
            let sim = self.sim().strategy(strategy).schedules(1000);
            assert_eq!(sim.check(|| (self.program)(false)).schedules, 1000);
        }
    }

    /// For the table.
    pub(crate) fn print_schedules(&self) {
        let (random, pct) = (self.schedules(RANDOM), self.schedules(PCT));
        let range = |all: &[u64]| format!("{} ({}-{})", median(all), all[0], all[all.len() - 1]);
        println!("{}: random {}, PCT {}", self.name, range(&random), range(&pct));
    }

    /// For the table: how many of `runs` ordinary runs fail.
    pub(crate) fn print_ordinary_failures(&self, runs: u32) {
        let fails = |_: &u32| {
            let main = async {
                select! {
                    _ = (self.program)(true) => true,
                    // It hangs.
                    _ = time::sleep(Duration::from_secs(5)) => false,
                }
            };
            let runtime = Builder::new()
                .worker_threads(2)
                .on_exit(|left| assert_eq!(left.num_goroutines(), 0, "goroutines are left"));
            let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(main)));
            !matches!(ended, Ok(Ok(true)))
        };
        println!("{}: {} of {runs} ordinary runs fail", self.name, (0..runs).filter(fails).count());
    }
}

fn median(sorted: &[u64]) -> u64 {
    sorted[sorted.len() / 2]
}

/// A report without what it says about the search for it.
fn details(report: &str) -> String {
    let (_, details) = report.split_once("fails after").expect("a report says so");
    let is_of_search = |line: &&str| ["it fails ", "of its "].iter().any(|it| line.starts_with(it));
    details.lines().filter(|line| !is_of_search(line)).collect::<Vec<_>>().join("\n")
}
