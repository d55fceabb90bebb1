//! Says each second how far the program has come, and ends it if a round does not end.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::event;
use super::failure::end;
use super::record::Table;

struct Watched {
    since: Instant,
    table: Option<Arc<Table>>,
    progress: String,
}

static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);

fn watched() -> std::sync::MutexGuard<'static, Option<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A round has begun.
pub(crate) fn watch(table: &Arc<Table>, progress: String) {
    let table = Some(table.clone());
    *watched() = Some(Watched { since: Instant::now(), table, progress });
}

/// Nothing of it is left that could hang, and the table is not to keep what belongs to it.
pub(crate) fn forget_round() {
    if let Some(watched) = watched().as_mut() {
        watched.table = None;
    }
}

pub(crate) fn start(patience: Duration) {
    let watch = move || {
        loop {
            thread::sleep(Duration::from_secs(1));
            let watched = watched();
            let Some(watched) = watched.as_ref() else { continue };
            println!("{}", watched.progress);
            if watched.since.elapsed() > patience {
                hang(watched, patience);
            }
        }
    };
    thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(watch)
        .expect("a thread can be started");
}

fn hang(watched: &Watched, patience: Duration) -> ! {
    let left = watched.table.as_ref().map(|table| table.left()).unwrap_or_default();
    let states: String = left.iter().map(|record| format!("{record}\n")).collect();
    let events = event::last(200);
    let limit = patience.as_secs();
    end(2, format!("it has not ended after {limit} s\nthe last events:\n{events}\nleft:\n{states}"))
}
