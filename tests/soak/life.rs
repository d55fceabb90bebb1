//! A goroutine's own view of its life, from its spawn to its last destructor.

use std::panic::panic_any;
use std::sync::{Arc, PoisonError};
use std::thread;

use gorun::{Handle, WaitGroup, block_on, yield_now};

use super::event::Step;
use super::failure::Planned;
use super::options::Plant;
use super::random::Random;
use super::record::{Home, Kind, Plan, Record};
use super::value::Value;
use super::world::World;

/// What a goroutine returns.
pub(crate) struct Answer {
    pub(crate) owner: u32,
    _value: Option<Value>,
}

/// Moves into the goroutine, and is dropped with it.
pub(crate) struct Life {
    pub(crate) world: Arc<World>,
    pub(crate) home: Arc<Home>,
    pub(crate) record: Arc<Record>,
    group: WaitGroup,
    /// For what its destructor does.
    farewell: Option<Random>,
}

impl Life {
    /// Is to be spawned where this is called.
    #[track_caller]
    pub(crate) fn new(world: &Arc<World>, home: &Arc<Home>, kind: Kind, plan: Plan) -> Self {
        let record = world.table.enter(home, kind, plan);
        let group = match kind {
            Kind::Resident => &world.residents,
            _ => &world.actives,
        };
        group.add(1);
        let (world, home, group) = (world.clone(), home.clone(), group.clone());
        Life { world, home, record, group, farewell: None }
    }

    pub(crate) fn with_farewell(mut self, random: Random) -> Self {
        self.farewell = Some(random);
        self
    }

    pub(crate) fn begin(&self) {
        self.record.begin();
        if self.world.is_planted(Plant::Again) {
            self.record.begin();
        }
    }

    pub(crate) fn at(&self, step: Step, number: u32) {
        self.record.at(step, number);
    }

    /// Unless it has been planned otherwise.
    pub(crate) fn finish(&self) -> Answer {
        if self.record.plan == Plan::PanicInPoll {
            self.panic();
        }
        let is_wrong = self.world.is_planted(Plant::Join);
        let owner = self.record.id + u32::from(is_wrong);
        // The language forgets what a function returns if a destructor panics on the way out of it.
        let is_returned = self.record.plan == Plan::Finish;
        Answer { owner, _value: is_returned.then(|| self.world.fates.value()) }
    }

    pub(crate) fn panic(&self) -> ! {
        self.at(Step::Panics, 0);
        panic_any(Planned(self.record.id))
    }

    /// Destructors may do what others may, but wait.
    fn say_farewell(&self, mut random: Random) {
        let line = self.world.line(&mut random);
        match random.below(8) {
            0 => {
                let value = self.world.fates.value();
                let id = value.id();
                match line.tx.try_send(value) {
                    Ok(()) => self.world.fates.sent(id),
                    Err(error) => error.into_inner().refuse(),
                }
            }
            1 => {
                if let Ok(value) = line.rx.try_recv() {
                    value.receive();
                }
            }
            2 => {
                let life = Life::new(&self.world, &self.home, Kind::Active, Plan::Finish);
                drop(self.home.handle.spawn(async move { life.begin() }));
            }
            3 => self.world.abort_somebody(&mut random),
            // Elsewhere it would start a runtime. And exit leaves behind who is in a `block_on` for ten
            // milliseconds, which on a busy machine is a moment, unless it has itself called the
            // destructor.
            4 if self.world.is_clean && Handle::try_current().is_some() => {
                block_on(yield_now());
            }
            5 => *self.world.lock.lock().unwrap_or_else(PoisonError::into_inner) += 1,
            _ => {}
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(random) = self.farewell.take() {
            self.say_farewell(random);
        }
        self.record.drop_it();
        self.group.done();
        if self.record.plan == Plan::PanicInDrop && !thread::panicking() {
            panic_any(Planned(self.record.id));
        }
    }
}
