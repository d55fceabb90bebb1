//! Worker threads: starting them, waiting for their end, leaving them behind.
//!
//! A worker thread occupies a *slot*, the index of its [`Worker`]. There are as many available
//! workers as the program asked for (`idle/mod.rs` counts them). If a worker is away and there is
//! no spare to cover for it, another thread is started. When a spare has retired, its slot is free
//! again.
//!
//! # Starting threads
//!
//! The thread that calls `block_on` starts the workers and the monitor before main begins. The
//! monitor starts all others (`thread_requests.rs` says why). So only one thread at a time starts
//! threads.
//!
//! ```text
//!                    reserve                      note the handle
//!             free ───────────► starting ───────────────────────────► running
//!              ▲ ▲  refused        │                                     │ ends
//!              │ └─────────────────┤ ends first         note the handle  ▼
//!              │                   └───► ended at once ───────────────► ended, to be joined;
//!              └─────────────────────────────────────────────────────── or free, if exit has not begun
//! ```
//!
//! The system may take its time to start a thread, so the starter holds no lock meanwhile. Before
//! that, it reserves the slot and counts the thread as alive, under the lock under which exit takes
//! stock. So a thread is either refused, or counted when exit begins to wait, whether or not it has
//! begun to run. Exit waits for it as for any other. A thread may end before its handle is noted.
//! Then its slot stays taken until the handle comes. Exit joins the threads whose handles are
//! noted. When no thread is alive, all handles are noted: the monitor notes them, and exit waits
//! for it last.
//!
//! # The end of a thread
//!
//! A thread has *ended* when the destructors of its thread-locals have run, which are user code. So
//! that gorun learns of that, the first thread-local of a worker thread is its own: destructors run
//! in the reverse order of first use. That order is std's practice rather than its promise. With
//! another order, exit may wait for such a destructor without a bound.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::primitives::{AtomicUsize, Condvar, Mutex, Ordering, lock};
use crate::scheduler::worker::thread_requests::{ThreadRequests, too_many};

pub(crate) struct Threads {
    pub(crate) requests: ThreadRequests,
    state: Mutex<State>,
    changed: Condvar,
    /// How many slots a reader must look at to see all workers whose threads have not ended.
    in_use: AtomicUsize,
    /// How many slots are not free.
    taken: AtomicUsize,
}

struct State {
    slots: Vec<Slot>,
    /// Threads that were reserved and have not ended, the monitor included.
    alive: usize,
    monitor: Option<thread::JoinHandle<()>>,
    /// Exit has begun to join threads that end.
    ending: bool,
    /// Exit has taken stock: no thread starts any more.
    closed: bool,
}

enum Slot {
    Free,
    Starting,
    /// Its thread has ended, but its handle has not been noted.
    EndedAtOnce,
    Running(thread::JoinHandle<()>),
    Ended(thread::JoinHandle<()>),
}

/// How many threads of workers there are in the process, of all runtimes, also while one ends.
static WORKERS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

pub(crate) fn workers_of_process() -> usize {
    WORKERS.load(Ordering::SeqCst)
}

impl Threads {
    pub(crate) fn new() -> Self {
        Threads {
            requests: ThreadRequests::new(),
            state: Mutex::new(State {
                slots: Vec::new(),
                alive: 0,
                monitor: None,
                ending: false,
                closed: false,
            }),
            changed: Condvar::new(),
            in_use: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// Reserves a slot for a thread to be started, if there are fewer than `limit`. `occupy`
    /// receives its index before other threads see the slot in use.
    pub(crate) fn reserve<W>(
        &self,
        limit: usize,
        occupy: impl FnOnce(usize) -> W,
    ) -> io::Result<W> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(io::Error::other("the runtime has ended"));
        }
        let free = state.slots.iter().position(|slot| matches!(slot, Slot::Free));
        let index = free.unwrap_or(state.slots.len());
        if index >= limit {
            return Err(too_many(limit));
        }
        let occupied = occupy(index);
        if index == state.slots.len() {
            state.slots.push(Slot::Free);
        }
        state.slots[index] = Slot::Starting;
        WORKERS.fetch_add(1, Ordering::SeqCst);
        state.alive += 1;
        self.note_slots_in_use(&state);
        Ok(occupied)
    }

    /// Counts the monitor's thread, before it is started.
    pub(crate) fn reserve_monitor(&self) {
        lock(&self.state).alive += 1;
    }

    /// Starts a thread that has been counted: the worker's at `index` or, without one, the
    /// monitor's. Its end is signalled when `entry` has returned and the destructors of its
    /// thread-locals have run.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        builder: thread::Builder,
        index: Option<usize>,
        entry: impl FnOnce() + Send + 'static,
    ) -> io::Result<thread::JoinHandle<()>> {
        let threads = self.clone();
        builder.spawn(move || {
            THREAD_END.set(Some(ThreadEnd { threads, index }));
            entry();
        })
    }

    /// Counts out a thread that could not be started.
    pub(crate) fn release(&self, index: Option<usize>) {
        self.end(index, |_, _| Slot::Free);
    }

    /// Notes the handle of a worker thread that has been started.
    pub(crate) fn note(&self, index: usize, handle: thread::JoinHandle<()>) {
        let mut state = lock(&self.state);
        let ending = state.ending;
        // Without a slot, exit has stopped waiting: the thread is detached.
        if let Some(slot) = state.slots.get_mut(index) {
            *slot = match slot {
                Slot::EndedAtOnce if ending => Slot::Ended(handle),
                Slot::EndedAtOnce => Slot::Free,
                _ => Slot::Running(handle),
            };
            self.note_slots_in_use(&state);
        }
    }

    pub(crate) fn note_monitor(&self, handle: thread::JoinHandle<()>) {
        lock(&self.state).monitor = Some(handle);
    }

    /// Waits until a thread ends, or for `limit`. Returns how many have not ended.
    pub(crate) fn wait_for_an_end(&self, limit: Duration) -> usize {
        let state = lock(&self.state);
        if state.alive == 0 {
            return 0;
        }
        let (state, _) =
            self.changed.wait_timeout(state, limit).unwrap_or_else(|error| error.into_inner());
        state.alive
    }

    /// Makes exit join the threads that end from now on.
    pub(crate) fn start_joining(&self) {
        lock(&self.state).ending = true;
    }

    /// Joins the threads that have ended and detaches the others.
    pub(crate) fn join_ended(&self) {
        let (slots, monitor) = {
            let mut state = lock(&self.state);
            state.closed = true;
            (std::mem::take(&mut state.slots), state.monitor.take())
        };
        let ended = slots.into_iter().filter_map(|slot| match slot {
            Slot::Ended(handle) => Some(handle),
            Slot::Free | Slot::Starting | Slot::EndedAtOnce | Slot::Running(_) => None,
        });
        for handle in ended.chain(monitor.filter(thread::JoinHandle::is_finished)) {
            // Neither a worker nor the monitor panics.
            let _ = handle.join();
        }
    }

    /// How many slots a reader must look at to see all workers whose threads have not ended.
    #[inline]
    pub(crate) fn slots_in_use(&self) -> usize {
        self.in_use.load(Ordering::SeqCst)
    }

    /// How many slots are not free.
    pub(crate) fn slots_taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    fn note_slots_in_use(&self, state: &State) {
        let is_taken = |slot: &&Slot| !matches!(slot, Slot::Free);
        let last = state.slots.iter().rposition(|slot| is_taken(&slot));
        self.in_use.store(last.map_or(0, |last| last + 1), Ordering::SeqCst);
        self.taken.store(state.slots.iter().filter(is_taken).count(), Ordering::SeqCst);
    }

    /// Counts out the thread at `index` or, without one, the monitor's. `next_slot` computes the
    /// slot's new state from the old one, and from whether exit joins ended threads.
    fn end(&self, index: Option<usize>, next_slot: impl FnOnce(Slot, bool) -> Slot) {
        let mut state = lock(&self.state);
        state.alive -= 1;
        let ending = state.ending;
        if let Some(slot) = index.and_then(|index| state.slots.get_mut(index)) {
            *slot = next_slot(std::mem::replace(slot, Slot::Free), ending);
            self.note_slots_in_use(&state);
        }
        // After the slot: meanwhile there seems to be one thread more, not less.
        if index.is_some() {
            WORKERS.fetch_sub(1, Ordering::SeqCst);
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl Slot {
    /// The slot after the end of its thread.
    fn after_end(self, ending: bool) -> Slot {
        match self {
            Slot::Starting => Slot::EndedAtOnce,
            Slot::Running(handle) if ending => Slot::Ended(handle),
            // A spare that has retired.
            _ => Slot::Free,
        }
    }
}

/// Signals the end of its thread when dropped. It holds no reference to the scheduler: otherwise a
/// thread-local's destructor might drop the last one, and no thread waits for that.
struct ThreadEnd {
    threads: Arc<Threads>,
    index: Option<usize>,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.threads.end(self.index, Slot::after_end);
    }
}

thread_local! {
    /// The first thread-local of a thread, so that its end is signalled last.
    static THREAD_END: RefCell<Option<ThreadEnd>> = const { RefCell::new(None) };
}
