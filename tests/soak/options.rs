//! What the command line says.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// A fault that the program brings about, to show that it would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A goroutine waits for ever.
    Hang,
    /// A value is received, and forgotten.
    Lost,
    /// A value is received, and once more.
    Twice,
    /// A goroutine is never dropped.
    Leak,
    /// A goroutine begins twice.
    Again,
    /// A goroutine goes on after its runtime has ended.
    Late,
    /// A join gives what another goroutine should have given.
    Join,
    /// Values leave a channel in the wrong order.
    Order,
    /// A connection brings other bytes than were written.
    Bytes,
    /// Memory, a thread, a file, a runtime are kept.
    Memory,
    Thread,
    File,
    Runtime,
    /// A panic that nobody has planned.
    Panic,
}

pub(crate) const PLANTS: [(&str, Plant); 14] = [
    ("hang", Plant::Hang),
    ("lost", Plant::Lost),
    ("twice", Plant::Twice),
    ("leak", Plant::Leak),
    ("again", Plant::Again),
    ("late", Plant::Late),
    ("join", Plant::Join),
    ("order", Plant::Order),
    ("bytes", Plant::Bytes),
    ("memory", Plant::Memory),
    ("thread", Plant::Thread),
    ("file", Plant::File),
    ("runtime", Plant::Runtime),
    ("panic", Plant::Panic),
];

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) time: Duration,
    /// The round to begin with.
    pub(crate) first: u64,
    pub(crate) workers: Vec<usize>,
    /// How long a round may take.
    pub(crate) patience: Duration,
    /// How long threads, files and runtimes of a round may be seen after it.
    pub(crate) settling: Duration,
    /// By how many bytes the process may grow once it is warm.
    pub(crate) growth: usize,
    pub(crate) plant: Option<Plant>,
}

pub(crate) const USAGE: &str = "\
--seconds N        how long (10)
--seed S           what all choices derive from (a new one)
--workers 1,2,8,32 the numbers of workers of the runtimes
--first N          the round to begin with (0)
--patience N       seconds that a round may take (30)
--settling N       seconds that a round's threads may be seen after it (10)
--growth N         MiB by which the process may grow once it is warm (32)";

impl Default for Options {
    fn default() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Options {
            seed: now.as_nanos() as u64 % 1_000_000_000,
            time: Duration::from_secs(10),
            first: 0,
            workers: vec![1, 2, 8, 32],
            patience: Duration::from_secs(30),
            settling: Duration::from_secs(10),
            growth: 32 << 20,
            plant: None,
        }
    }
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            match &name[..] {
                "--seconds" => options.time = Duration::from_secs(number(&value)?),
                "--seed" => options.seed = number(&value)?,
                "--first" => options.first = number(&value)?,
                "--workers" => {
                    options.workers = value.split(',').map(number).collect::<Result<_, _>>()?;
                }
                "--patience" => options.patience = Duration::from_secs(number(&value)?),
                "--settling" => options.settling = Duration::from_secs(number(&value)?),
                "--growth" => options.growth = number::<usize>(&value)? << 20,
                "--plant" => {
                    let found = PLANTS.iter().find(|(name, _)| *name == value);
                    options.plant = Some(found.ok_or(format!("there is no fault {value}"))?.1);
                }
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(options)
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text} is not a number that fits here"))
}
