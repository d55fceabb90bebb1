//! The cases of a sequence: each deed at each call.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::task::Poll;

use gorun::{Builder, UnhandledPanic};

use crate::hooks::{DEEDS, Schedule};
use crate::world::{self, Place};

/// Where the operations are polled.
#[derive(Clone, Copy)]
pub(crate) enum Where {
    Outside,
    Main,
    Goroutine,
}

/// Follows the bytes once for each call of a waker, at which it does what the first byte says. Says how
/// many cases that were.
pub(crate) fn follow(bytes: &[u8], place: Where) -> usize {
    let Some((&first, bytes)) = bytes.split_first() else { return 0 };
    let deed = DEEDS[usize::from(first) % DEEDS.len()];
    let every = [usize::MAX, 1, 3][usize::from(first) / DEEDS.len() % 3];
    // With workers for the goroutines, also while one holds the thread.
    let builder = || Builder::new().worker_threads(2).unhandled_panic(UnhandledPanic::Ignore);
    let bytes = bytes.to_vec();
    let all = move |place: Place<'_>| {
        let mut cases = 0;
        loop {
            cases += 1;
            let schedule = Schedule::new(deed, cases - 1, every);
            if world::follow(&bytes, place, schedule) == 0 {
                return cases;
            }
        }
    };
    if let Where::Outside = place {
        return all(Place::Outside);
    }
    let inside = poll_fn(move |cx| Poll::Ready(all(Place::Inside(cx.waker()))));
    match place {
        Where::Outside => unreachable!("see above"),
        Where::Main => builder().block_on(inside).unwrap(),
        Where::Goroutine => builder()
            .block_on(async move {
                let cases = gorun::spawn(inside).await;
                cases.unwrap_or_else(|error| resume_unwind(error.into_panic()))
            })
            .unwrap(),
    }
}
