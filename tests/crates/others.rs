//! Crates that need no tokio: with a reactor or threads of their own, or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt};
use indicatif::{InMemoryTerm, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;
use tracing::Instrument;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::bridged;
use super::common::*;

/// `async-io`'s thread wakes goroutines; the bridge is not needed.
#[test]
fn timers_and_sockets_of_async_io_wake_goroutines() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let listener = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            gorun::go!(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    gorun::go!(async move {
                        futures::io::copy(stream.clone(), &mut stream.clone()).await.unwrap();
                    });
                }
            });
            let clients = (0..50_u8).map(|n| {
                gorun::spawn(async move {
                    let mut stream = async_net::TcpStream::connect(address).await.unwrap();
                    for round in 0..20 {
                        stream.write_all(&[n, round]).await.unwrap();
                        let mut answer = [0; 2];
                        stream.read_exact(&mut answer).await.unwrap();
                        assert_eq!(answer, [n, round]);
                        async_io::Timer::after(Duration::from_micros(100)).await;
                    }
                })
            });
            join_all(clients).await.into_iter().for_each(Result::unwrap);

            // One that waits when it is aborted, and one when main ends.
            let waits = || gorun::spawn(async { async_io::Timer::never().await });
            let (aborted, _left) = (waits(), waits());
            gorun::yield_now().await;
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
        });
    }
}

/// A thread of its own draws, too.
#[test]
fn bars_of_indicatif_count_what_goroutines_do() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let terminal = InMemoryTerm::new(10, 80);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bars = MultiProgress::with_draw_target(target);
        run(workers, async {
            let style = ProgressStyle::with_template("{msg} {pos}/{len}").unwrap();
            let works = ["one", "two", "three"].map(|name| {
                let bar = bars.add(ProgressBar::new(1_000)).with_message(name);
                bar.set_style(style.clone());
                bar.enable_steady_tick(Duration::from_millis(1));
                gorun::spawn(async move {
                    let parts = (0..10).map(|_| {
                        let bar = bar.clone();
                        gorun::spawn(async move {
                            for _ in 0..100 {
                                bar.inc(1);
                                gorun::yield_now().await;
                            }
                        })
                    });
                    join_all(parts).await.into_iter().for_each(Result::unwrap);
                    bar.finish();
                })
            });
            join_all(works).await.into_iter().for_each(Result::unwrap);
        });
        assert_eq!(terminal.contents(), "one 1000/1000\ntwo 1000/1000\nthree 1000/1000");
    }
}

/// `blocking` says that the goroutine waits for threads elsewhere.
#[test]
fn rayon_computes_while_goroutines_go_on() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        bridged(workers, async {
            let sums: Vec<_> = (0..4)
                .map(|_| {
                    gorun::spawn(async {
                        gorun::blocking(|| (0..100_000_u64).into_par_iter().sum::<u64>())
                    })
                })
                .collect();
            for sum in sums {
                assert_eq!(sum.await.unwrap(), 4_999_950_000);
            }
        });
    }
}

struct Enters(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Enters {
    fn on_enter(&self, _: &tracing::span::Id, _: Context<'_, S>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_span_of_tracing_is_entered_with_each_poll_of_its_goroutine() {
    let _watchdog = watchdog();
    let enters = Arc::new(AtomicUsize::new(0));
    let subscriber = tracing_subscriber::registry().with(Enters(enters.clone()));
    let dispatch = tracing::Dispatch::new(subscriber);
    run(1, async {
        let traced = tracing::dispatcher::with_default(&dispatch, || {
            let work = async {
                for _ in 0..10 {
                    gorun::yield_now().await;
                }
            };
            work.instrument(tracing::info_span!("work"))
        });
        gorun::spawn(traced).await.unwrap();
    });
    // One more when it is dropped.
    assert!((11..=12).contains(&enters.load(SeqCst)));
}
