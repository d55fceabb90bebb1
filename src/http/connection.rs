//! One connection of a server.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Executor, Read, ReadBufCursor, Write};
use hyper_util::server::conn::auto;

use super::activity::{Activity, Limits, Observer, Verdict};
use super::alert::Alert;
use super::answer::Answering;
use super::panics::contained;
use super::service::HttpService;
use crate::context;
use crate::handle::Handle;
use crate::sync::OwnedPermit;
use crate::time::sleep;

/// Serves a connection until it ends, exceeds a limit, or the server has `ended`. When that is `stopping`,
/// it ends after the requests that have begun.
pub(super) async fn serve<I, S>(
    stream: I,
    permit: Option<OwnedPermit>,
    service: S,
    limits: Limits,
    half_close: bool,
    [stopping, ended]: [context::Context; 2],
) where
    I: Read + Write + Unpin + Send + 'static,
    S: HttpService,
{
    // Requests of HTTP/2 that are still in work end with the connection.
    let (own, _guard) = context::Context::background().with_cancel();
    let mut builder = auto::Builder::new(Requests { runtime: Handle::current(), own });
    builder.http1().half_close(half_close);
    let activity = Arc::new(Activity::new());
    let stream = Observed { stream, activity: activity.clone(), _permit: permit };
    let service = Answering { service, activity: activity.clone() };
    let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
    let mut observer = limits
        .interval()
        .map(|interval| (Observer::new(activity, limits, interval), sleep(interval)));
    let (mut stopped, mut over) = (pin!(stopping.done()), pin!(ended.done()));
    let mut is_stopping = false;
    let mut alert = Alert::new();
    poll_fn(|cx| {
        // Once: an event that gives way (`gate.rs`) raises it again, for the next poll.
        if alert.is_raised(cx) {
            let events = &mut Context::from_waker(alert.waker());
            if over.as_mut().poll(events).is_ready() {
                return Poll::Ready(());
            }
            if !is_stopping && stopped.as_mut().poll(events).is_ready() {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            while let Some((observer, sleep)) = &mut observer
                && Pin::new(&mut *sleep).poll(events).is_ready()
            {
                match observer.look() {
                    Verdict::GoesOn => {}
                    Verdict::Closes => {
                        is_stopping = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    Verdict::Ends => return Poll::Ready(()),
                }
                *sleep = crate::time::sleep(observer.interval());
            }
        }
        // Its errors are the peer's: a reset, a request that is none. There is nobody to tell.
        connection.as_mut().poll(cx).map(drop)
    })
    .await
}

/// Starts the requests of HTTP/2. A panic that `hyper` meets, in a destructor for one, ends one of them.
#[derive(Clone)]
struct Requests {
    runtime: Handle,
    own: context::Context,
}

impl<F> Executor<F> for Requests
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let own = self.own.clone();
        self.runtime.start(contained(async move { drop(own.run(future).await) }));
    }
}

/// A stream that notes when bytes come and go. It outlives the connection if that is upgraded.
struct Observed<I> {
    stream: I,
    activity: Arc<Activity>,
    /// To be one of the connections that there may be.
    _permit: Option<OwnedPermit>,
}

impl<I> Observed<I> {
    fn note_written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = polled {
            self.activity.note_written(count);
        }
        polled
    }
}

impl<I: Read + Unpin> Read for Observed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, cursor);
        if polled.is_ready() {
            self.activity.note_read();
        }
        polled
    }
}

impl<I: Write + Unpin> Write for Observed<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_written(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_written(polled)
    }
}
