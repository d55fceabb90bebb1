//! A process that is stopped as a whole, as when the lid of a laptop is shut, and goes on.

use std::hint;
use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gorun::time::{interval, now, sleep, tick};
use gorun::{Builder, spawn, yield_now};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::MILLI;
use crate::common::*;
use crate::workload::bit_of_everything;

const PERIOD: Duration = Duration::from_millis(10);

/// Of the ticks of a second.
const FEW: usize = 30;

/// When this process was stopped, and when it went on.
type Gap = Arc<Mutex<Option<(Instant, Instant)>>>;

/// Looks at the clock all the time, on a thread of its own.
fn watch_for_a_gap() -> Gap {
    let gap = Gap::default();
    thread::spawn({
        let gap = gap.clone();
        move || {
            let mut last = now();
            loop {
                thread::sleep(MILLI);
                let next = now();
                if next - last > 700 * MILLI {
                    *gap.lock().unwrap() = Some((last, next));
                    return;
                }
                last = next;
            }
        }
    });
    gap
}

/// How often to spin for some 20 ms. By number, since by the clock a poll would be over as soon as the
/// process goes on.
fn spins_of_a_poll() -> usize {
    let start = now();
    let mut spins = 0;
    while now() - start < 20 * MILLI {
        (0..100).for_each(|_| hint::spin_loop());
        spins += 100;
    }
    spins
}

/// Computes, and gives way every now and then.
async fn compute(spins: usize) {
    loop {
        (0..spins).for_each(|_| hint::spin_loop());
        yield_now().await;
    }
}

fn in_child() {
    let gap = watch_for_a_gap();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let noted = reports.clone();
    let builder = Builder::new().worker_threads(2);
    let builder = builder.on_blocked(move |blocked| noted.lock().unwrap().push(blocked.clone()));
    let in_main = async {
        let spins = spins_of_a_poll();
        for _ in 0..3 {
            spawn(compute(spins));
        }
        let sleepers: Vec<_> = (1..=50)
            .map(|index| {
                spawn(async move {
                    let start = now();
                    sleep(index * 20 * MILLI).await;
                    now() - start >= index * 20 * MILLI
                })
            })
            .collect();
        let intervals = spawn(async {
            let (mut interval, mut dues) = (interval(PERIOD), Vec::new());
            while dues.len() < 60 {
                dues.push(interval.tick().await);
            }
            dues
        });
        let ticks = spawn(async {
            let (ticks, mut times) = (tick(PERIOD), Vec::new());
            while times.len() < 60 {
                times.push(ticks.recv().await.unwrap());
            }
            times
        });
        println!("ready");
        std::io::stdout().flush().unwrap();

        let (dues, times) = (intervals.await.unwrap(), ticks.await.unwrap());
        let (stopped, went_on) = gap.lock().unwrap().expect("the stop was noticed");
        for pair in dues.windows(2) {
            let apart = (pair[1] - pair[0]).as_nanos();
            assert!(apart > 0 && apart % PERIOD.as_nanos() == 0, "{apart} ns between two ticks");
        }
        // Some, since the thread that sees the gap may go on later than others; a hundred are skipped.
        let inside =
            |times: &[Instant]| times.iter().filter(|&&at| at > stopped && at < went_on).count();
        assert!(inside(&dues) < FEW, "{} ticks are made up for", inside(&dues));
        assert!(inside(&times) < FEW, "{} ticks are made up for", inside(&times));
        for pair in times.windows(2) {
            assert!(pair[1] > pair[0]);
        }
        let after = times.iter().filter(|&&at| at >= went_on).count();
        let since = *times.last().unwrap() - went_on;
        let most = since.as_nanos() as usize / PERIOD.as_nanos() as usize + FEW;
        assert!(after <= most, "{after} ticks in {since:?}");
        for sleeper in sleepers {
            assert!(sleeper.await.unwrap(), "a sleep was too short");
        }
        bit_of_everything().await;
    };
    builder.block_on(in_main).unwrap();
    // On a machine that others load as well 100 ms may pass in a short poll, but not the second.
    let reports = reports.lock().unwrap();
    let blamed: Vec<_> = reports.iter().filter(|blocked| blocked.held_for > 700 * MILLI).collect();
    assert!(blamed.is_empty(), "nobody held a worker for so long: {blamed:?}");
}

#[test]
fn entry() {
    if scenario().is_some() {
        let _watchdog = watchdog();
        in_child();
    }
}

#[test]
fn a_process_that_is_stopped_and_goes_on_skips_ticks_and_blames_nobody() {
    let _watchdog = watchdog();
    let mut child = start_child("pauses::entry", "pause", None);
    let id = Pid::from_raw(child.id() as i32);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.trim_end().ends_with("ready") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it ended early");
    }
    thread::sleep(100 * MILLI);
    kill(id, Signal::SIGSTOP).unwrap();
    thread::sleep(Duration::from_secs(1));
    kill(id, Signal::SIGCONT).unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {rest}");
}
