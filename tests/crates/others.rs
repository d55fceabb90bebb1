//! Crates that are not about I/O, beside goroutines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rayon::prelude::*;
use tracing::Instrument;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::bridged;
use super::common::*;

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
