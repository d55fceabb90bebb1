//! The check itself; `mod.rs` shows why it suffices.

#![forbid(unsafe_code)]

use crate::scheduler::deadlock::doubt::Doubt;

/// How often workers and main have fallen asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sleeps {
    pub(crate) of_workers: u64,
    pub(crate) of_main: u64,
    /// How often the monitor has slept, where another one asks.
    pub(crate) of_monitor: u64,
    /// How many of gorun's threads sleep, main's included.
    pub(crate) threads: usize,
    /// How many of them are spares: when they end, they run destructors.
    pub(crate) spares: usize,
}

/// What a check asks of a runtime.
pub(crate) trait World {
    fn asleep(&self) -> Result<Sleeps, Doubt>;
    /// Who may act that is not of the runtime, which has so many threads asleep.
    fn outsider(&self, threads: usize) -> Option<Doubt>;
    fn pending(&self) -> Option<Doubt>;
}

/// `Ok`: it is a deadlock.
pub(crate) fn check(world: &impl World) -> Result<(), Doubt> {
    let before = world.asleep()?;
    // Also first, as it costs less than the other question.
    not(world.pending())?;
    not(world.outsider(before.threads))?;
    not(world.pending())?;
    if world.asleep()? != before {
        return Err(Doubt::Moves);
    }
    if before.spares > 0 { Err(Doubt::Spares) } else { Ok(()) }
}

fn not(doubt: Option<Doubt>) -> Result<(), Doubt> {
    doubt.map_or(Ok(()), Err)
}
