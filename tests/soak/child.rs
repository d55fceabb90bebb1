//! Goroutines that are started, awaited, cancelled, and forgotten.

use std::sync::Arc;

use gorun::time::timeout;
use gorun::{JoinError, JoinHandle, JoinSet, WaitGroup, channel, go, spawn};

use super::actor::{Actor, Child};
use super::event::{PRIVATE, Step};
use super::failure::{Planned, demand, fail};
use super::life::{Answer, Life};
use super::options::Plant;
use super::random::Random;
use super::record::{Kind, Plan, Record};

pub(crate) fn start(actor: &mut Actor, mut random: Random) {
    // Not always in the runtime that this one belongs to.
    let way = random.below(4);
    let other = match way {
        3 => random.pick(&actor.life.world.homes).get(),
        _ => None,
    };
    let home = other.unwrap_or(&actor.life.home).clone();
    let Some(child) = actor.child_in(&home, &mut random) else { return };
    let (act, record) = (actor.act, child.life.record.clone());
    let handle: JoinHandle<Answer> = match way {
        0 => spawn(act(child)),
        1 => spawn(async move { act(child).await }),
        _ => home.handle.spawn(act(child)),
    };
    if random.one_in(4) {
        actor.life.world.expose(handle.abort_handle(), &record);
    }
    match random.below(8) {
        0 => drop(handle),
        1 => handle.detach(),
        _ => actor.children.push(Child { handle, record }),
    }
}

pub(crate) fn go(actor: &mut Actor, mut random: Random) {
    let Some(child) = actor.child(&mut random) else { return };
    let act = actor.act;
    match random.below(3) {
        0 => go!(act(child)),
        1 => go!(async move { drop(act(child).await) }),
        _ => go!(async move || act(child).await),
    }
}

pub(crate) async fn join(actor: &mut Actor, mut random: Random) {
    if actor.children.is_empty() {
        return;
    }
    let Child { mut handle, record } =
        actor.children.swap_remove(random.index(actor.children.len()));
    let may_be_cancelled = !actor.life.world.is_clean;
    actor.life.at(Step::Joins, record.id);
    if random.one_in(4) {
        actor.life.world.set_timer();
        match timeout(random.micros(1000), &mut handle).await {
            Ok(result) => record.check(result, may_be_cancelled),
            Err(_) => actor.children.push(Child { handle, record }),
        }
        return;
    }
    if handle.is_finished() {
        demand!(record.is_dropped(), "{record}: it is finished, and was not dropped");
    }
    record.check(handle.await, may_be_cancelled);
}

pub(crate) async fn abort(actor: &mut Actor, mut random: Random) {
    if actor.children.is_empty() || random.one_in(4) {
        actor.life.world.abort_somebody(&mut random);
        return;
    }
    let Child { handle, record } = actor.children.swap_remove(random.index(actor.children.len()));
    record.will_be_aborted();
    match random.below(3) {
        0 => handle.abort(),
        1 => handle.abort_handle().abort(),
        _ => {
            handle.abort();
            handle.abort();
        }
    }
    if random.one_in(2) {
        actor.life.at(Step::Joins, record.id);
        record.check(handle.await, !actor.life.world.is_clean);
    }
}

pub(crate) async fn set(actor: &mut Actor, mut random: Random) {
    // `join_all` panics if main ends meanwhile.
    let forms = if actor.life.world.is_clean { 6 } else { 5 };
    let form = random.below(forms);
    actor.life.at(Step::JoinsSet, form as u32);
    let plan = |random: &mut Random, actor: &Actor| match form {
        5 => Plan::Finish,
        _ => actor.life.world.plan(random),
    };
    let home = actor.life.home.clone();
    let mut set = JoinSet::new();
    let mut records = Vec::<Arc<Record>>::new();
    for _ in 0..random.below(12) {
        let plan = plan(&mut random, actor);
        let Some(child) = actor.child_with(&home, &mut random, plan) else { break };
        records.push(child.life.record.clone());
        set.spawn((actor.act)(child));
    }
    let abort_all = |records: &[Arc<Record>]| {
        records.iter().for_each(|record| record.will_be_aborted());
    };
    match form {
        0 => {}
        5 => {
            let answers = set.join_all().await;
            demand!(answers.len() == records.len(), "join_all gave {} answers", answers.len());
            check_dropped(&records);
            return;
        }
        1 => {
            abort_all(&records);
            set.shutdown().await;
            demand!(set.is_empty(), "a set is not empty after it was shut down");
            check_dropped(&records);
            return;
        }
        2 => {
            abort_all(&records);
            return drop(set);
        }
        3 => {
            set.detach_all();
            demand!(set.is_empty(), "a set is not empty after its goroutines were detached");
            return;
        }
        _ => {
            abort_all(&records);
            set.abort_all();
        }
    }
    let mut left = records.len();
    loop {
        let result = match random.one_in(3) {
            true => set.try_join_next(),
            false => match set.join_next().await {
                None => break,
                result => result,
            },
        };
        if let Some(result) = result {
            left = left.checked_sub(1).unwrap_or_else(|| fail("a set gave too many results"));
            check_one_of(&records, result, !actor.life.world.is_clean);
        }
    }
    demand!(left == 0, "a set gave {left} results too few");
    check_dropped(&records);
}

fn check_one_of(
    records: &[Arc<Record>],
    result: Result<Answer, JoinError>,
    may_be_cancelled: bool,
) {
    match result {
        Ok(answer) => {
            let record = records.iter().find(|record| record.id == answer.owner);
            match record {
                Some(record) => record.check(Ok(answer), may_be_cancelled),
                None => fail(format!("a set gave the value of goroutine {}", answer.owner)),
            }
        }
        Err(error) if error.is_cancelled() => {
            let is_aborted = records.iter().any(|record| record.is_aborted());
            demand!(may_be_cancelled || is_aborted, "a goroutine of a set was cancelled");
        }
        Err(error) => {
            let payload = error.into_panic();
            let planned = payload.downcast_ref::<Planned>().map(|planned| planned.0);
            let is_ours = records.iter().any(|record| Some(record.id) == planned);
            demand!(is_ours, "a goroutine of a set panicked with {planned:?}");
        }
    }
}

fn check_dropped(records: &[Arc<Record>]) {
    for record in records {
        demand!(record.is_dropped(), "{record}: it was waited for, and was not dropped");
    }
}

pub(crate) async fn group(actor: &mut Actor, mut random: Random) {
    let group = WaitGroup::new();
    let mut records = Vec::new();
    for _ in 0..random.below(12) {
        let Some(child) = actor.child(&mut random) else { break };
        records.push(child.life.record.clone());
        let act = actor.act;
        match random.one_in(2) {
            true => group.go(async move { drop(act(child).await) }),
            false => {
                group.add(1);
                let group = group.clone();
                go!(async move {
                    // Also if it panics.
                    let _done = Done(group);
                    drop(act(child).await);
                });
            }
        }
    }
    actor.life.at(Step::AwaitsGroup, records.len() as u32);
    group.wait().await;
    check_dropped(&records);
}

struct Done(WaitGroup);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// A channel for two, which one of them may leave early.
pub(crate) async fn talk(actor: &mut Actor, mut random: Random) {
    let (tx, rx) = channel(*random.pick(&[0, 0, 1, 2, 64]));
    let life = Life::new(&actor.life.world, &actor.life.home, Kind::Active, Plan::Finish);
    let record = life.record.clone();
    let sends = random.below(200);
    let producer = spawn(async move {
        life.begin();
        for _ in 0..sends {
            let value = life.world.fates.perishable();
            let id = value.id();
            life.at(Step::Sends, PRIVATE);
            match tx.send(value).await {
                Ok(()) => life.world.fates.sent(id),
                Err(error) => {
                    error.into_inner().refuse();
                    break;
                }
            }
        }
        life.finish()
    });
    let patience = if random.one_in(3) { random.below(200) } else { 200 };
    let (mut received, mut last) = (0, None);
    while received < patience {
        actor.life.at(Step::Receives, PRIVATE);
        let Some(value) = rx.recv().await else { break };
        let is_in_order = last < Some(value.id()) && !actor.life.world.is_planted(Plant::Order);
        demand!(is_in_order, "{}: {} came after {last:?}", actor.life.record, value.id());
        last = Some(value.id());
        value.receive();
        received += 1;
    }
    let is_complete = received == sends.min(patience) || !actor.life.world.is_clean;
    demand!(is_complete, "{record} was to send {sends}; {received} were received");
    match random.one_in(2) {
        true => drop(rx),
        false => rx.close(),
    }
    actor.life.at(Step::Joins, record.id);
    record.check(producer.await, !actor.life.world.is_clean);
}
