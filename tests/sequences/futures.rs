//! The futures that wait at channels, each the owner of what it needs.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use gorun::{Receiver, SendError, Sender, TrySendError, select};

use crate::model::{Meddling, Outcome};

pub(crate) struct Value {
    pub(crate) number: u32,
    _alive: Rc<()>,
}

/// Makes values.
#[derive(Default)]
pub(crate) struct Source {
    made: Cell<u32>,
    alive: Rc<()>,
}

impl Source {
    pub(crate) fn value(&self) -> Value {
        self.made.set(self.made.get() + 1);
        Value { number: self.made.get(), _alive: self.alive.clone() }
    }

    /// How many of them there are.
    pub(crate) fn alive(&self) -> usize {
        Rc::strong_count(&self.alive) - 1
    }
}

/// What a case is, and has.
pub(crate) struct Part {
    pub(crate) kind: Kind,
    // Also those that `other` uses, so that they live until all the futures are gone.
    pub(crate) sender: Option<Rc<Sender<Value>>>,
    pub(crate) receiver: Option<Rc<Receiver<Value>>>,
    pub(crate) value: Option<Value>,
    pub(crate) kept: Kept,
    pub(crate) other: Option<Other>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Receive,
    Send,
    SendFrom,
    Other,
    Disabled,
}

/// The option of a `send_from`. What is in it in the end can be seen from outside.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) value: Option<Value>,
    pub(crate) left: Rc<Cell<Option<Value>>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.left.set(self.value.take());
    }
}

/// A future that does something at a channel in each poll, and is ready when a switch is on.
pub(crate) struct Other {
    pub(crate) is_on: Rc<Cell<bool>>,
    pub(crate) meddler: Meddler,
    pub(crate) meddlings: Rc<RefCell<Vec<Meddling>>>,
}

pub(crate) enum Meddler {
    Nobody,
    Sender(usize, Rc<Sender<Value>>, Rc<Source>),
    Receiver(usize, Rc<Receiver<Value>>),
    Closer(usize, Rc<Receiver<Value>>),
}

impl Future for Other {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let meddling = match &self.meddler {
            Meddler::Nobody => None,
            Meddler::Sender(channel, sender, source) => {
                let value = source.value();
                let number = value.number;
                Some(Meddling::Send(*channel, number, numbered(sender.try_send(value))))
            }
            Meddler::Receiver(channel, receiver) => {
                Some(Meddling::Receive(*channel, receiver.try_recv().map(|value| value.number)))
            }
            Meddler::Closer(channel, receiver) => {
                receiver.close();
                Some(Meddling::Close(*channel))
            }
        };
        self.meddlings.borrow_mut().extend(meddling);
        if self.is_on.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

pub(crate) fn numbered(result: Result<(), TrySendError<Value>>) -> Result<(), TrySendError<u32>> {
    result.map_err(|error| match error {
        TrySendError::Full(value) => TrySendError::Full(value.number),
        TrySendError::Closed(value) => TrySendError::Closed(value.number),
    })
}

pub(crate) fn received(value: Option<Value>) -> Outcome {
    Outcome::Received(value.map(|value| value.number))
}

fn sent(result: Result<(), SendError<Value>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Sent,
        Err(SendError(value)) => Outcome::Unsent(Some(value.number)),
    }
}

fn sent_from(result: Result<(), SendError<()>>) -> Outcome {
    if result.is_ok() { Outcome::Sent } else { Outcome::Unsent(None) }
}

/// Either `select!` of four parts, with a `default` or without. Before its cases there are so many
/// that the number of a case takes more than the four bits that a link has for it.
macro_rules! select_of {
    ($parts:expr $(, default => $default:expr)?) => {{
        let [a, b, c, d] = $parts;
        select! {
            () = pending(), if false => unreachable!(),
            () = pending(), if false => unreachable!(),
            () = pending(), if false => unreachable!(),
            () = pending(), if false => unreachable!(),
            () = pending(), if false => unreachable!(),
            () = pending(), if false => unreachable!(),

            value = a.receiver.as_ref().unwrap().recv(), if a.kind == Kind::Receive =>
                (0, received(value)),
            result = a.sender.as_ref().unwrap().send(a.value.take().unwrap()),
                if a.kind == Kind::Send => (0, sent(result)),
            result = a.sender.as_ref().unwrap().send_from(&mut a.kept.value),
                if a.kind == Kind::SendFrom => (0, sent_from(result)),
            () = a.other.take().unwrap(), if a.kind == Kind::Other => (0, Outcome::Ready),

            value = b.receiver.as_ref().unwrap().recv(), if b.kind == Kind::Receive =>
                (1, received(value)),
            result = b.sender.as_ref().unwrap().send(b.value.take().unwrap()),
                if b.kind == Kind::Send => (1, sent(result)),
            result = b.sender.as_ref().unwrap().send_from(&mut b.kept.value),
                if b.kind == Kind::SendFrom => (1, sent_from(result)),
            () = b.other.take().unwrap(), if b.kind == Kind::Other => (1, Outcome::Ready),

            value = c.receiver.as_ref().unwrap().recv(), if c.kind == Kind::Receive =>
                (2, received(value)),
            result = c.sender.as_ref().unwrap().send(c.value.take().unwrap()),
                if c.kind == Kind::Send => (2, sent(result)),
            result = c.sender.as_ref().unwrap().send_from(&mut c.kept.value),
                if c.kind == Kind::SendFrom => (2, sent_from(result)),
            () = c.other.take().unwrap(), if c.kind == Kind::Other => (2, Outcome::Ready),

            value = d.receiver.as_ref().unwrap().recv(), if d.kind == Kind::Receive =>
                (3, received(value)),
            result = d.sender.as_ref().unwrap().send(d.value.take().unwrap()),
                if d.kind == Kind::Send => (3, sent(result)),
            result = d.sender.as_ref().unwrap().send_from(&mut d.kept.value),
                if d.kind == Kind::SendFrom => (3, sent_from(result)),
            () = d.other.take().unwrap(), if d.kind == Kind::Other => (3, Outcome::Ready),

            $(default => { $default })?
        }
    }};
}

pub(crate) async fn select_among(mut parts: [Part; 4]) -> (usize, Outcome) {
    select_of!(&mut parts)
}

/// `None` is the `default`.
pub(crate) fn select_now(mut parts: [Part; 4]) -> Option<(usize, Outcome)> {
    let chosen = select_of!(&mut parts, default => (4, Outcome::Ready));
    (chosen.0 < 4).then_some(chosen)
}

/// A receive or a send by itself.
pub(crate) async fn alone(mut part: Part) -> (usize, Outcome) {
    let outcome = match part.kind {
        Kind::Receive => received(part.receiver.as_ref().unwrap().recv().await),
        Kind::Send => sent(part.sender.as_ref().unwrap().send(part.value.take().unwrap()).await),
        Kind::SendFrom => {
            sent_from(part.sender.as_ref().unwrap().send_from(&mut part.kept.value).await)
        }
        Kind::Other | Kind::Disabled => unreachable!("these are cases only"),
    };
    (0, outcome)
}

/// The same, but in its second poll it begins anew as a case.
pub(crate) async fn alone_then_a_case(mut part: Part) -> (usize, Outcome) {
    let outcome = match part.kind {
        Kind::Receive => {
            let mut receive = part.receiver.as_ref().unwrap().recv();
            match once(&mut receive).await {
                Some(value) => received(value),
                None => select! { value = receive => received(value) },
            }
        }
        Kind::Send => {
            let mut send = part.sender.as_ref().unwrap().send(part.value.take().unwrap());
            match once(&mut send).await {
                Some(result) => sent(result),
                None => select! { result = send => sent(result) },
            }
        }
        Kind::SendFrom => {
            let mut send = part.sender.as_ref().unwrap().send_from(&mut part.kept.value);
            match once(&mut send).await {
                Some(result) => sent_from(result),
                None => select! { result = send => sent_from(result) },
            }
        }
        Kind::Other | Kind::Disabled => unreachable!("these are cases only"),
    };
    (0, outcome)
}

/// What the first poll came to; else `None` in the second one.
async fn once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut was_polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut was_polled, true) {
            return Poll::Ready(None);
        }
        pin!(&mut *future).poll(cx).map(Some)
    })
    .await
}
