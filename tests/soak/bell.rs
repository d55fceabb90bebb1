//! A foreign future, and an outside thread that wakes those who await it: once, twice, later, or long
//! after they have gone.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use super::random::Random;

struct Request {
    waker: Waker,
    has_rung: Arc<AtomicBool>,
}

static BELL: OnceLock<mpsc::Sender<Request>> = OnceLock::new();

/// How many wakers are kept, of goroutines that may be gone.
const KEPT: usize = 32;

/// Starts the thread.
pub(crate) fn hang_up(mut random: Random) {
    let (ask, asked) = mpsc::channel::<Request>();
    BELL.set(ask).unwrap_or_else(|_| panic!("there is one bell"));
    let ring = move || {
        let mut kept = VecDeque::new();
        for Request { waker, has_rung } in asked {
            for _ in 0..random.below(2) * random.below(2000) {
                std::hint::spin_loop();
            }
            if random.one_in(4) {
                // Too early.
                waker.wake_by_ref();
                thread::yield_now();
            }
            has_rung.store(true, SeqCst);
            waker.wake_by_ref();
            if random.one_in(4) {
                kept.push_back(waker);
            }
            if kept.len() > KEPT {
                kept.pop_front();
            }
            if random.one_in(4) && !kept.is_empty() {
                kept[random.index(kept.len())].wake_by_ref();
            }
        }
    };
    thread::Builder::new().name("bell".to_owned()).spawn(ring).expect("a thread can be started");
}

/// Ready when the bell has rung.
pub(crate) struct Ring {
    has_rung: Arc<AtomicBool>,
}

pub(crate) fn ring() -> Ring {
    Ring { has_rung: Arc::default() }
}

impl Future for Ring {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_rung.load(SeqCst) {
            return Poll::Ready(());
        }
        let request = Request { waker: cx.waker().clone(), has_rung: self.has_rung.clone() };
        let bell = BELL.get().expect("there is a bell");
        bell.send(request).expect("the bell rings as long as the program runs");
        Poll::Pending
    }
}
