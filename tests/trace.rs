//! A trace tells what has happened, and nothing else.

mod common;
#[path = "trace/file.rs"]
mod file;

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use common::watchdog;
use file::{File, Kind};
use gorun::trace::TraceSummary;
use gorun::{
    Builder, Handle, JoinHandle, blocking, channel, go, num_goroutines, spawn, time, yield_now,
};

fn written() -> (File, TraceSummary) {
    written_by(&Handle::current())
}

fn written_by(handle: &Handle) -> (File, TraceSummary) {
    let mut bytes = Vec::new();
    let summary = handle.write_trace(&mut bytes).unwrap();
    let file = File::parse(&bytes);
    assert_eq!(file.packets, summary.packets);
    assert_eq!(file.below("goroutines").count() as u64, summary.goroutines.min(10_000));
    // Panics if they are not in order, or not inside one another.
    file.all_slices();
    assert_each_arrow_has_a_begin(&file);
    if summary.lost == 0 {
        assert_each_poll_has_a_reason(&file);
    }
    (file, summary)
}

/// Also if much is lost.
fn assert_each_arrow_has_a_begin(file: &File) {
    let begins = file.events.iter().filter(|event| event.kind == Kind::Instant);
    let begins: HashSet<_> = begins.flat_map(|event| &event.flows).collect();
    for event in file.events.iter().filter(|event| event.kind == Kind::Begin) {
        assert!(event.flows.iter().all(|flow| begins.contains(flow)), "{event:?}");
    }
}

/// A goroutine runs because it was queued, and an arrow leads to each of its polls from something before it.
fn assert_each_poll_has_a_reason(file: &File) {
    for slices in file.slices_below("goroutines") {
        for (before, slice) in slices.iter().zip(slices.iter().skip(1)) {
            let is_running = slice.name == "running";
            assert_eq!(is_running, before.name == "queued", "{before:?} {slice:?}");
        }
        assert_eq!(slices[0].name, "queued", "{slices:?}");
    }
    let begins: HashMap<_, _> = file
        .events
        .iter()
        .filter(|event| event.kind == Kind::Instant)
        .flat_map(|event| event.flows.iter().map(|flow| (*flow, event.at)))
        .collect();
    for poll in file.polls() {
        let [arrow] = poll.flows[..] else { panic!("no arrow leads to it: {poll:?}") };
        assert!(begins[&arrow] <= poll.at, "{poll:?}");
    }
}

fn traced(workers: usize) -> Builder {
    Builder::new().worker_threads(workers).trace(1 << 16)
}

/// The system refuses the memory for the rings of some threads, and lets the program have what it needs itself.
#[cfg(target_os = "linux")]
#[test]
fn a_trace_for_which_there_is_no_memory_does_not_end_the_program() {
    const NAME: &str = "a_trace_for_which_there_is_no_memory_does_not_end_the_program";
    if !common::is_child() {
        // Otherwise the C library takes 64 MiB for each of some threads, of which perhaps nothing is left.
        let variables = [("MALLOC_ARENA_MAX", "1")];
        for limit in [100_000, 200_000, 350_000] {
            common::child_passes(NAME, &variables, &format!("ulimit -v {limit}"));
        }
        return;
    }
    let _watchdog = watchdog();
    let main = async {
        let holds = || async { blocking(|| std::thread::sleep(Duration::from_millis(20))) };
        let all: Vec<_> = (0..200).map(|_| spawn(holds())).collect();
        for one in all {
            one.await.unwrap();
        }
        all_ended().await;
        // Those that ran on threads without a memory of their own are there, too.
        let (file, summary) = written();
        assert_eq!((summary.lost, summary.goroutines), (0, 200));
        assert_eq!(file.polls().count(), 200);
    };
    let builder = Builder::new().worker_threads(2).thread_stack_size(64 << 10);
    builder.trace(1 << 16).block_on(main).unwrap();
}

/// Until all goroutines but main have ended, and their polls, too.
async fn all_ended() {
    while num_goroutines() > 1 {
        time::sleep(Duration::from_millis(1)).await;
    }
    while Handle::current().metrics().num_idle < Handle::current().metrics().num_workers {
        time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn each_spawn_poll_and_end_is_there_once() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            for _ in 0..100 {
                spawn(async {
                    yield_now().await;
                    yield_now().await;
                })
                .detach();
            }
            all_ended().await;
            let (file, summary) = written();
            assert_eq!((summary.lost, summary.goroutines), (0, 100));
            assert_eq!(file.instants("spawn tests/trace.rs:").count(), 100);
            let tracks: Vec<_> = file.below("goroutines").collect();
            for track in tracks {
                let slices = file.slices(track);
                let names: Vec<_> = slices.iter().map(|slice| &*slice.name).collect();
                assert_eq!(names, ["queued", "running", "queued", "running", "queued", "running"]);
                assert!(slices.iter().all(|slice| slice.end.is_some()), "{slices:?}");
            }
            assert_eq!(file.polls().count(), 300);
        };
        traced(workers).block_on(main).unwrap();
    }
}

/// The line after that of the caller, as a trace has it.
#[track_caller]
fn next_line() -> String {
    let caller = std::panic::Location::caller();
    format!("{}:{}:", caller.file(), caller.line() + 1)
}

#[test]
fn a_wait_has_its_operation_and_place_and_an_arrow_leads_to_the_poll_after_it() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            let (tx, rx) = channel::<u32>(0);
            let (place, at) = channel(1);
            let waits = spawn(async move {
                place.send(next_line()).await.unwrap();
                rx.recv().await
            });
            let at = at.recv().await.unwrap();
            until_waiting().await;
            spawn(async move { tx.send(7).await }).await.unwrap().unwrap();
            assert_eq!(waits.await.unwrap(), Some(7));
            all_ended().await;
            let (file, _) = written();
            let recv = format!("recv at {at}");
            let tracks: Vec<_> = file.below("goroutines").collect();
            let waited = tracks.iter().filter(|track| {
                let slices = file.slices(**track);
                let place = slices.iter().position(|slice| slice.name.starts_with(&recv));
                place.is_some_and(|place| {
                    slices[place + 1].name == "queued" && slices[place + 2].name == "running"
                })
            });
            assert_eq!(waited.count(), 1, "{recv}");
            // Each arrow begins at a wake or a spawn, and ends at one poll, not before.
            let begins = file
                .events
                .iter()
                .filter(|event| event.kind == Kind::Instant && !event.flows.is_empty());
            let mut arrows = 0;
            for begin in begins {
                let ends = file
                    .events
                    .iter()
                    .filter(|event| event.kind == Kind::Begin && event.flows == begin.flows);
                let ends: Vec<_> = ends.collect();
                assert!(ends.len() <= 1);
                for end in ends {
                    assert!(end.at >= begin.at, "{begin:?} {end:?}");
                    arrows += 1;
                }
            }
            assert!(arrows >= 4, "{arrows}");
        };
        traced(workers).block_on(main).unwrap();
    }
}

/// Until a goroutine waits to receive.
async fn until_waiting() {
    let waits = || {
        Handle::current().dump().groups().iter().any(|group| {
            matches!(group.state, gorun::dump::State::Waiting { operation: "recv", .. })
        })
    };
    while !waits() {
        time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn blocking_a_nested_block_on_and_a_panic_are_shown_inside_their_poll() {
    let _watchdog = watchdog();
    let main = async {
        let (tx, rx) = channel::<u32>(0);
        let nested = spawn(async move { gorun::block_on(async move { rx.recv().await }) });
        spawn(async { blocking(|| std::thread::sleep(Duration::from_millis(2))) }).await.unwrap();
        tx.send(1).await.unwrap();
        assert_eq!(nested.await.unwrap(), Some(1));
        let panics: JoinHandle<()> = spawn(async { panic!("on purpose") });
        panics.await.unwrap_err();
        let aborted = spawn(std::future::pending::<()>());
        aborted.abort();
        aborted.await.unwrap_err();
        all_ended().await;
        let (file, _) = written();
        let slices = file.all_slices();
        let inner = |name: &str| {
            slices.iter().filter(|slice| slice.name == name && slice.depth == 2).count()
        };
        assert_eq!(inner("blocking"), 2);
        assert!(
            slices.iter().any(|slice| slice.name == "block_on" && slice.depth == 3),
            "{slices:?}"
        );
        assert!(
            slices
                .iter()
                .any(|slice| slice.name.starts_with("recv at tests/trace.rs") && slice.depth == 3)
        );
        assert_eq!((file.instants("panic").count(), file.instants("cancelled").count()), (1, 1));
    };
    traced(2).block_on(main).unwrap();
}

#[test]
fn what_a_goroutine_does_that_holds_its_thread_is_seen_while_it_does() {
    let _watchdog = watchdog();
    let main = async {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (tell, told) = channel(1);
        let holds = spawn(async move {
            tell.send(()).await.unwrap();
            released.recv().unwrap();
        });
        told.recv().await.unwrap();
        // The ring of the other worker has been overwritten many times by then.
        for _ in 0..10_000 {
            spawn(async {}).await.unwrap();
        }
        let (file, summary) = written();
        assert!(summary.lost > 0);
        let open: Vec<_> =
            file.all_slices().into_iter().filter(|slice| slice.end.is_none()).collect();
        assert!(open.iter().any(|slice| slice.name.starts_with("tests/trace.rs:")), "{open:?}");
        release.send(()).unwrap();
        holds.await.unwrap();
    };
    Builder::new().worker_threads(2).trace(1 << 10).block_on(main).unwrap();
}

#[test]
fn all_events_are_in_the_file_or_counted_as_lost() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            for _ in 0..2_000 {
                spawn(async {}).await.unwrap();
            }
            all_ended().await;
            written().1
        };
        let whole = Builder::new().worker_threads(workers).trace(1 << 15).block_on(main).unwrap();
        assert_eq!((whole.lost, whole.goroutines), (0, 2_000));
        // Spawned, polled (twice), and main polled (twice) and woken.
        assert!(whole.events > 2_000 * 4, "{whole:?}");
        let main = async {
            for _ in 0..2_000 {
                spawn(async {}).await.unwrap();
            }
            all_ended().await;
            written().1
        };
        let cut = Builder::new().worker_threads(workers).trace(100).block_on(main).unwrap();
        assert!(cut.lost > 0 && cut.events <= 127 * (workers as u64 + 7), "{cut:?}");
        let all = cut.events + cut.lost;
        assert!(all > 2_000 * 4, "{cut:?}");
    }
}

#[test]
fn a_trace_can_be_written_again_and_again_while_all_goes_on() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            let (stop, stopped) = channel::<u32>(0);
            for _ in 0..8 {
                let stopped = stopped.clone();
                go!(async move {
                    while stopped.try_recv().is_err_and(|error| error == gorun::TryRecvError::Empty)
                    {
                        let (tx, rx) = channel::<u32>(1);
                        go!(async move { tx.send(1).await.unwrap() });
                        rx.recv().await;
                        yield_now().await;
                    }
                });
            }
            let handle = Handle::current();
            for _ in 0..20 {
                written_by(&handle);
                time::sleep(Duration::from_millis(1)).await;
            }
            drop(stop);
        };
        Builder::new().worker_threads(workers).trace(1 << 9).block_on(main).unwrap();
    }
}

#[test]
fn timers_and_threads_outside_have_their_place() {
    let _watchdog = watchdog();
    let main = async {
        for _ in 0..100 {
            spawn(time::sleep(Duration::from_millis(1))).await.unwrap();
        }
        let handle = Handle::current();
        let outside = std::thread::spawn(move || drop(handle.spawn(async {})));
        outside.join().unwrap();
        all_ended().await;
        let (file, _) = written();
        let timers: u64 = file.instants("timers").map(|event| event.numbers[0].1).sum();
        assert!(timers >= 1);
        let spawns = file
            .instants("spawn")
            .filter(|event| file.tracks[&event.track].name.starts_with("thread "));
        assert_eq!(spawns.count(), 1);
        assert!(file.all_slices().iter().any(|slice| slice.name.starts_with("sleep at ")));
    };
    traced(2).block_on(main).unwrap();
}

#[test]
fn without_a_trace_there_is_an_error_that_says_what_to_do() {
    let error = gorun::block_on(async { Handle::current().write_trace(io::sink()) }).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("Builder::trace"), "{error}");
}

#[test]
fn a_failing_writer_fails_the_call() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let main = async {
        for _ in 0..1_000 {
            spawn(async {}).await.unwrap();
        }
        Handle::current().write_trace(Full).unwrap_err()
    };
    let error = traced(1).block_on(main).unwrap();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_file_that_cannot_be_created_is_an_error_at_the_start() {
    let path = std::env::temp_dir().join("gorun-no-such-folder").join("t.pftrace");
    let error = Builder::new().trace_file(&path).block_on(async {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("t.pftrace"), "{error}");
}

/// As the tests of a harness may all be told.
#[test]
fn in_a_folder_each_runtime_has_a_file_of_its_own() {
    let _watchdog = watchdog();
    let folder = std::env::temp_dir().join(format!("gorun-{}-traces", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    for _ in 0..2 {
        Builder::new().trace_file(&folder).block_on(async {}).unwrap();
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
    let names: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(names.len(), 2);
    let own = "in_a_folder_each_runtime_has_a_file_of_its_own-";
    assert!(names.iter().all(|name| name.starts_with(own)), "{names:?}");
}

#[test]
fn the_file_is_written_when_main_ends_also_by_a_panic() {
    let _watchdog = watchdog();
    for panics in [false, true] {
        let name = format!("gorun-{}-{panics}.pftrace", std::process::id());
        let path = std::env::temp_dir().join(name);
        let main = async move {
            spawn(async {}).await.unwrap();
            spawn(std::future::pending::<()>()).detach();
            assert!(!panics, "on purpose");
        };
        let builder = Builder::new().trace_file(&path);
        let ended = std::panic::catch_unwind(|| builder.block_on(main));
        assert_eq!(ended.is_err(), panics);
        let file = File::parse(&std::fs::read(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.instants("spawn").count(), 2);
        // It was written before they were cancelled.
        assert_eq!(file.instants("cancelled").count(), 0);
    }
}

#[cfg(feature = "tracing")]
#[test]
fn spans_are_bars_inside_the_poll_where_they_are_entered() {
    use tracing::Instrument;
    use tracing::instrument::WithSubscriber;
    use tracing_subscriber::layer::SubscriberExt;

    let _watchdog = watchdog();
    let subscriber =
        std::sync::Arc::new(tracing_subscriber::registry().with(gorun::trace::Layer::new()));
    let main = async {
        let work = async {
            let work = async {
                tracing::info!(name: "noted", "with a text that is left out");
                yield_now().await;
            };
            work.instrument(tracing::info_span!("outer")).await;
        }
        .with_subscriber(subscriber);
        spawn(work).await.unwrap();
        all_ended().await;
        let (file, _) = written();
        let spans = file.all_slices().into_iter().filter(|slice| slice.name == "outer");
        // One for each poll, and perhaps one in which it is dropped.
        let spans: Vec<_> = spans.collect();
        assert!((2..=3).contains(&spans.len()), "{spans:?}");
        assert!(spans.iter().all(|span| span.depth == 2 && span.end.is_some()), "{spans:?}");
        assert_eq!(file.instants("noted").count(), 1);
    };
    traced(2).block_on(main).unwrap();
}

/// Its events overwrite the begin of its poll.
#[test]
fn a_poll_that_wakes_without_end_has_a_bar() {
    let _watchdog = watchdog();
    let main = async {
        let (tx, rx) = channel::<u32>(1);
        let busy = spawn(async move {
            for _ in 0..5_000 {
                spawn(async {}).detach();
            }
            let (file, summary) = written();
            assert!(summary.lost > 0);
            let slices = file.all_slices();
            let open = slices.iter().filter(|slice| slice.end.is_none() && slice.depth == 1);
            let names: Vec<_> = open.map(|slice| &*slice.name).collect();
            // On its worker, and on its own track.
            assert!(names.iter().any(|name| name.starts_with("tests/trace.rs")), "{names:?}");
            assert!(names.contains(&"running"), "{names:?}");
            drop(tx);
        });
        busy.await.unwrap();
        assert_eq!(rx.recv().await, None);
    };
    Builder::new().worker_threads(1).trace(1 << 8).block_on(main).unwrap();
}

/// Two workers pass it on: one begins its next poll before the other has recorded the end of the last.
#[test]
fn a_goroutine_that_goes_from_worker_to_worker_runs_or_is_queued_and_never_waits() {
    let _watchdog = watchdog();
    for workers in [2, 16] {
        let main = async {
            let yielding = || async {
                for _ in 0..500 {
                    yield_now().await;
                }
            };
            let all: Vec<_> = (0..8).map(|_| spawn(yielding())).collect();
            for one in all {
                one.await.unwrap();
            }
            let (file, summary) = written();
            assert_eq!((summary.lost, summary.goroutines), (0, 8));
            for track in file.below("goroutines") {
                let slices = file.slices(track);
                let is_known = |name: &str| name == "running" || name == "queued";
                assert!(slices.iter().all(|slice| is_known(&slice.name)), "{slices:?}");
            }
        };
        traced(workers).block_on(main).unwrap();
    }
}

#[test]
fn a_block_on_that_panics_has_an_end() {
    let _watchdog = watchdog();
    let main = async {
        let handle = Handle::current();
        let threads = std::thread::spawn(move || {
            for _ in 0..3 {
                let call = || {
                    handle.block_on(async {
                        yield_now().await;
                        panic!("on purpose")
                    })
                };
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
            }
        });
        blocking(|| threads.join().unwrap());
        let (file, _) = written();
        let slices = file.all_slices();
        let guests: Vec<_> = slices.iter().filter(|slice| slice.name == "block_on").collect();
        // Each was polled twice.
        assert_eq!(guests.len(), 6, "{guests:?}");
        assert!(guests.iter().all(|guest| guest.depth == 1 && guest.end.is_some()), "{guests:?}");
    };
    traced(1).block_on(main).unwrap();
}

/// Spawns it at the first poll, and is ready when it has ended.
fn spawn_later(
    future: impl Future<Output = ()> + Send + 'static,
) -> impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<()> {
    let (mut future, mut handle) = (Some(future), None);
    move |cx| {
        let spawned = handle.get_or_insert_with(|| spawn(future.take().unwrap()));
        std::pin::Pin::new(spawned).poll(cx).map(Result::unwrap)
    }
}

/// As without a trace: it is only reported, since main has ended.
#[test]
fn a_trace_does_not_change_how_a_program_ends() {
    use std::task::Poll;

    let _watchdog = watchdog();
    let path = std::env::temp_dir().join(format!("gorun-{}-ends.pftrace", std::process::id()));
    for _ in 0..3 {
        let (tx, rx) = channel::<u32>(0);
        // So many events that it takes a while to keep them.
        let mut first = spawn_later(async {
            for _ in 0..40_000 {
                yield_now().await;
            }
        });
        let mut panics = Some(async move {
            while tx.send(1).await.is_ok() {}
            panic!("on purpose");
        });
        // It has the receiver until it is dropped, and that is when main has ended.
        let main = std::future::poll_fn(move |cx| {
            std::task::ready!(first(cx));
            assert_eq!(rx.len(), 0);
            panics.take().into_iter().for_each(|panics| spawn(panics).detach());
            Poll::Ready(())
        });
        Builder::new().trace(1 << 18).trace_file(&path).block_on(main).unwrap();
    }
    File::parse(&std::fs::read(&path).unwrap());
    std::fs::remove_file(path).unwrap();
}

/// What is recorded is copied when main has ended, and put in order and written when all others have ended, too.
#[test]
fn goroutines_do_not_go_on_after_main_for_as_long_as_the_file_takes() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    let _watchdog = watchdog();
    let path = std::env::temp_dir().join(format!("gorun-{}-after.pftrace", std::process::id()));
    let part_of_the_end = |workers| {
        let last = std::sync::Arc::new(std::sync::Mutex::new(Instant::now()));
        let is_full = std::sync::Arc::new(AtomicBool::new(false));
        let mut main_ended = None;
        let main = async {
            let (last, tells) = (last.clone(), is_full.clone());
            spawn(async move {
                for n in 0.. {
                    *last.lock().unwrap() = Instant::now();
                    tells.fetch_or(n == 40_000, Ordering::Relaxed);
                    yield_now().await;
                }
            })
            .detach();
            while !is_full.load(Ordering::Relaxed) {
                time::sleep(Duration::from_millis(1)).await;
            }
            main_ended = Some(Instant::now());
        };
        let builder = Builder::new().worker_threads(workers).trace(1 << 16);
        builder.trace_file(&path).block_on(main).unwrap();
        let main_ended = main_ended.unwrap();
        let goes_on = last.lock().unwrap().saturating_duration_since(main_ended);
        goes_on.as_secs_f64() / main_ended.elapsed().as_secs_f64()
    };
    for workers in [1, 2, 16] {
        // Others may have the cores meanwhile.
        assert!((0..10).any(|_| part_of_the_end(workers) < 0.1), "{workers} workers");
    }
    std::fs::remove_file(path).unwrap();
}

/// A test's thread has the whole path of the test as its name, and a file's name is limited.
#[test]
fn a_long_name_of_a_thread_or_a_file_is_no_error() {
    let _watchdog = watchdog();
    let folder = std::env::temp_dir().join(format!("gorun-{}-long", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let names = [50, 99, 100, 101, 220, 255, 400].map(|length| "a".repeat(length));
    let others = ["ж", "語", "a語"].map(|name| name.repeat(120));
    let names: Vec<_> = names.into_iter().chain(others).collect();
    for name in &names {
        let run = || Builder::new().trace_file(&folder).block_on(async {});
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name(name.clone());
            thread.spawn_scoped(scope, run).unwrap().join().unwrap().unwrap();
        });
    }
    Builder::new().trace_file(folder.join("f".repeat(255))).block_on(async {}).unwrap();
    let count = std::fs::read_dir(&folder).unwrap().count();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(count, names.len() + 1);
}

/// Another thread wakes main's future while main ends. What the program has given the runtime is gone when
/// `block_on` returns, and no other thread drops it.
#[test]
fn a_late_wake_on_another_thread_keeps_nothing_of_the_programs() {
    use std::sync::Arc;
    use std::task::{Poll, Waker};

    let _watchdog = watchdog();
    let (tx, rx) = std::sync::mpsc::channel::<Vec<Waker>>();
    let wakes = std::thread::spawn(move || rx.iter().flatten().for_each(|w| w.wake_by_ref()));
    for _ in 0..200 {
        let given = Arc::new(());
        let of_hook = given.clone();
        let builder = Builder::new().worker_threads(1).trace(64);
        let main = async {
            let kept = std::sync::Mutex::new(Vec::new());
            for _ in 0..300 {
                gorun::block_on(std::future::poll_fn(|cx| {
                    kept.lock().unwrap().push(cx.waker().clone());
                    Poll::Ready(())
                }));
            }
            tx.send(kept.into_inner().unwrap()).unwrap();
        };
        // Otherwise a thread that gets no core may be left behind.
        let builder = builder.exit_grace(Duration::from_secs(60));
        let builder = builder.on_thread_start(move || _ = &of_hook);
        builder.block_on(main).unwrap();
        Arc::try_unwrap(given).expect("nobody else has it any more");
    }
    drop(tx);
    wakes.join().unwrap();
}

/// Threads outside record all the time, wait for one another, and lose their cores meanwhile.
#[test]
fn a_poll_is_shown_as_long_as_it_was_while_others_record() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    let _watchdog = watchdog();
    let stop = AtomicBool::new(false);
    let (mut bytes, mut taken) = (Vec::new(), Vec::new());
    let main = async {
        let handle = Handle::current();
        let guest = || {
            handle.block_on(async {
                for _ in 0..40_000 {
                    match stop.load(Ordering::Relaxed) {
                        true => break,
                        false => yield_now().await,
                    }
                }
            });
        };
        std::thread::scope(|scope| {
            (0..8).for_each(|_| _ = scope.spawn(guest));
            let polls = async {
                let mut taken = Vec::new();
                for _ in 0..800 {
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_micros(300) {}
                    taken.push(start.elapsed());
                    yield_now().await;
                }
                taken
            };
            taken = gorun::block_on(async { spawn(polls).await.unwrap() });
            stop.store(true, Ordering::Relaxed);
        });
        handle.write_trace(&mut bytes).unwrap();
    };
    Builder::new().worker_threads(1).trace(1 << 18).block_on(main).unwrap();
    let file = File::parse(&bytes);
    let track = file.below("goroutines").next().unwrap();
    let events: Vec<_> = file.events.iter().filter(|event| event.track == track).collect();
    let begins = events.iter().filter(|event| event.kind == Kind::Begin && event.name == "running");
    let begins: Vec<_> = begins.map(|event| event.at).collect();
    // In the last poll it only ends. Perhaps that has not ended yet. And the first may have begun before the picture.
    let polls = &begins[1..begins.len() - 1];
    assert!(polls.len() > 10, "{begins:?}");
    for (begin, taken) in polls.iter().rev().zip(taken.iter().rev()) {
        let is_end = |event: &&&file::Event| event.kind == Kind::End && event.at > *begin;
        let shown = events.iter().find(is_end).unwrap().at - begin;
        // It begins before the first look at the clock, and ends after the second.
        let most = Duration::from_nanos(shown) + Duration::from_micros(100);
        assert!(most >= *taken, "{shown} {taken:?}");
    }
}

/// The same events, in a memory that has all of them and in one that has few: they are in the file, or lost. What says
/// that a long poll goes on is no event.
#[test]
fn what_is_in_the_file_and_what_is_lost_are_all_events_however_small_the_memory() {
    let _watchdog = watchdog();
    let run = |memory| {
        let main = async {
            spawn(async { (0..5_000).for_each(|_| spawn(async {}).detach()) }).await.unwrap();
            all_ended().await;
            written().1
        };
        let summary = Builder::new().worker_threads(1).trace(memory).block_on(main).unwrap();
        summary.events + summary.lost
    };
    // How often threads sleep, and main looks again, differs: that comes on top.
    let all = |memory| (0..5).map(|_| run(memory)).min().unwrap();
    let whole = all(1 << 15);
    // Spawned, polled, ended.
    assert!(whole >= 3 * 5_001, "{whole}");
    for memory in [1 << 12, 1 << 8, 1] {
        let differs = all(memory).abs_diff(whole);
        assert!(differs < 150, "{memory}: {differs} of {whole}");
    }
}

/// A waker of a `block_on` that has ended is woken, and the next one has its address.
#[test]
fn a_stale_wake_leads_to_no_other_block_on() {
    use std::task::Poll;

    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            for _ in 0..50 {
                let mut kept = None;
                gorun::block_on(std::future::poll_fn(|cx| {
                    kept = Some(cx.waker().clone());
                    Poll::Ready(())
                }));
                kept.unwrap().wake();
            }
            // This one is woken.
            gorun::block_on(yield_now());
            let (file, _) = written();
            let begins = file.events.iter().filter(|event| event.kind == Kind::Begin);
            let polls: Vec<_> = begins.filter(|event| event.name == "block_on").collect();
            let with_arrow = polls.iter().filter(|event| !event.flows.is_empty());
            assert_eq!((polls.len(), with_arrow.count()), (52, 1));
        };
        traced(workers).block_on(main).unwrap();
    }
}

/// Main is in one poll all the time, and the memory has only what is in there.
#[test]
fn main_in_a_long_poll_that_calls_block_on_is_one_bar() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        for calls in 10..60 {
            let main = async {
                for _ in 0..calls {
                    gorun::block_on(async {
                        for _ in 0..3 {
                            yield_now().await;
                        }
                    });
                }
                written()
            };
            let (file, summary) =
                Builder::new().worker_threads(workers).trace(64).block_on(main).unwrap();
            let main = file.named("main").next().unwrap();
            let slices = file.slices(main);
            let bars: Vec<_> = slices.iter().filter(|slice| slice.name == "main").collect();
            assert_eq!(bars.len(), 1, "{calls} {summary:?} {slices:?}");
            assert!(bars[0].depth == 1 && bars[0].end.is_none(), "{calls} {slices:?}");
            let inner = slices.iter().filter(|slice| slice.name == "block_on");
            assert!(inner.clone().count() > 0);
            assert!(inner.clone().all(|slice| slice.depth == 2), "{calls} {slices:?}");
        }
    }
}

/// In the poll where it ends, it is not open, and around that another one perhaps, with the same name.
#[cfg(feature = "tracing")]
#[test]
fn a_span_that_ends_in_another_poll_takes_no_bar_away() {
    use tracing_subscriber::layer::SubscriberExt;

    let _watchdog = watchdog();
    let subscriber = tracing_subscriber::registry().with(gorun::trace::Layer::new());
    let _default = tracing::subscriber::set_default(subscriber);
    let main = async {
        let request = tracing::info_span!("request").entered();
        gorun::block_on(async {
            drop(request);
            yield_now().await;
        });
        let ends_first = tracing::info_span!("ends first").entered();
        let goes_on = tracing::info_span!("goes on").entered();
        drop(ends_first);
        tracing::info_span!("still in main").in_scope(|| ());
        drop(goes_on);
        written().0
    };
    let file = traced(1).block_on(main).unwrap();
    let main = file.named("main").next().unwrap();
    let slices = file.slices(main);
    let of = |name: &str| {
        let of = slices.iter().filter(|slice| slice.name == name);
        of.map(|slice| (slice.depth, slice.end.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(of("main"), [(1, false)], "{slices:?}");
    assert_eq!(of("block_on"), [(3, true), (3, true)], "{slices:?}");
    // In "request", which seems to last as long as this poll.
    assert_eq!(of("ends first"), [(3, true)], "{slices:?}");
    assert_eq!(of("goes on"), [(4, true), (3, true)], "{slices:?}");
    assert_eq!(of("still in main"), [(4, true)], "{slices:?}");
}

/// By a seed a program chooses as it did before, which helps when one looks for a defect by a trace.
#[test]
fn a_seed_gives_the_same_choices_with_a_trace_as_without() {
    const NAME: &str = "a_seed_gives_the_same_choices_with_a_trace_as_without";
    if common::is_child() {
        let main = async {
            let (tx, first) = channel(64);
            let (other_tx, second) = channel(64);
            for _ in 0..40 {
                tx.send('a').await.unwrap();
                other_tx.send('b').await.unwrap();
            }
            for _ in 0..40 {
                gorun::select! {
                    chosen = first.recv() => print!("{}", chosen.unwrap()),
                    chosen = second.recv() => print!("{}", chosen.unwrap()),
                }
            }
        };
        print!("chosen:");
        return Builder::new().worker_threads(1).block_on(main).unwrap();
    }
    let _watchdog = watchdog();
    let folder = std::env::temp_dir().join(format!("gorun-{}-seed", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let chosen = |variables: &[(&str, &str)]| {
        let output = common::child(NAME, variables, "");
        let text = String::from_utf8(output.stdout).unwrap();
        let at = text.find("chosen:").unwrap();
        text[at..][.."chosen:".len() + 40].to_owned()
    };
    let without = chosen(&[("GORUN_SEED", "7")]);
    let told = [("GORUN_SEED", "7"), ("GORUN_TRACE", folder.to_str().unwrap())];
    for _ in 0..2 {
        assert_eq!(chosen(&told), without);
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
    let names: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    std::fs::remove_dir_all(&folder).unwrap();
    // In containers, processes have the same numbers: what comes after that differs.
    let ends: Vec<_> = names.iter().map(|name| name.rsplit('-').next()).collect();
    assert_eq!(ends.len(), 2);
    assert_ne!(ends[0], ends[1]);
}

/// A device for one: it would be replaced.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let error = Builder::new().trace_file("/dev/null").block_on(async {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("/dev/null"), "{error}");
}

/// Wakers of main and of a `block_on` outlive them.
#[test]
fn a_late_wake_of_who_is_gone_moves_nobody() {
    use std::task::Poll;

    let _watchdog = watchdog();
    let main = async {
        let kept = std::sync::Mutex::new(Vec::new());
        for _ in 0..50 {
            let once = std::future::poll_fn(|cx| {
                kept.lock().unwrap().push(cx.waker().clone());
                Poll::Ready(())
            });
            gorun::block_on(once);
            kept.lock().unwrap().iter().for_each(|waker| waker.wake_by_ref());
            spawn(async {}).await.unwrap();
        }
        all_ended().await;
        let (_, summary) = written();
        assert_eq!((summary.goroutines, summary.lost), (50, 0));
    };
    traced(1).block_on(main).unwrap();
}

/// Their rings are written anew while others are read.
#[test]
fn there_is_something_in_the_picture_however_busy_all_are() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async move {
            let (stop, stopped) = channel::<u32>(0);
            for _ in 0..2 * workers {
                let stopped = stopped.clone();
                go!(async move {
                    while stopped.try_recv() == Err(gorun::TryRecvError::Empty) {
                        yield_now().await;
                    }
                });
            }
            let handle = Handle::current();
            for _ in 0..10 {
                time::sleep(Duration::from_millis(1)).await;
                let (_, summary) = written_by(&handle);
                assert!(summary.events > 0, "{summary:?}");
            }
            drop(stop);
        };
        Builder::new().worker_threads(workers).trace(1 << 10).block_on(main).unwrap();
    }
}

/// Then it is again what its worker does.
#[test]
fn a_long_poll_that_has_called_block_on_has_a_bar() {
    let _watchdog = watchdog();
    let main = async {
        let busy = spawn(async {
            gorun::block_on(yield_now());
            for _ in 0..2_000 {
                spawn(async {}).detach();
            }
            written()
        });
        let (file, summary) = busy.await.unwrap();
        assert!(summary.lost > 0);
        let slices = file.all_slices();
        let open = slices.iter().filter(|slice| slice.end.is_none());
        let names: Vec<_> = open.map(|slice| &*slice.name).collect();
        assert!(names.iter().any(|name| name.starts_with("tests/trace.rs")), "{names:?}");
        assert!(!names.contains(&"block_on"), "{names:?}");
    };
    Builder::new().worker_threads(1).trace(1 << 8).block_on(main).unwrap();
}
