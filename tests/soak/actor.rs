//! A goroutine that does all kinds of things, and its children.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gorun::{JoinError, JoinHandle};

use super::event::Step;
use super::failure::{Planned, demand, fail};
use super::life::{Answer, Life};
use super::random::Random;
use super::record::{Home, Kind, Plan, Record};

/// Runs an actor to its end. The file with all of what actors do imports those with its parts, and so
/// these get to know it in this way.
pub(crate) type Act = fn(Actor) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

pub(crate) struct Actor {
    pub(crate) life: Life,
    pub(crate) random: Random,
    /// How many goroutines it may have among its descendants.
    pub(crate) allowance: u64,
    pub(crate) children: Vec<Child>,
    pub(crate) act: Act,
}

pub(crate) struct Child {
    pub(crate) handle: JoinHandle<Answer>,
    pub(crate) record: Arc<Record>,
}

impl Actor {
    pub(crate) fn new(life: Life, random: Random, allowance: u64, act: Act) -> Self {
        Actor { life, random, allowance, children: Vec::new(), act }
    }

    /// Takes a part of the allowance. `None` if there is none left.
    #[track_caller]
    pub(crate) fn child(&mut self, random: &mut Random) -> Option<Actor> {
        self.child_in(&self.life.home.clone(), random)
    }

    #[track_caller]
    pub(crate) fn child_in(&mut self, home: &Arc<Home>, random: &mut Random) -> Option<Actor> {
        let plan = self.life.world.plan(random);
        self.child_with(home, random, plan)
    }

    #[track_caller]
    pub(crate) fn child_with(
        &mut self,
        home: &Arc<Home>,
        random: &mut Random,
        plan: Plan,
    ) -> Option<Actor> {
        self.allowance = self.allowance.checked_sub(1)?;
        let share = random.below(self.allowance / 2 + 1);
        self.allowance -= share;
        let mut life = Life::new(&self.life.world, home, Kind::Active, plan);
        if random.one_in(3) {
            life = life.with_farewell(random.fork());
        }
        self.life.at(Step::Spawns, life.record.id);
        Some(Actor::new(life, random.fork(), share, self.act))
    }
}

impl Record {
    /// Whether a goroutine with this record may have come to this end.
    pub(crate) fn check(&self, result: Result<Answer, JoinError>, may_be_cancelled: bool) {
        demand!(self.is_dropped(), "{self}: it has a result, and was not dropped");
        match result {
            Ok(answer) => {
                demand!(answer.owner == self.id, "{self}: it gave what {} gives", answer.owner);
                demand!(self.plan == Plan::Finish, "{self}: it gave a value");
            }
            Err(error) if error.is_panic() => {
                let payload = error.into_panic();
                let planned = payload.downcast_ref::<Planned>().map(|planned| planned.0);
                demand!(planned == Some(self.id), "{self}: it panicked with {planned:?}");
                demand!(self.plan != Plan::Finish, "{self}: it panicked");
            }
            Err(_) => {
                let may_never_start = may_be_cancelled;
                let may_be_cancelled = may_be_cancelled || self.is_aborted();
                demand!(may_be_cancelled, "{self}: it was cancelled");
                let is_silent = self.plan == Plan::PanicInDrop && !may_never_start;
                demand!(!is_silent, "{self}: it was cancelled, and not seen to panic");
            }
        }
    }
}
