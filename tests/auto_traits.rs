//! Which auto traits the public types have, and which they must not have: part of the interface.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

use gorun::chan::{Recv, Send as Sending, SendFrom};
use gorun::context::{AfterFunc, CancelGuard, Cause, Context, ContextError, Done, Run};
use gorun::errgroup;
use gorun::local::{LocalKey, Scope};
use gorun::net::{ReadHalf, TcpListener, TcpStream, UdpSocket, WriteHalf};
use gorun::sync::{
    Barrier, Cond, Mutex, MutexGuard as MutexLock, Notified, Notify, OnceCell, OwnedMutexGuard,
    OwnedPermit, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, Permit, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Semaphore, broadcast, oneshot, singleflight, watch,
};
use gorun::time::{AfterFunc as LaterCall, Interval, MissedTickBehavior, Sleep};
use gorun::{
    AbortHandle, AbortOnDrop, Builder, EnterGuard, Handle, JoinError, JoinHandle, JoinSet,
    LocalJoinHandle, Receiver, RecvTimeoutError, SendTimeoutError, Sender, UnhandledPanic, Wait,
    WaitGroup, yield_now,
};

/// Compiles if the type has all the traits.
macro_rules! is {
    ($type:ty: $($traits:tt)*) => {
        const _: fn() = || {
            fn has<T: ?Sized + $($traits)*>() {}
            has::<$type>();
        };
    };
}

/// Compiles if the type does not have the trait: else the `_` could be either `()` or `Has`.
macro_rules! is_not {
    ($type:ty: $trait:path) => {
        const _: fn() = || {
            struct Has;
            trait Ambiguous<T> {
                fn pick() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
            <$type as Ambiguous<_>>::pick();
        };
    };
}

/// `Sync` but not `Send`.
type Guard = MutexGuard<'static, u32>;

is!(Builder: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + Default + std::fmt::Debug);
is!(UnhandledPanic: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Copy + Default + Eq);
is!(Handle: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
is!(AbortHandle: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
is!(EnterGuard: Unpin + std::fmt::Debug);
// It belongs to its thread.
is_not!(EnterGuard: Send);
is_not!(EnterGuard: Sync);
is!(JoinError: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::error::Error + 'static);

// The handle carries a value of `T` to another thread, and nobody gets at it by a shared reference.
is!(JoinHandle<u32>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Future + std::fmt::Debug);
is!(JoinHandle<Cell<u32>>: Send + Sync + Unpin);
is!(JoinHandle<PhantomPinned>: Send + Sync + Unpin);
is!(JoinHandle<Box<dyn Send>>: Send + Sync + UnwindSafe);
is_not!(JoinHandle<Rc<u32>>: Send);
is_not!(JoinHandle<*const u32>: Send);
is_not!(JoinHandle<Guard>: Send);
is_not!(JoinHandle<u32>: Clone);
is!(LocalJoinHandle<u32>: Unpin + Future + std::fmt::Debug);
is_not!(LocalJoinHandle<u32>: Send);
is_not!(LocalJoinHandle<u32>: Sync);
is!(AbortOnDrop<u32>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Future + std::fmt::Debug);
is_not!(AbortOnDrop<Rc<u32>>: Send);
is_not!(AbortOnDrop<u32>: Clone);

is!(JoinSet<u32>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Default + std::fmt::Debug);
is!(JoinSet<u32>: futures::Stream);
is!(JoinSet<Cell<u32>>: Send + Sync + Unpin);
is!(JoinSet<PhantomPinned>: Send + Sync + Unpin);
is_not!(JoinSet<Rc<u32>>: Send);
is_not!(JoinSet<Guard>: Send);
is_not!(JoinSet<u32>: Clone);

is!(WaitGroup: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + Default + std::fmt::Debug);
is!(Wait<'static>: Send + Sync + Unpin + Future + std::fmt::Debug);

// The halves carry values to other threads, and share none.
is!(Sender<u32>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
is!(Receiver<u32>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
is!(Sender<Cell<u32>>: Send + Sync + Unpin);
is!(Receiver<PhantomPinned>: Send + Sync + Unpin);
is!(Sending<'static, Cell<u32>>: Send + Unpin + Future);
is!(Sending<'static, PhantomPinned>: Send + Unpin);
is!(SendFrom<'static, Cell<u32>>: Send + Unpin + Future);
is!(Recv<'static, Cell<u32>>: Send + Sync + Unpin + Future);
is_not!(Sender<Rc<u32>>: Send);
is_not!(Sender<Rc<u32>>: Sync);
is_not!(Receiver<Guard>: Send);
is_not!(Receiver<Guard>: Sync);
is_not!(Recv<'static, Rc<u32>>: Send);

is!(SendTimeoutError<u32>: Send + Sync + Copy + Eq + std::error::Error);
is!(RecvTimeoutError: Send + Sync + Copy + Eq + std::error::Error);

is!(Sleep: Send + Sync + Unpin + Future + std::fmt::Debug);
is!(Interval: Send + Sync + Unpin + futures::Stream + std::fmt::Debug);
is!(MissedTickBehavior: Send + Sync + Copy + Eq + Default);
is!(LaterCall: Send + Sync + Unpin + std::fmt::Debug);
is_not!(LaterCall: Clone);

// A key is shared by all threads, and each thread has its own value.
is!(LocalKey<Rc<u32>>: Send + Sync + Unpin + std::fmt::Debug);
is!(Scope<Cell<u32>, std::future::Ready<()>>: Send + Future + std::fmt::Debug);
is_not!(Scope<Rc<u32>, std::future::Ready<()>>: Send);
is_not!(Scope<u32, PhantomPinned>: Unpin);

// A lock lends its value to one thread at a time, or to several that read.
is!(Mutex<u32>: Send + Sync + Unpin + Default + std::fmt::Debug);
is!(Mutex<Cell<u32>>: Send + Sync);
is!(MutexLock<'static, Cell<u32>>: Send + Unpin);
is!(MutexLock<'static, u32>: Send + Sync + Unpin);
is!(OwnedMutexGuard<Cell<u32>>: Send);
is!(RwLock<u32>: Send + Sync + Unpin + Default + std::fmt::Debug);
is!(RwLock<Cell<u32>>: Send);
is!(RwLockReadGuard<'static, u32>: Send + Sync + Unpin);
is!(RwLockWriteGuard<'static, u32>: Send + Sync + Unpin);
is_not!(Mutex<Rc<u32>>: Send);
is_not!(Mutex<Rc<u32>>: Sync);
is_not!(Mutex<Guard>: Sync);
is_not!(MutexLock<'static, Cell<u32>>: Sync);
is_not!(MutexLock<'static, Rc<u32>>: Send);
is_not!(OwnedMutexGuard<Cell<u32>>: Sync);
is_not!(OwnedMutexGuard<Rc<u32>>: Send);
is_not!(RwLock<Cell<u32>>: Sync);
is_not!(RwLock<Guard>: Sync);
is_not!(RwLockReadGuard<'static, Cell<u32>>: Send);
is_not!(RwLockReadGuard<'static, Cell<u32>>: Sync);
is_not!(RwLockWriteGuard<'static, Cell<u32>>: Send);
is_not!(OwnedRwLockReadGuard<Cell<u32>>: Send);
is_not!(OwnedRwLockWriteGuard<Rc<u32>>: Send);

is!(Semaphore: Send + Sync + Unpin + std::fmt::Debug);
is!(Permit<'static>: Send + Sync + Unpin + std::fmt::Debug);
is!(OwnedPermit: Send + Sync + Unpin + std::fmt::Debug);
is!(Notify: Send + Sync + Unpin + Default + std::fmt::Debug);
is!(Notified<'static>: Send + Sync + Unpin + Future + std::fmt::Debug);
is!(Cond: Send + Sync + Unpin + Default + std::fmt::Debug);
is!(Barrier: Send + Sync + Unpin + std::fmt::Debug);
is!(OnceCell<u32>: Send + Sync + Unpin + Default + std::fmt::Debug);
is_not!(OnceCell<Cell<u32>>: Sync);
is_not!(OnceCell<Rc<u32>>: Send);
is!(singleflight::Group<u32, u32>: Send + Sync + Unpin + Default + std::fmt::Debug);
is_not!(singleflight::Group<u32, Rc<u32>>: Send);
is!(oneshot::Sender<Cell<u32>>: Send + Sync + Unpin + std::fmt::Debug);
is!(oneshot::Receiver<Cell<u32>>: Send + Sync + Unpin + Future + std::fmt::Debug);
is!(oneshot::Receiver<PhantomPinned>: Send + Sync + std::fmt::Debug);
is_not!(oneshot::Sender<Rc<u32>>: Send);
// Several receivers look at one value.
is!(watch::Sender<u32>: Send + Sync + Unpin + Clone + std::fmt::Debug);
is!(watch::Receiver<u32>: Send + Sync + Unpin + Clone + std::fmt::Debug);
is_not!(watch::Receiver<Cell<u32>>: Send);
is!(broadcast::Sender<u32>: Send + Sync + Unpin + Clone + std::fmt::Debug);
is!(broadcast::Receiver<u32>: Send + Sync + Unpin + std::fmt::Debug);
is_not!(broadcast::Receiver<Cell<u32>>: Send);

is!(Context: Send + Sync + Unpin + Clone + Default + std::fmt::Debug);
is!(CancelGuard: Send + Sync + Unpin + std::fmt::Debug);
is!(AfterFunc: Send + Sync + Unpin + std::fmt::Debug);
is!(Done<'static>: Send + Sync + Unpin + Future + std::fmt::Debug);
is!(Run<'static, std::future::Ready<u32>>: Send + Sync + Unpin + Future + std::fmt::Debug);
is!(ContextError: Send + Sync + Copy + Eq + std::hash::Hash + std::error::Error + Into<std::io::Error>);
is!(Cause: Send + Sync + Into<Box<dyn std::error::Error + Send + Sync>>);
is!(errgroup::Group<Cell<u32>>: Send + Sync + Unpin + Default + std::fmt::Debug);
is_not!(CancelGuard: Clone);
is_not!(Run<'static, std::future::Ready<Rc<u32>>>: Send);
is_not!(Run<'static, PhantomPinned>: Unpin);
is_not!(errgroup::Group<Rc<u32>>: Send);

#[test]
fn the_futures_of_a_group_can_move_between_threads() {
    fn has<T: Send>(_: &T) {}
    let group = errgroup::Group::<Cell<u32>>::new();
    has(&group.wait());
    has(&group.go(std::future::pending()));
}

is!(Semaphore: UnwindSafe + RefUnwindSafe);
is!(Notify: UnwindSafe + RefUnwindSafe);
is!(Cond: UnwindSafe + RefUnwindSafe);
is!(Barrier: UnwindSafe + RefUnwindSafe);
is!(OnceCell<u32>: UnwindSafe + RefUnwindSafe);
is!(oneshot::Sender<u32>: UnwindSafe + RefUnwindSafe);
is!(watch::Receiver<u32>: UnwindSafe + RefUnwindSafe + futures::Stream);
is!(broadcast::Receiver<u32>: UnwindSafe + RefUnwindSafe + futures::Stream);
// There is no poisoning that would show how a panic has left the value.
is!(TcpListener: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
is!(TcpStream: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
is!(TcpStream: futures::AsyncRead + futures::AsyncWrite);
is!(&'static TcpStream: futures::AsyncRead + futures::AsyncWrite);
is!(UdpSocket: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug);
#[cfg(unix)]
mod of_descriptors {
    use super::*;
    use gorun::io::Async;
    use std::io::PipeReader;

    is!(Async<PipeReader>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + std::fmt::Debug);
    is!(Async<PipeReader>: futures::AsyncRead + std::os::fd::AsFd);
    is!(&'static Async<PipeReader>: futures::AsyncRead);
    is!(Async<PhantomPinned>: Unpin);
    is_not!(Async<PipeReader>: futures::AsyncWrite);
    is_not!(Async<Rc<u32>>: Send);
    is_not!(Async<Cell<u32>>: Sync);
}
is!(ReadHalf: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + futures::AsyncRead);
is!(WriteHalf: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + futures::AsyncWrite);

is_not!(Mutex<u32>: RefUnwindSafe);
is_not!(RwLock<u32>: RefUnwindSafe);

/// Compiles if a guard of a `static` can take the place of a local one's: if it is covariant.
macro_rules! is_covariant {
    ($($guard:ident)*) => {$(
        const _: fn() = || {
            fn _shorter<'a>(guard: $guard<'static, u32>, _: &'a u32) -> $guard<'a, u32> {
                guard
            }
        };
    )*};
}

is_covariant!(MutexLock RwLockReadGuard RwLockWriteGuard);

#[test]
fn the_futures_of_sync_can_move_between_threads() {
    fn has<T: Send + Unpin>(_: &T) {}
    let (semaphore, mutex, lock) = (Semaphore::new(1), Mutex::new(Cell::new(0)), RwLock::new(0));
    has(&semaphore.acquire());
    has(&mutex.lock());
    has(&lock.read());
    has(&lock.write());
    has(&Cond::new().wait(mutex.try_lock().unwrap()));
    has(&Cond::new().wait(lock.try_read().unwrap()));
    has(&Barrier::new(1).wait());
    has(&watch::channel(0).1.changed());
    has(&broadcast::channel::<u32>(1).1.recv());
    has(&oneshot::channel::<Cell<u32>>().0.closed());
    fn can_be_sent<T: Send>(_: &T) {}
    can_be_sent(&OnceCell::new().get_or_init(async || 1));
    can_be_sent(&singleflight::Group::new().run(1, async || 1));
    can_be_sent(&watch::channel(0).1.wait_for(|_| true));
}

#[test]
fn the_future_of_yield_now_can_move_between_threads() {
    fn has<T: Send + Sync>(_: &T) {}
    has(&yield_now());
}

#[test]
fn the_futures_of_channels_with_limits_can_move_between_threads() {
    fn has<T: Send>(_: &T) {}
    fn limited<T: Send>(tx: &Sender<T>, rx: &Receiver<T>, value: T) {
        let second = std::time::Duration::from_secs(1);
        has(&tx.send_timeout(value, second));
        has(&rx.recv_timeout(second));
        has(&rx.recv_many(&mut Vec::new(), 1));
    }
    gorun::block_on(async {
        let (tx, rx) = gorun::channel(1);
        limited(&tx, &rx, Cell::new(1));
    });
}

#[test]
fn the_futures_of_a_join_set_can_move_between_threads() {
    fn has<T: Send>(_: &T) {}
    let mut set = JoinSet::<Cell<u32>>::new();
    has(&set.join_next());
    has(&set.shutdown());
    has(&set.join_all());
}

/// What the macros say is true of types that are known.
#[test]
fn the_macros_tell_the_traits_apart() {
    is!(Cell<u32>: Send);
    is_not!(Cell<u32>: Sync);
    is!(Guard: Sync);
    is_not!(Guard: Send);
    is_not!(PhantomPinned: Unpin);
    is_not!(&'static Cell<u32>: UnwindSafe);
}
