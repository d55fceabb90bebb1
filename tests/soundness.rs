//! What unsafe code relies on, in small programs: each block of it in `src` names the one that exercises
//! its premises. They are for Miri (`.ci/miri`), which sees a violation that does no harm, too, and are
//! therefore short; in `cargo test` they take a moment.

use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::executor::block_on as elsewhere;
use gorun::time::{sleep, timeout};
use gorun::{
    AbortHandle, Builder, Handle, JoinSet, UnhandledPanic, WaitGroup, block_on, channel, select,
    spawn, yield_now,
};

/// However slow it is, exit waits for all of them.
fn run<F: Future>(workers: usize, main: F) -> F::Output {
    let builder = Builder::new().worker_threads(workers).exit_grace(Duration::MAX);
    builder.block_on(main).expect("the runtime starts")
}

/// Waits until `is_set`, which its waker's owner is told by `send`.
fn until_set(
    is_set: &Arc<AtomicBool>,
    send: mpsc::Sender<Waker>,
) -> impl Future<Output = ()> + use<> {
    let is_set = is_set.clone();
    poll_fn(move |cx| match is_set.load(Ordering::Acquire) {
        true => Poll::Ready(()),
        false => {
            let _ = send.send(cx.waker().clone());
            Poll::Pending
        }
    })
}

async fn waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Default)]
struct Foreign(AtomicUsize);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A goroutine that surely waits, each in its own way.
#[test]
fn wakes_from_outside() {
    let ways: [fn(Waker); 4] = [
        Waker::wake,
        |waker| waker.wake_by_ref(),
        |waker| {
            let another = waker.clone();
            drop(waker);
            another.wake();
        },
        |waker| {
            waker.wake_by_ref();
            waker.wake();
        },
    ];
    for way in ways {
        let (is_set, (send, receive)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
        let outside = thread::spawn({
            let is_set = is_set.clone();
            move || {
                let waker = receive.recv().unwrap();
                is_set.store(true, Ordering::Release);
                way(waker);
            }
        });
        run(1, async { spawn(until_set(&is_set, send)).await.unwrap() });
        outside.join().unwrap();
    }
}

#[test]
fn wakes_while_main_returns() {
    let (send, receive) = mpsc::channel();
    let outside: Vec<_> = (0..2)
        .map(|_| {
            let (hand, wakers) = mpsc::channel::<Waker>();
            let thread = thread::spawn(move || {
                for waker in wakers {
                    waker.wake_by_ref();
                    drop(waker.clone());
                    thread::yield_now();
                    waker.wake();
                }
            });
            (hand, thread)
        })
        .collect();
    let never = Arc::new(AtomicBool::new(false));
    let drops = Arc::new(AtomicUsize::new(0));
    run(2, async {
        for _ in 0..4 {
            let (wait, counted) = (until_set(&never, send.clone()), Counted(drops.clone()));
            spawn(async move {
                let _counted = counted;
                wait.await;
            });
        }
        for number in 0..4 {
            outside[number % 2].0.send(receive.recv().unwrap()).unwrap();
        }
    });
    assert_eq!(drops.load(Ordering::Acquire), 4);
    for (hand, thread) in outside {
        drop(hand);
        thread.join().unwrap();
    }
}

#[test]
fn wakers_kept_beyond_the_runtime() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let runtime = run(2, async {
        for number in 0..3 {
            let keep = kept.clone();
            let goroutine = spawn(async move {
                let waker = waker().await;
                keep.lock().unwrap().push(waker);
                if number == 0 {
                    pending::<()>().await;
                }
            });
            while number == 0 && kept.lock().unwrap().is_empty() {
                yield_now().await;
            }
            if number > 0 {
                goroutine.await.unwrap();
            }
        }
        Handle::current()
    });
    let outside = thread::spawn(move || {
        let wakers = std::mem::take(&mut *kept.lock().unwrap());
        wakers.iter().for_each(Waker::wake_by_ref);
        wakers.into_iter().for_each(Waker::wake);
    });
    drop(runtime);
    outside.join().unwrap();
}

#[test]
fn handles_polled_elsewhere() {
    let drops = Arc::new(AtomicUsize::new(0));
    let result = |number: usize| {
        let counted = Counted(drops.clone());
        async move {
            (0..number).for_each(drop);
            yield_now().await;
            counted
        }
    };
    let foreign = Arc::new(Foreign::default());
    let late = run(2, async {
        let handle = spawn(result(0));
        let outside = thread::spawn(|| drop(elsewhere(handle).unwrap()));
        // Polled, and dropped while it completes.
        let mut given_up = spawn(result(1));
        let waker = Waker::from(foreign.clone());
        drop(Pin::new(&mut given_up).poll(&mut Context::from_waker(&waker)));
        let dropped = thread::spawn(|| drop(given_up));
        // By another runtime's goroutine.
        let handle = spawn(result(2));
        let nested = thread::spawn(|| run(1, async { drop(spawn(handle).await.unwrap()) }));
        // By one of its own, after a look from here.
        let mut handle = spawn(result(3));
        drop(Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())));
        drop(spawn(handle).await.unwrap().unwrap());
        let mut set = JoinSet::new();
        (4..7).for_each(|number| drop(set.spawn(result(number))));
        drop(set.join_next().await);
        thread::spawn(move || drop(elsewhere(set.join_next()))).join().unwrap();
        for thread in [outside, dropped, nested] {
            thread.join().unwrap();
        }
        [spawn(result(7)), spawn(result(8))]
    });
    let [one, other] = late;
    drop(elsewhere(one));
    thread::spawn(|| drop(other)).join().unwrap();
    // Those of a set that was dropped may have been cancelled.
    assert_eq!(drops.load(Ordering::Acquire), 9);
}

#[test]
fn futures_moved_between_threads() {
    /// It points into itself, so a move after its first poll is found.
    async fn self_referential(rounds: usize) -> usize {
        let value = AtomicUsize::new(0);
        let inner = &value;
        for _ in 0..rounds {
            inner.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
        inner.load(Ordering::Relaxed)
    }
    run(2, async {
        let (tx, rx) = channel::<Box<u32>>(0);
        // Polled here, and then there.
        let mut cx = Context::from_waker(Waker::noop());
        let receiver = rx.clone();
        let mut receive = Box::pin(async move { receiver.recv().await });
        assert!(receive.as_mut().poll(&mut cx).is_pending());
        let mut nap = Box::pin(sleep(Duration::from_millis(500)));
        assert!(nap.as_mut().poll(&mut cx).is_pending());
        let mut moved = Box::pin(self_referential(6));
        assert!(moved.as_mut().poll(&mut cx).is_pending());
        let goroutine = spawn(async move {
            nap.await;
            (receive.await, moved.await)
        });
        tx.send(Box::new(7)).await.unwrap();
        assert_eq!(goroutine.await.unwrap(), (Some(Box::new(7)), 6));
        let handles: Vec<_> = (0..4).map(|n| spawn(self_referential(n))).collect();
        for (number, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.await.unwrap(), number);
        }
        // A future that is given up on another thread than it waited on.
        let mut given_up = Box::pin(async move { rx.recv().await });
        assert!(given_up.as_mut().poll(&mut cx).is_pending());
        thread::spawn(move || drop(given_up)).join().unwrap();
        drop(timeout(Duration::from_secs(3600), pending::<()>()));
    });
}

/// The metadata lies behind a header and before a future of any layout.
#[test]
fn odd_layouts() {
    #[derive(Clone, Copy)]
    #[repr(align(16))]
    struct Aligned16(u8);
    #[derive(Clone, Copy)]
    #[repr(align(256))]
    struct Aligned256(u8);
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::AcqRel);
        }
    }
    static DROPS: AtomicUsize = AtomicUsize::new(0);

    /// Awaited, aborted, detached, given up, and aborted by a handle.
    async fn in_every_way<T: Send + 'static>(value: impl Fn() -> T, is_whole: fn(&T) -> bool) {
        assert!(is_whole(&spawn(ready(value())).await.unwrap()));
        let held = value();
        let waits = spawn(async move {
            yield_now().await;
            let held = held;
            yield_now().await;
            held
        });
        assert!(is_whole(&waits.await.unwrap()));
        let held = value();
        let aborted = spawn(async move {
            pending::<()>().await;
            held
        });
        let abort = aborted.abort_handle();
        yield_now().await;
        abort.abort();
        assert!(aborted.await.is_err_and(|error| error.is_cancelled()));
        abort.abort();
        spawn(ready(value())).detach();
        let mut given_up = spawn(ready(value()));
        let _ = Pin::new(&mut given_up).poll(&mut Context::from_waker(Waker::noop()));
    }

    for workers in [1, 2] {
        run(workers, async {
            in_every_way(|| (), |()| true).await;
            in_every_way(|| Nothing, |_| true).await;
            in_every_way(|| Aligned16(3), |it| it.0 == 3).await;
            in_every_way(|| Aligned256(5), |it| it.0 == 5 && (&raw const *it).is_aligned()).await;
            in_every_way(|| [7_u8; 1000], |it| it == &[7; 1000]).await;
            in_every_way(|| [8_u64; 1000], |it| it == &[8; 1000]).await;
            in_every_way(|| String::from("on the heap"), |it| it == "on the heap").await;
            in_every_way(|| [Aligned256(9); 9], |it| it[8].0 == 9).await;
        });
    }
    assert_eq!(DROPS.load(Ordering::Acquire), 2 * 5);
    // Large ones that are driven where they are.
    assert_eq!(block_on(async { ready([1_u8; 20_000]).await.len() }), 20_000);
    assert_eq!(Builder::new().block_on(ready([2_u8; 20_000])).unwrap()[19_999], 2);
}

#[test]
fn abort_handles_anywhere() {
    let drops = Arc::new(AtomicUsize::new(0));
    let goroutine = || {
        let counted = Counted(drops.clone());
        async move {
            let _counted = counted;
            pending::<()>().await
        }
    };
    let kept: Vec<AbortHandle> = run(2, async {
        let aborted = spawn(goroutine());
        let abort = aborted.abort_handle();
        thread::spawn(move || abort.clone().abort()).join().unwrap();
        assert!(aborted.await.unwrap_err().is_cancelled());
        let waits = spawn(goroutine());
        let kept = [waits.abort_handle(), spawn(goroutine()).abort_handle()];
        waits.abort();
        // From inside.
        let (send, receive) = mpsc::channel::<AbortHandle>();
        let suicide = spawn(async move {
            yield_now().await;
            receive.recv().unwrap().abort();
            pending::<()>().await
        });
        send.send(suicide.abort_handle()).unwrap();
        assert!(suicide.await.unwrap_err().is_cancelled());
        let completed = spawn(async {});
        let abort = completed.abort_handle();
        completed.await.unwrap();
        kept.into_iter().chain([abort]).collect()
    });
    assert_eq!(drops.load(Ordering::Acquire), 3);
    // The goroutines' memory is theirs.
    thread::spawn(move || kept.iter().for_each(AbortHandle::abort)).join().unwrap();
}

/// More than a ring has places, so that some go to the injector, and thieves take from both.
#[test]
fn queues_under_stealing() {
    const COUNT: usize = if cfg!(miri) { 260 } else { 2000 };
    let drops = Arc::new(AtomicUsize::new(0));
    run(3, async {
        let (all, counted) = (WaitGroup::new(), drops.clone());
        let group = all.clone();
        let spawner = spawn(async move {
            for number in 0..COUNT {
                let counted = Counted(counted.clone());
                group.go(async move {
                    if number % 32 == 0 {
                        yield_now().await;
                    }
                    drop(counted);
                });
            }
        });
        spawner.await.unwrap();
        all.wait().await;
    });
    assert_eq!(drops.load(Ordering::Acquire), COUNT);
}

#[test]
fn results_taken_and_not_taken() {
    struct Bad(Arc<AtomicUsize>);
    impl Drop for Bad {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::AcqRel);
            if !thread::panicking() {
                std::panic::resume_unwind(Box::new("a destructor"));
            }
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let builder = Builder::new().worker_threads(2).unhandled_panic(UnhandledPanic::Ignore);
    let bad = || {
        let drops = drops.clone();
        move || Bad(drops)
    };
    let main = async {
        let (taken, ignored, held) = (bad(), bad(), bad());
        let taken = spawn(async move { taken() }).await.unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(taken))).is_err());
        let handle = spawn(async move { ignored() });
        while !handle.is_finished() {
            yield_now().await;
        }
        drop(handle);
        // In the future, whose destructor is the goroutine's.
        let value = held();
        let cancelled = spawn(async move {
            let _value = value;
            pending::<()>().await
        });
        yield_now().await;
        cancelled.abort();
        assert!(cancelled.await.unwrap_err().is_panic());
        let panicked = spawn(async { std::panic::resume_unwind(Box::new(Box::new(1))) });
        let payload = panicked.await.map(|never: ()| never).unwrap_err().into_panic();
        assert_eq!(*payload.downcast::<Box<i32>>().unwrap(), Box::new(1));
    };
    builder.exit_grace(Duration::MAX).block_on(main).unwrap();
    assert_eq!(drops.load(Ordering::Acquire), 3);
}

#[test]
fn contexts_nested_and_unwound() {
    struct AtTheEnd;
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            // The worker's context is gone.
            assert!(Handle::try_current().is_none());
            assert!(spawn(async {}).is_finished());
        }
    }
    thread_local! {
        static LAST: AtTheEnd = const { AtTheEnd };
    }
    run(2, async {
        spawn(async { LAST.with(|_| {}) }).await.unwrap();
        let inner = || {
            block_on(async {
                yield_now().await;
                spawn(async { 1 }).await.unwrap()
            })
        };
        assert_eq!(spawn(async move { inner() }).await.unwrap(), 1);
        assert_eq!(inner(), 1);
        let another = || run(1, async { spawn(async { 2 }).await.unwrap() });
        assert_eq!((spawn(async move { another() }).await.unwrap(), another()), (2, 2));
        let unwound = spawn(async {
            block_on(async {
                yield_now().await;
                std::panic::resume_unwind(Box::new("boom"))
            })
        });
        assert!(unwound.await.map(|never: ()| never).unwrap_err().is_panic());
        let main = catch_unwind(|| {
            run(1, async {
                spawn(async {}).await.unwrap();
                std::panic::resume_unwind(Box::new("boom"))
            })
        });
        assert!(main.map(|never: ()| never).is_err());
        // The one around it is the current one again.
        assert_eq!(spawn(async { gorun::num_goroutines() }).await.unwrap(), 2);
        let runtime = Handle::current();
        let guest = thread::spawn(move || runtime.block_on(async { spawn(async { 3 }).await }));
        assert_eq!(guest.join().unwrap().unwrap(), 3);
    });
}

#[test]
fn values_behind_the_locks_of_channels() {
    const COUNT: usize = if cfg!(miri) { 5 } else { 200 };
    for capacity in [0, 2] {
        run(2, async {
            let ((to_left, left), (to_right, right)) = (channel(capacity), channel(capacity));
            // Neither is closed before the last value has come.
            let _open = (to_left.clone(), to_right.clone());
            let outside = thread::spawn({
                let to_left = to_left.clone();
                move || (0..COUNT).for_each(|n| to_left.send_blocking(Box::new(n)).unwrap())
            });
            let sender = spawn(async move {
                let mut next = Some(Box::new(0));
                let mut sent = 0;
                while sent < COUNT {
                    select! {
                        r = to_left.send_from(&mut next) => r.unwrap(),
                        r = to_right.send(Box::new(sent)) => r.unwrap(),
                    }
                    sent += 1;
                    next.get_or_insert_with(|| Box::new(sent));
                }
            });
            for _ in 0..2 * COUNT {
                select! { v = left.recv() => drop(v.unwrap()), v = right.recv() => drop(v.unwrap()) }
            }
            sender.await.unwrap();
            outside.join().unwrap();
        });
    }
}

/// Held across awaits, by several at once, moved to other threads, dropped by a panic and by an abort.
#[test]
fn values_behind_async_locks() {
    run(2, async {
        let mutex = Arc::new(gorun::sync::Mutex::new(vec![0]));
        let lock = Arc::new(gorun::sync::RwLock::new(vec![0]));
        let mut set = JoinSet::new();
        for n in 0..4 {
            let (mutex, lock) = (mutex.clone(), lock.clone());
            set.spawn(async move {
                let mut guard = mutex.clone().lock_owned().await;
                guard.push(n);
                yield_now().await;
                drop(guard);
                let other = lock.clone().read_owned().await;
                let read = lock.try_read().map(|guard| guard.len());
                yield_now().await;
                assert!(read.is_none_or(|length| length == other.len()));
                drop(other);
                let mut write = lock.write().await;
                write.push(n);
                let read = gorun::sync::RwLockWriteGuard::downgrade(write);
                yield_now().await;
                assert!(read.contains(&n));
                if let Ok(guard) = timeout(Duration::ZERO, mutex.lock()).await {
                    assert_eq!(guard[0], 0);
                }
            });
        }
        let aborted = spawn({
            let mutex = mutex.clone();
            async move {
                let _guard = mutex.lock().await;
                pending::<()>().await;
            }
        });
        yield_now().await;
        aborted.abort();
        set.join_all().await;
        let _ = aborted.await;
        assert_eq!(mutex.lock().await.len(), 5);
        let read = lock.read().await.len();
        assert_eq!(read, 5);
        let value = Arc::into_inner(lock).unwrap().into_inner();
        assert_eq!(value.len(), read);
    });
    let mut mutex = gorun::sync::Mutex::new(Box::new(1));
    let panics = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.try_lock().unwrap();
        **guard = 2;
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panics.is_err());
    assert_eq!(**mutex.get_mut(), 2);
}

/// Of goroutines of several types, which suspend, end and are woken meanwhile.
#[test]
fn dumps_beside_everything() {
    let looker = run(2, async {
        let runtime = Handle::current();
        let looker = thread::spawn(move || {
            let mut most = 0;
            for _ in 0..10 {
                let dump = runtime.dump();
                most = most.max(dump.num_goroutines());
                assert!(!dump.to_string().is_empty());
                thread::yield_now();
            }
            most
        });
        let (tx, rx) = channel::<Box<u32>>(0);
        let large = [7_u128; 4];
        let receives = spawn(async move {
            let mut sum = large[0] as u32;
            while let Some(value) = rx.recv().await {
                sum += *value;
            }
            sum
        });
        for value in 0..4 {
            let tx = tx.clone();
            spawn(async move { tx.send(Box::new(value)).await.unwrap() }).await.unwrap();
            yield_now().await;
        }
        drop(tx);
        assert_eq!(receives.await.unwrap(), 13);
        looker
    });
    assert!(looker.join().unwrap() <= 4);
}

#[test]
fn events_of_all_threads() {
    let main = async {
        let (tx, rx) = channel::<u32>(1);
        let handle = gorun::Handle::current();
        let outside = std::thread::spawn(move || {
            handle.spawn(async move { tx.send(1).await }).detach();
            handle.block_on(async { yield_now().await });
            handle.write_trace(Vec::new()).unwrap()
        });
        assert_eq!(rx.recv().await, Some(1));
        gorun::blocking(|| outside.join().unwrap());
        gorun::Handle::current().write_trace(Vec::new()).unwrap()
    };
    let written = gorun::Builder::new().worker_threads(2).trace(64).block_on(main).unwrap();
    assert!(written.events + written.lost > 5, "{written:?}");
}
