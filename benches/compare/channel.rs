//! What the workloads need of a channel, and the channels.

use crossfire::flavor::Flavor;
use crossfire::{AsyncRx, AsyncTx, MAsyncRx, MAsyncTx};

/// The futures of its operations are passed on as they are, so that nothing is added to their cost.
pub(crate) trait Channel<T>: 'static {
    type Sender: Sender<T>;
    type Receiver: Receiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver);
}

pub(crate) trait Sender<T>: Send + 'static {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send;
}

pub(crate) trait Receiver<T>: Send + 'static {
    /// By `&mut`, because tokio's has to be asked so.
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send;
}

/// What an operation came to, in the channel's own type.
pub(crate) trait Outcome<T> {
    /// `None`: the channel is closed.
    fn value(self) -> Option<T>;
}

impl<T> Outcome<T> for Option<T> {
    fn value(self) -> Option<T> {
        self
    }
}

impl<T, E> Outcome<T> for Result<T, E> {
    fn value(self) -> Option<T> {
        self.ok()
    }
}

pub(crate) struct Gorun;

impl<T: Send + 'static> Channel<T> for Gorun {
    type Sender = gorun::Sender<T>;
    type Receiver = gorun::Receiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        gorun::channel(capacity)
    }
}

impl<T: Send + 'static> Sender<T> for gorun::Sender<T> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        self.send(value)
    }
}

impl<T: Send + 'static> Receiver<T> for gorun::Receiver<T> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        gorun::Receiver::recv(self)
    }
}

pub(crate) struct Tokio;

impl<T: Send + 'static> Channel<T> for Tokio {
    type Sender = tokio::sync::mpsc::Sender<T>;
    type Receiver = tokio::sync::mpsc::Receiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(capacity)
    }
}

impl<T: Send + 'static> Sender<T> for tokio::sync::mpsc::Sender<T> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        self.send(value)
    }
}

impl<T: Send + 'static> Receiver<T> for tokio::sync::mpsc::Receiver<T> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        self.recv()
    }
}

pub(crate) struct Flume;

impl<T: Send + 'static> Channel<T> for Flume {
    type Sender = flume::Sender<T>;
    type Receiver = flume::Receiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        flume::bounded(capacity)
    }
}

impl<T: Send + 'static> Sender<T> for flume::Sender<T> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        self.send_async(value)
    }
}

impl<T: Send + 'static> Receiver<T> for flume::Receiver<T> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        self.recv_async()
    }
}

pub(crate) struct Kanal;

impl<T: Send + 'static> Channel<T> for Kanal {
    type Sender = kanal::AsyncSender<T>;
    type Receiver = kanal::AsyncReceiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        kanal::bounded_async(capacity)
    }
}

impl<T: Send + 'static> Sender<T> for kanal::AsyncSender<T> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        self.send(value)
    }
}

impl<T: Send + 'static> Receiver<T> for kanal::AsyncReceiver<T> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        kanal::AsyncReceiver::recv(self)
    }
}

pub(crate) struct AsyncChannel;

impl<T: Send + 'static> Channel<T> for AsyncChannel {
    type Sender = async_channel::Sender<T>;
    type Receiver = async_channel::Receiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(capacity)
    }
}

impl<T: Send + 'static> Sender<T> for async_channel::Sender<T> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        self.send(value)
    }
}

impl<T: Send + 'static> Receiver<T> for async_channel::Receiver<T> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        async_channel::Receiver::recv(self)
    }
}

/// One of three, as its users choose: what only one sends into, or receives from, is faster.
pub(crate) struct CrossfireSpsc;
pub(crate) struct CrossfireMpsc;
pub(crate) struct CrossfireMpmc;

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireSpsc {
    type Sender = AsyncTx<crossfire::spsc::Array<T>>;
    type Receiver = AsyncRx<crossfire::spsc::Array<T>>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        // Its documentation asks for that on virtual machines.
        crossfire::detect_backoff_cfg();
        crossfire::spsc::bounded_async(capacity)
    }
}

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireMpsc {
    type Sender = MAsyncTx<crossfire::mpsc::Array<T>>;
    type Receiver = AsyncRx<crossfire::mpsc::Array<T>>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        crossfire::detect_backoff_cfg();
        crossfire::mpsc::bounded_async(capacity)
    }
}

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireMpmc {
    type Sender = MAsyncTx<crossfire::mpmc::Array<T>>;
    type Receiver = MAsyncRx<crossfire::mpmc::Array<T>>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        crossfire::detect_backoff_cfg();
        crossfire::mpmc::bounded_async(capacity)
    }
}

impl<T: Send + Unpin + 'static, F: Flavor<Item = T> + 'static> Sender<T> for AsyncTx<F> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        self.send(value)
    }
}

impl<T: Send + Unpin + 'static, F: Flavor<Item = T> + 'static> Sender<T> for MAsyncTx<F> {
    fn send(&self, value: T) -> impl Future<Output: Outcome<()>> + Send {
        AsyncTx::send(self, value)
    }
}

impl<T: Send + 'static, F: Flavor<Item = T> + 'static> Receiver<T> for AsyncRx<F> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        AsyncRx::recv(self)
    }
}

impl<T: Send + 'static, F: Flavor<Item = T> + 'static> Receiver<T> for MAsyncRx<F> {
    fn recv(&mut self) -> impl Future<Output: Outcome<T>> + Send {
        AsyncRx::recv(self)
    }
}
