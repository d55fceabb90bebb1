//! The spans and events of the crate `tracing`, in a trace.

#![forbid(unsafe_code)]

use std::fmt;
use std::ptr;

use tracing::span::Id;
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Metadata};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::scheduler::context;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::trace::names;

/// Puts the spans and the events of the crate [`tracing`](https://docs.rs/tracing) into traces, by the feature
/// `tracing`: a layer for `tracing_subscriber`.
///
/// A span is a bar inside the poll, or inside main, where it is entered, with its name. An event is a mark with its name, which
/// has file and line. Fields are left out, since the recorder makes no texts while the program runs. What
/// happens on threads that belong to no runtime, and in runtimes without a [trace](mod@crate::trace), is left out as well.
///
/// The spans that gorun has around goroutines for other subscribers, `gorun=trace`, are left out: a poll is a bar anyway.
///
/// `tokio-console` needs a subscriber that runs tokio's runtime for itself, and events that tokio alone sends: it shows nothing
/// of gorun.
///
/// Go counterpart: `trace.WithRegion`, `trace.Log`.
///
/// # Examples
///
/// ```
/// use gorun::{Builder, Handle};
/// use tracing_subscriber::layer::SubscriberExt;
/// use tracing_subscriber::util::SubscriberInitExt;
///
/// tracing_subscriber::registry().with(gorun::trace::Layer::new()).init();
/// Builder::new().trace(1 << 10).block_on(async {
///     gorun::spawn(async { tracing::info_span!("parse").in_scope(|| tracing::info!("begun")) }).await.unwrap();
///     let mut file = Vec::new();
///     Handle::current().write_trace(&mut file).unwrap();
///     assert!(file.windows(5).any(|name| name == b"parse"));
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Layer(());

impl Layer {
    /// A layer; all are the same.
    ///
    /// # Examples
    ///
    /// See [`Layer`].
    pub fn new() -> Self {
        Layer(())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layer")
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        names::add(address(metadata), metadata.name().to_owned());
        Interest::always()
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        record(EventKind::Noted, event.metadata());
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(metadata) = context.metadata(id) {
            record(EventKind::SpanBegins, metadata);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(metadata) = context.metadata(id) {
            record(EventKind::SpanEnds, metadata);
        }
    }
}

fn record(kind: EventKind, metadata: &'static Metadata<'static>) {
    if metadata.target() == "gorun" {
        return;
    }
    context::with_inside(|context| {
        if let Some(context) = context {
            context.record(kind, address(metadata), 0);
        }
    });
}

fn address(metadata: &'static Metadata<'static>) -> usize {
    ptr::from_ref(metadata).addr()
}
