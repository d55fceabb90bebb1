//! Waiting for a time, for others, for the system.

use std::future::ready;
use std::hint::black_box;
use std::sync::{PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gorun::time::{after, interval, now, sleep, sleep_until, tick, timeout};
use gorun::{blocking, channel, spawn, yield_now};

use super::bell::ring;
use super::event::Step;
use super::failure::{demand, fail};
use super::life::Life;
use super::random::Random;
use super::record::{Kind, Plan};

pub(crate) async fn for_a_time(life: &Life, mut random: Random) {
    let duration = random.micros(2000);
    life.at(Step::Sleeps, duration.as_micros() as u32);
    life.world.set_timer();
    let start = now();
    match random.below(7) {
        0 | 1 => sleep(duration).await,
        2 => sleep_until(start + duration).await,
        // The end of the runtime closes it.
        3 => {
            if after(duration).recv().await.is_none() {
                return;
            }
        }
        4 => {
            let mut interval = interval(duration / 4 + Duration::from_micros(1));
            for _ in 0..5 {
                interval.tick().await;
            }
        }
        5 => {
            let ticks = tick(duration / 4 + Duration::from_micros(1));
            for _ in 0..4 {
                if ticks.recv().await.is_none() {
                    return;
                }
            }
        }
        _ => {
            let never = std::future::pending::<()>();
            demand!(timeout(duration, never).await.is_err(), "{}: never came", life.record);
        }
    }
    demand!(start.elapsed() >= duration, "{}: it was woken early", life.record);
}

/// Timers that are dropped before their time.
pub(crate) async fn for_nothing(life: &Life, mut random: Random) {
    life.at(Step::Sleeps, 0);
    let far = Duration::from_secs(3600) + random.micros(5000);
    let timers: Vec<_> = (0..1 + random.below(20)).map(|_| sleep(far)).collect();
    let alarm = after(far);
    let long = timeout(far, yield_now()).await;
    demand!(long.is_ok(), "{}: an hour has passed", life.record);
    for timer in timers {
        life.world.set_timer();
        demand!(timeout(Duration::ZERO, timer).await.is_err(), "{}: early", life.record);
    }
    drop(alarm);
}

pub(crate) async fn for_others(life: &Life, mut random: Random) {
    life.at(Step::Yields, 0);
    for _ in 0..1 << random.below(8) {
        yield_now().await;
    }
}

/// Awaits that are ready at once, and tickers that nobody reads: only a limit, or exit, ends them.
pub(crate) async fn never(life: &Life, mut random: Random) {
    life.at(Step::Yields, 1);
    let limit = random.micros(2000);
    let _unread: Vec<_> = (0..random.below(20))
        .map(|_| tick(random.micros(300) + Duration::from_micros(1)))
        .collect();
    let way = random.below(3);
    let busy = async {
        let (tx, rx) = channel(1);
        loop {
            match way {
                0 => drop(spawn(async {}).await),
                1 => drop(timeout(limit, ready(())).await),
                _ => {
                    tx.send(()).await.unwrap();
                    rx.recv().await.unwrap();
                }
            }
        }
    };
    life.world.set_timer();
    let ended: Result<(), _> = timeout(limit, busy).await;
    demand!(ended.is_err(), "{}: it has no end", life.record);
}

pub(crate) async fn for_the_bell(life: &Life) {
    life.at(Step::AwaitsBell, 0);
    ring().await;
}

/// Mostly short, at times long enough for the scheduler to notice.
pub(crate) fn compute(life: &Life, mut random: Random) {
    life.at(Step::Computes, 0);
    let duration = match random.one_in(30) {
        true => Duration::from_millis(12),
        false => random.micros(200),
    };
    let start = Instant::now();
    while start.elapsed() < duration {
        black_box(random.below(2));
    }
}

/// Without or with a word.
pub(crate) fn block(life: &Life, mut random: Random) {
    let way = random.below(5);
    life.at(Step::Blocks, way as u32);
    let duration = random.micros(2500);
    match way {
        0 => blocking(|| thread::sleep(duration)),
        1 => thread::sleep(duration),
        2 => {
            let mut lock = life.world.lock.lock().unwrap_or_else(PoisonError::into_inner);
            *lock += 1;
            thread::sleep(duration / 4);
        }
        3 => blocking(|| {
            *life.world.lock.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }),
        _ => {
            // Perhaps it is queued behind this very goroutine.
            let (tx, rx) = mpsc::channel();
            let other = Life::new(&life.world, &life.home, Kind::Active, Plan::Finish);
            drop(spawn(async move {
                other.begin();
                let _ = tx.send(());
            }));
            let came = rx.recv().is_ok();
            demand!(came || !life.world.is_clean, "{}: no message came", life.record);
        }
    }
}
