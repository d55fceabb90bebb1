//! A round: one runtime or two, from their start to their end, and what has to hold after it.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gorun::time::sleep;
use gorun::{Builder, Handle, UnhandledPanic, go, num_goroutines, select, spawn, yield_now};

use super::act::act;
use super::actor::Actor;
use super::event::Step;
use super::failure::{Planned, demand, fail};
use super::life::Life;
use super::options::Plant;
use super::random::Random;
use super::record::{Home, Kind, Plan};
use super::world::World;
use super::{child, outside, resident, settle, watchdog};

/// How main comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// All others have come to theirs.
    Waits,
    Returns,
    Panics,
    /// A goroutine panics, and nobody observes it.
    Crashes,
}

/// The number in main's planned panic, and in that of the goroutine which makes main crash.
const MAIN: u32 = u32::MAX;

pub(crate) struct Round {
    random: Random,
    workers: Vec<usize>,
    ending: Ending,
    pub(crate) world: Arc<World>,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workers {:?}, main {:?}, {} channels", self.workers, self.ending, {
            self.world.lines.len()
        })
    }
}

/// What a round has come to.
pub(crate) struct Sum {
    pub(crate) goroutines: usize,
    pub(crate) values: usize,
    pub(crate) timers: u64,
    /// What connections have carried.
    pub(crate) bytes: u64,
}

impl Round {
    pub(crate) fn new(mut random: Random, workers: &[usize], plant: Option<Plant>) -> Self {
        let runtimes = if random.one_in(4) { 2 } else { 1 };
        let workers = (0..runtimes).map(|_| *random.pick(workers)).collect();
        let ending = match random.below(512) {
            _ if plant.is_some() => Ending::Waits,
            0..320 => Ending::Waits,
            320..464 => Ending::Returns,
            464..511 => Ending::Panics,
            _ => Ending::Crashes,
        };
        let is_clean = ending == Ending::Waits;
        let has_panics = ending != Ending::Crashes;
        let world = Arc::new(World::new(&mut random, is_clean, has_panics, plant));
        Round { random, workers, ending, world }
    }

    pub(crate) fn run(mut self, settling: Duration) -> Sum {
        let world = self.world.clone();
        let threads = Arc::new(Mutex::new(Vec::new()));
        // Dropped by a runtime when that is freed.
        let token = Arc::new(());
        world.actives.add(self.workers.len());
        thread::scope(|scope| {
            for (number, &workers) in self.workers.iter().enumerate() {
                let runtime = Runtime {
                    number,
                    ending: self.ending,
                    random: self.random.fork(),
                    world: world.clone(),
                    threads: threads.clone(),
                };
                let token = token.clone();
                let is_last = number + 1 == self.workers.len();
                let run = move || runtime.run(workers, token);
                match is_last {
                    true => run(),
                    false => drop(scope.spawn(run)),
                }
            }
        });
        world.close(&mut self.random);
        drop(world);
        for thread in std::mem::take(&mut *threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            demand!(thread.join().is_ok(), "a thread has panicked");
        }
        self.check(settling, &token)
    }

    /// When nothing runs any more.
    fn check(self, settling: Duration, token: &Arc<()>) -> Sum {
        let Round { world, .. } = self;
        for home in world.homes.iter().filter_map(|home| home.get()) {
            let left = home.handle.num_goroutines();
            demand!(left == 0, "a runtime that has ended says that it has {left} goroutines");
        }
        if let Some(left) = world.table.left().first() {
            fail(format!("{left}: it was never dropped"));
        }
        // What came back from receives that were given up after the others had seen the end.
        for line in &world.lines {
            while let Ok(value) = line.rx.try_recv() {
                value.receive();
            }
        }
        let sum = Sum {
            goroutines: world.table.len(),
            values: world.fates.made(),
            timers: world.timers.load(SeqCst),
            bytes: world.carried.load(SeqCst),
        };
        if world.is_planted(Plant::Runtime) {
            forget(world.homes[0].get().cloned());
        }
        watchdog::forget_round();
        let fates = world.fates.clone();
        let Ok(world) = Arc::try_unwrap(world) else { fail("somebody has kept the world") };
        drop(world);
        fates.check();
        settle("runtimes", settling, || Arc::strong_count(token) - 1, 0);
        sum
    }
}

struct Runtime {
    number: usize,
    ending: Ending,
    random: Random,
    world: Arc<World>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Runtime {
    fn run(mut self, workers: usize, token: Arc<()>) {
        let policy = match self.ending {
            Ending::Crashes => UnhandledPanic::Crash,
            _ => UnhandledPanic::Ignore,
        };
        // A machine under load is no reason for leaving goroutines behind.
        let builder = Builder::new()
            .worker_threads(workers)
            .thread_name("soak")
            .exit_grace(Duration::from_secs(20))
            .unhandled_panic(policy)
            .on_blocked(move |_| _ = &token);
        let (number, ending, world) = (self.number, self.ending, self.world.clone());
        let random = self.random.fork();
        let ended = catch_unwind(AssertUnwindSafe(|| builder.block_on(self.main(random))));
        world.homes[number].get().expect("main has run").is_over.store(true, SeqCst);
        match ended {
            Ok(Ok(value)) => {
                let is_due = matches!(ending, Ending::Waits | Ending::Returns);
                demand!(is_due && value == number, "block_on returned {value}");
            }
            Ok(Err(error)) => fail(format!("a runtime does not start: {error}")),
            Err(payload) => {
                let planned = payload.downcast_ref::<Planned>().map(|planned| planned.0);
                let is_due = matches!(ending, Ending::Panics | Ending::Crashes);
                demand!(is_due && planned == Some(MAIN), "block_on panicked with {planned:?}");
            }
        }
    }

    async fn main(self, mut random: Random) -> usize {
        let home = Arc::new(Home {
            handle: Handle::current(),
            number: self.number,
            is_over: AtomicBool::new(false),
        });
        let is_first = self.world.homes[self.number].set(home.clone()).is_ok();
        demand!(is_first, "main has begun twice");
        if self.number == 0 {
            self.start_residents(&home, &mut random);
        }
        self.start_threads(&home, &mut random);
        self.bring_about_planted(&home);
        let life = Life::new(&self.world, &home, Kind::Active, Plan::Finish);
        let allowance = 8 << random.below(7);
        let mut main = Actor::new(life, random.fork(), allowance, act);
        // A few at least.
        for _ in 0..4 + random.below(20) {
            child::start(&mut main, random.fork());
        }
        let main = act(main);
        if self.ending == Ending::Waits {
            drop(main.await);
            self.world.actives.done();
            self.wait_for_others(&mut random).await;
            return self.number;
        }
        select! {
            answer = main => drop(answer),
            () = sleep(random.micros(20_000)) => {}
        }
        match self.ending {
            Ending::Panics => panic_any(Planned(MAIN)),
            Ending::Crashes => {
                go!(async { panic_any(Planned(MAIN)) });
                std::future::pending().await
            }
            _ => self.number,
        }
    }

    fn start_residents(&self, home: &Arc<Home>, random: &mut Random) {
        for index in 0..self.world.lines.len() {
            let life = || Life::new(&self.world, home, Kind::Resident, Plan::Finish);
            spawn(resident::source(life(), index, random.fork())).detach();
            spawn(resident::sink(life(), index, random.fork())).detach();
        }
    }

    fn start_threads(&self, home: &Arc<Home>, random: &mut Random) {
        for _ in 0..random.below(4) {
            let life = Life::new(&self.world, home, Kind::Thread, Plan::Finish);
            let actor = Actor::new(life, random.fork(), random.below(30), act);
            let thread = thread::spawn(move || outside::work(actor));
            self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
    }

    async fn wait_for_others(&self, random: &mut Random) {
        self.world.actives.wait().await;
        if self.number == 0 {
            self.world.close(random);
        }
        self.world.residents.wait().await;
        // Those that were aborted are counted out a little later.
        while num_goroutines() != 1 {
            yield_now().await;
        }
    }

    fn bring_about_planted(&self, home: &Arc<Home>) {
        let life = || Life::new(&self.world, home, Kind::Active, Plan::Finish);
        match self.world.plant {
            Some(Plant::Hang) => {
                let life = life();
                go!(async move {
                    life.begin();
                    life.at(Step::Forever, 0);
                    std::future::pending::<()>().await;
                });
            }
            Some(Plant::Leak) => {
                let life = life();
                self.world.actives.done();
                forget(life);
            }
            Some(Plant::Late) => {
                let (record, home) = (life().record.clone(), home.clone());
                thread::spawn(move || {
                    while !home.is_over.load(SeqCst) {
                        thread::yield_now();
                    }
                    record.at(Step::Runs, 0);
                });
            }
            Some(Plant::Memory) => forget(black_box(vec![1_u8; 4 << 20])),
            Some(Plant::Thread) => drop(thread::spawn(|| thread::sleep(Duration::from_secs(60)))),
            Some(Plant::File) => forget(File::open("/dev/null")),
            Some(Plant::Panic) => go!(async { panic!("as planted") }),
            _ => {}
        }
    }
}
