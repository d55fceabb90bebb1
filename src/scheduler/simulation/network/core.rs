//! The network itself: its lock, its timer, and the runtime that it belongs to.

#![forbid(unsafe_code)]

use std::any::Any;
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use crate::primitives::{Mutex, lock};
use crate::scheduler::foreign_wakers;
use crate::scheduler::reactor::source::Readiness;
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::simulation::network::agenda::Event;
use crate::scheduler::simulation::network::end_id::Side;
use crate::scheduler::simulation::network::links::Cut;
use crate::scheduler::simulation::network::state::{Act, State};
use crate::scheduler::simulation::state::{self, Simulation};
use crate::scheduler::timers::timer::Timer;

pub(crate) struct Network {
    scheduler: Weak<Scheduler>,
    simulation: Weak<Simulation>,
    state: Mutex<State>,
}

impl Network {
    /// That of a simulated runtime; `None` for others.
    pub(crate) fn of(scheduler: &Arc<Scheduler>) -> io::Result<Option<Arc<Network>>> {
        let Some(simulation) = scheduler.simulation() else { return Ok(None) };
        if scheduler.phase() == Phase::Ended {
            return Err(ended());
        }
        let network: Arc<dyn Any + Send + Sync> = simulation.network(|| {
            Arc::new(Network {
                scheduler: Arc::downgrade(scheduler),
                simulation: Arc::downgrade(simulation),
                state: Mutex::new(State::new()),
            })
        });
        Ok(Some(network.downcast().expect("it is the only kind of network")))
    }

    /// Changes the state. Fails if the runtime has ended.
    pub(super) fn act<R>(
        self: &Arc<Self>,
        f: impl FnOnce(&mut Act<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let Some(simulation) = self.simulation.upgrade() else { return Err(ended()) };
        simulation.check_inside("uses a socket");
        let mut state = lock(&self.state);
        if state.has_ended {
            return Err(ended());
        }
        let mut act = Act {
            state: &mut state,
            settings: &simulation.settings.network,
            simulation: &simulation,
            now: simulation.now(),
            woken: Vec::new(),
        };
        let result = f(&mut act);
        let woken = act.woken;
        self.keep_time(&mut state);
        drop(state);
        woken.into_iter().for_each(|woken| foreign_wakers::wake(woken.waker));
        simulation.tell_if_outside();
        result
    }

    /// Sees to it that what is first on the agenda happens.
    fn keep_time(self: &Arc<Self>, state: &mut State) {
        let Some(at) = state.agenda.earliest() else { return state.timer = None };
        let Some(scheduler) = self.scheduler.upgrade() else { return };
        let timer = state.timer.get_or_insert_with(|| Timer::new(scheduler, at));
        if timer.deadline() != at || !timer.is_waited_for() {
            timer.reset(at);
            // At the end of the runtime all sockets wake their waiters anyway.
            timer.wait(&Waker::from(Arc::new(Clock(Arc::downgrade(self)))));
        }
    }

    /// What is due happens, in an order that is chosen.
    fn run_due(self: &Arc<Self>) {
        let Some(simulation) = self.simulation.upgrade() else { return };
        simulation.on_network(|| self.happen_due());
    }

    fn happen_due(self: &Arc<Self>) {
        let ran = self.act(|act| {
            if let Some(timer) = &mut act.state.timer {
                timer.cancel();
            }
            loop {
                let mut due = act.state.agenda.due(act.now);
                if due.is_empty() {
                    return Ok(());
                }
                while !due.is_empty() {
                    let several = due.len() > 1;
                    let chosen = if several { act.simulation.below(due.len()) } else { 0 };
                    let next = due[chosen].pop_front().expect("the list has one");
                    if due[chosen].is_empty() {
                        due.remove(chosen);
                    }
                    // Something before may have taken it off.
                    if let Some(event) = act.state.agenda.remove(next) {
                        act.happen(event);
                    }
                }
            }
        });
        // If the runtime has ended, nobody waits.
        drop(ran);
    }
}

impl Act<'_> {
    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival(id) => {
                if let Some(end) = self.state.end(id) {
                    end.arrival = None;
                    self.deliver(id);
                }
            }
            Event::GiveUp(id) => self.give_up(id),
            Event::Probe(id) => self.probed(id),
            Event::Datagram(datagram) => self.receive(datagram),
            Event::Refusal(refusal) => self.refuse(&refusal),
            Event::Heard(id) => self.heard(id),
            Event::OutageEnds(from, to) => {
                let cuts = &mut self.state.links.cuts;
                let is_outage = |cut: &Cut| cut.0.is_some_and(|until| until <= self.now);
                if cuts.get(&(from, to)).is_some_and(is_outage) {
                    cuts.remove(&(from, to));
                    self.note(|name| {
                        format!("the outage from {} to {} ends", name(from), name(to))
                    });
                    self.go_on();
                }
            }
        }
    }
}

impl state::Network for Network {
    fn end(&self) {
        let mut state = lock(&self.state);
        state.has_ended = true;
        state.agenda.clear();
        let mut woken = Vec::new();
        for connection in state.connections.values_mut() {
            for side in [Side::Client, Side::Server] {
                connection.end(side).source.notify(Readiness::ENDED, &mut woken);
            }
        }
        let listeners = state.listeners.values().map(|listener| &listener.source);
        let sources = listeners.chain(state.datagrams.values().map(|receiving| &receiving.source));
        sources.for_each(|source| source.notify(Readiness::ENDED, &mut woken));
        let timer = state.timer.take();
        drop(state);
        drop(timer);
        woken.into_iter().for_each(|woken| foreign_wakers::wake(woken.waker));
    }
}

/// Woken when something is due.
struct Clock(Weak<Network>);

impl Wake for Clock {
    fn wake(self: Arc<Self>) {
        if let Some(network) = self.0.upgrade() {
            network.run_due();
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the simulated runtime that this socket, or host, belongs to has ended")
}
