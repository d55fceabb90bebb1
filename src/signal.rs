//! Signals of the operating system as values of a channel. Go's package `os/signal`. (Feature `signal`.)
//!
//! [`notify`] returns a receiver of those signals that a part of the program wants, [`ctrl_c`]
//! waits for one Ctrl-C, and [`context`] gives a context that a signal cancels.
//!
//! ```no_run
//! use gorun::select;
//! use gorun::signal::{self, Signal};
//!
//! # async fn serve() { std::future::pending().await }
//! gorun::block_on(async {
//!     let quit = signal::notify([Signal::Int, Signal::Term]);
//!     select! {
//!         signal = quit.recv() => println!("{}: closing", signal.unwrap()),
//!         () = serve() => {}
//!     }
//! }); // main returns: the goroutines that are left are dropped, with their destructors
//! ```
//!
//! # A second Ctrl-C
//!
//! As long as a receiver of a signal lives, the signal goes there, however often it comes. What
//! the system would do by default (for Ctrl-C, end the program) does not happen. When no receiver
//! of the signal is left, the default action happens again. So if a program drops the receiver
//! when it begins to close, as after [`ctrl_c`], a second Ctrl-C ends the program at once. If it
//! keeps the receiver, as above until main returns, a second Ctrl-C waits there. A [`context`]
//! takes signals until it is done.
//!
//! # What else to know
//!
//! - Receivers belong to no runtime: several runtimes and plain threads may each have theirs, and each
//!   gets each signal that it asked for.
//! - The system merges signals of one kind that come faster than it can deliver them. If a
//!   receiver holds 64 signals that nobody has taken, it merges new ones of a kind that is among
//!   them. So it misses no kind. (In Go a channel that is full misses signals of any kind.) A
//!   receiver that nobody reads does not delay the others.
//! - One thread of the process, `gorun-signal`, delivers the signals. The first call of this
//!   module starts it.
//! - A receiver gets a signal also if the process ignored it before, as `SIGHUP` under `nohup`.
//!   Once the last receiver is dropped, the process ignores the signal again on Linux; elsewhere
//!   its default action happens.

// Rejected: a future that polls the signal-safe flag (it needs a thread that wakes it anyhow); an
// async reader of the pipe (it would bind signals to one runtime, and to its poller).

#![forbid(unsafe_code)]

mod kind;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::chan::channel;
use crate::chan::receiver::Receiver;
use crate::chan::sender::Sender;
use crate::context::{CancelGuard, Context};
use crate::panics;
use crate::primitives::{Mutex, lock};
use crate::scheduler::deadlock::outsiders;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use kind::Signal;

/// A receiver with this many signals merges those of one kind.
const MANY: usize = 64;

/// Beyond that there is room for one of each kind.
const CAPACITY: usize = MANY + system::KINDS;

static STATE: Mutex<State> = Mutex::new(State {
    source: None,
    caught: Vec::new(),
    ignored: Vec::new(),
    listeners: Vec::new(),
});

struct State {
    /// Where signals come from, once somebody has asked for one.
    source: Option<system::Source>,
    /// The signals that come from there. A signal stays here when its last listener has gone.
    caught: Vec<Signal>,
    /// Those of them that the process ignored before.
    ignored: Vec<Signal>,
    listeners: Vec<Arc<Listener>>,
}

struct Listener {
    signals: Vec<Signal>,
    target: Target,
}

/// What a signal does.
enum Target {
    Receiver(Inbox),
    /// The signal cancels the context, through the guard.
    Context(Context, CancelGuard),
}

/// The sending half of a receiver.
struct Inbox {
    sender: Sender<Signal>,
    /// What was sent last. Only the thread that delivers signals uses it.
    sent: Mutex<VecDeque<Signal>>,
}

impl Inbox {
    /// Returns whether somebody receives.
    fn put(&self, signal: Signal) -> bool {
        let mut sent = mem::take(&mut *lock(&self.sent));
        // The signals that nobody has taken are those sent last.
        let waiting = self.sender.len();
        sent.drain(..sent.len().saturating_sub(waiting));
        let is_merged = waiting >= MANY && sent.contains(&signal);
        let is_open = if is_merged {
            !self.sender.is_closed()
        } else {
            sent.push_back(signal);
            // Without the lock: it calls wakers. There is room.
            self.sender.try_send(signal).is_ok()
        };
        *lock(&self.sent) = sent;
        is_open
    }
}

impl Listener {
    /// Whether it still wants signals.
    fn is_listening(&self) -> bool {
        match &self.target {
            Target::Receiver(inbox) => !inbox.sender.is_closed(),
            Target::Context(context, _) => !context.is_done(),
        }
    }

    /// Returns whether the signal has reached somebody. It calls wakers.
    fn tell(&self, signal: Signal) -> bool {
        match &self.target {
            Target::Receiver(inbox) => inbox.put(signal),
            Target::Context(context, guard) => {
                let is_first = !context.is_done();
                guard.cancel_with_cause(format!("{signal} signal received"));
                is_first
            }
        }
    }
}

/// Returns a receiver of these signals, from now on. It never closes.
///
/// While it lives, the default action of these signals does not happen; the [module](self) says more.
/// Dropping the receiver, with its clones, ends that. What is in it then is lost. To miss nothing,
/// [`close`](Receiver::close) it first, and take what is left.
///
/// Go counterpart: `signal.Notify`; `signal.Stop` is the drop.
///
/// # Panics
///
/// If `signals` is empty, and if the system refuses a pipe or a thread.
///
/// # Examples
///
/// ```no_run
/// use gorun::signal::{self, Signal};
///
/// gorun::block_on(async {
///     let reload = signal::notify([Signal::Hup]);
///     while let Some(_hangup) = reload.recv().await {
///         println!("reading the settings again");
///     }
/// });
/// ```
#[track_caller]
pub fn notify(signals: impl IntoIterator<Item = Signal>) -> Receiver<Signal> {
    let (sender, receiver) = channel(CAPACITY);
    listen(signals, Target::Receiver(Inbox { sender, sent: Mutex::default() }));
    receiver
}

/// Returns a context that the first of these signals cancels, and a guard that cancels it when
/// dropped. The context is below `parent`, and is also done when `parent` is.
///
/// When the context is done, for whatever reason, it takes no more signals. So a second Ctrl-C
/// ends the program at once. (In Go that takes a call of `stop`.) If a signal cancelled it, its
/// [`cause`](Context::cause) says which, such as "interrupt signal received".
///
/// Go counterpart: `signal.NotifyContext`.
///
/// # Panics
///
/// Like [`notify`].
///
/// # Examples
///
/// ```no_run
/// use gorun::context::Context;
/// use gorun::signal::{self, Signal};
///
/// # async fn serve(_: &Context) {}
/// gorun::block_on(async {
///     let (ctx, _cancel) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
///     if let Err(_done) = ctx.run(serve(&ctx)).await {
///         println!("{}: closing", ctx.cause().unwrap());
///     }
/// });
/// ```
#[track_caller]
pub fn context(
    parent: &Context,
    signals: impl IntoIterator<Item = Signal>,
) -> (Context, CancelGuard) {
    let (below, by_caller) = parent.with_cancel();
    let (context, by_signal) = below.with_cancel();
    // Without values: they belong to the caller.
    listen(signals, Target::Context(context.without_values(), by_signal));
    (context, by_caller)
}

/// Waits for Ctrl-C (`SIGINT`), beginning with this call.
///
/// Afterwards, or when the future is dropped, the next Ctrl-C ends the program, unless another
/// receiver takes it. Cancellation: dropping the future loses a Ctrl-C that has come and was not
/// returned.
///
/// Go counterpart: `signal.NotifyContext(ctx, os.Interrupt)`.
///
/// # Panics
///
/// Like [`notify`].
///
/// # Examples
///
/// ```no_run
/// gorun::block_on(async {
///     gorun::signal::ctrl_c().await;
///     println!("interrupted; a second Ctrl-C ends the program at once");
/// });
/// ```
#[track_caller]
pub fn ctrl_c() -> impl Future<Output = ()> + Send + 'static {
    let receiver = notify([Signal::Int]);
    async move {
        receiver.recv().await;
    }
}

/// As `notify`, for one signal that causes dumps.
pub(crate) fn notify_for_dumps(signal: Signal) -> io::Result<Receiver<Signal>> {
    system::note_dumps_at(signal);
    let (sender, receiver) = channel(CAPACITY);
    try_listen(vec![signal], Target::Receiver(Inbox { sender, sent: Mutex::default() }))?;
    Ok(receiver)
}

#[track_caller]
fn listen(signals: impl IntoIterator<Item = Signal>, target: Target) {
    let signals: Vec<_> = signals.into_iter().collect();
    if signals.is_empty() {
        panic!("without a signal this would wait for ever; name at least one");
    }
    outsiders::note_listener();
    if let Err(error) = try_listen(signals, target) {
        panic!("{error}");
    }
}

fn try_listen(signals: Vec<Signal>, target: Target) -> io::Result<()> {
    let listener = Arc::new(Listener { signals, target });
    let (gone, result) = {
        let mut state = lock(&STATE);
        (state.take_gone(), state.add(listener))
    };
    // Without the lock: this may drop a user's values.
    drop(gone);
    result.map_err(|error| {
        let what = "the system refuses what it takes to receive signals (a pipe, a thread)";
        io::Error::new(error.kind(), format!("{what}: {error}"))
    })
}

impl State {
    fn add(&mut self, listener: Arc<Listener>) -> io::Result<()> {
        if self.source.is_none() {
            self.source = Some(system::Source::start(deliver)?);
        }
        // The listener comes first: a signal that comes as soon as it is caught finds it.
        self.listeners.push(listener.clone());
        listener.signals.iter().try_for_each(|&signal| self.catch(signal))
    }

    /// Takes out those that want no more signals. The caller drops them without the lock.
    fn take_gone(&mut self) -> Vec<Arc<Listener>> {
        self.listeners.extract_if(.., |listener| !listener.is_listening()).collect()
    }

    fn catch(&mut self, signal: Signal) -> io::Result<()> {
        if self.caught.contains(&signal) {
            return Ok(());
        }
        if system::is_ignored(signal) {
            self.ignored.push(signal);
        }
        self.source.as_ref().expect("it was started").add(signal)?;
        self.caught.push(signal);
        Ok(())
    }
}

/// Sends `signal` to all that want it. If there are none, does what the system would do. The
/// thread that delivers signals calls this; it must not end.
fn deliver(signal: Signal) {
    // This may drop a cause that a user has made.
    if let Err(payload) = catch_unwind(|| send_to_listeners(signal)) {
        panics::discard(payload);
    }
}

fn send_to_listeners(signal: Signal) {
    let (gone, wanting, was_ignored) = {
        let mut state = lock(&STATE);
        let gone = state.take_gone();
        let wanting = state.listeners.iter().filter(|listener| listener.signals.contains(&signal));
        (gone, wanting.cloned().collect::<Vec<_>>(), state.ignored.contains(&signal))
    };
    drop(gone);
    let reached = wanting.iter().filter(|listener| listener.tell(signal)).count();
    if reached == 0 && !was_ignored {
        system::default_action(signal);
    }
}
