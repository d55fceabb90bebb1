//! The span around each goroutine, by the feature `tracing`. It is the only test here: what `tracing` knows of
//! subscribers is global.

mod common;

use common::watchdog;
use gorun::{Builder, spawn};

/// The line after that of the caller.
#[track_caller]
fn next_line() -> String {
    let caller = std::panic::Location::caller();
    format!("{}:{}:", caller.file(), caller.line() + 1)
}

/// What a subscriber sees of the spans around goroutines.
#[test]
fn a_goroutine_is_in_a_span_that_says_where_it_was_spawned() {
    use std::sync::{Arc, Mutex};

    use tracing::Subscriber;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id};
    use tracing_subscriber::layer::{Context, SubscriberExt};
    use tracing_subscriber::registry::LookupSpan;

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    struct Place<'a>(&'a Seen);

    impl Visit for Place<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            assert_eq!(field.name(), "spawned_at");
            self.0.0.lock().unwrap().push(format!("new {value:?}"));
        }
    }

    impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Seen {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            assert!(attributes.is_root(), "it would keep others open");
            attributes.record(&mut Place(self));
        }
        fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
            let span = context.event_span(event).unwrap();
            self.0.lock().unwrap().push(format!("event in {}", span.name()));
        }
        fn on_close(&self, _: Id, _: Context<'_, S>) {
            self.0.lock().unwrap().push("close".to_owned());
        }
    }

    let _watchdog = watchdog();
    let seen = Seen::default();
    let subscriber = Arc::new(tracing_subscriber::registry().with(seen.clone()));
    let hook = subscriber.clone();
    let builder = Builder::new().worker_threads(1).on_thread_start(move || {
        // Until the thread ends.
        std::mem::forget(tracing::subscriber::set_default(hook.clone()));
    });
    let _default = tracing::subscriber::set_default(subscriber);
    let place = builder
        .block_on(async {
            let place = next_line();
            spawn(async { tracing::info!("inside") }).await.unwrap();
            place
        })
        .unwrap();
    let seen = seen.0.lock().unwrap().clone();
    let [new, event, close] = &seen[..] else { panic!("{seen:?}") };
    assert!(new.starts_with(&format!("new {place}")), "{new} {place}");
    assert_eq!((&**event, &**close), ("event in goroutine", "close"));
}
