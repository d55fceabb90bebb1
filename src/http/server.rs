//! `Server`: accepts connections, answers their requests, and comes to an end.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use hyper::rt::{Read, Write};

use super::activity::Limits;
use super::connection;
use super::inside::Inside;
use super::listener::Listener;
use super::panics::{contain, contained};
use super::service::{HttpService, IntoService};
use crate::context::{CancelGuard, Context};
use crate::scheduler::at_caller::at_caller;
use crate::sync::{OwnedPermit, Semaphore};
use crate::time::{Elapsed, timeout};
use crate::wait_group::WaitGroup;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers the requests of all connections of a listener with a service. A [`Server`] has settings, and
/// can be shut down.
///
/// The [module](super) says what it does by itself.
///
/// **Cancellation**: dropping the future closes the listener and all connections.
///
/// Go counterpart: `http.Serve`.
///
/// # Errors
///
/// The listener's, if it accepts no more. It ends without one if somebody closes the listener.
///
/// # Panics
///
/// If it is awaited outside a runtime.
///
/// # Examples
///
/// See the [module](super).
pub fn serve<K, S>(listener: impl Listener, service: S) -> impl Future<Output = io::Result<()>>
where
    S: IntoService<K>,
{
    let server = Server::new(service);
    Inside::new("serve", async move { server.serve(listener).await })
}

/// A server with settings, which can be shut down. Clones are the same server.
///
/// When the last clone is dropped, so are its connections.
///
/// Go counterpart: `http.Server`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::http::Server;
/// use gorun::net::TcpListener;
/// use hyper::service::service_fn;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let hello = |_| async { hyper::Result::Ok(hyper::Response::new("hello".to_owned())) };
///     let server = Server::new(service_fn(hello)).max_connections(1_000);
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     gorun::go!({
///         let server = server.clone();
///         // In a program: when Ctrl-C comes.
///         async move { server.shutdown(Duration::from_secs(5)).await }
///     });
///     // Until all requests have their answers.
///     server.serve(listener).await
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct Server<S> {
    service: S,
    limits: Limits,
    half_close: bool,
    permits: Option<Arc<Semaphore>>,
    shared: Arc<Shared>,
}

struct Shared {
    /// Done: no more connections, and no more requests in those that there are.
    stopping: Context,
    stop: CancelGuard,
    /// Done: the connections end at once.
    ended: Context,
    end: CancelGuard,
    connections: WaitGroup,
}

/// A connection, as long as it is counted.
struct Counted<'a>(&'a WaitGroup);

impl<'a> Counted<'a> {
    fn new(connections: &'a WaitGroup) -> Self {
        connections.add(1);
        Counted(connections)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.done();
    }
}

impl<S: HttpService> Server<S> {
    /// A server that answers with this service.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub fn new<K>(service: impl IntoService<K, Service = S>) -> Self {
        let (stopping, stop) = Context::background().with_cancel();
        let (ended, end) = Context::background().with_cancel();
        Server {
            service: service.into_service(),
            limits: Limits { header: Some(HEADER_TIMEOUT), idle: Some(IDLE_TIMEOUT) },
            half_close: false,
            permits: None,
            shared: Arc::new(Shared { stopping, stop, ended, end, connections: WaitGroup::new() }),
        }
    }

    /// Sets how many connections there may be at the same time. Others wait until it is their turn; the
    /// system keeps them in the listener's backlog. The default is no limit but that of descriptors.
    ///
    /// A connection that was upgraded, to a websocket for one, counts until it is closed. Those of
    /// [`serve_connection`](Self::serve_connection) do not count: whoever accepts them decides how many
    /// there are, by a [`Semaphore`] for example.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    #[track_caller]
    pub fn max_connections(mut self, n: usize) -> Self {
        assert!(n > 0, "`max_connections(0)`: the server would answer nobody");
        self.permits = Some(Arc::new(Semaphore::new(n)));
        self
    }

    /// Sets the time for the head of a request, from its first byte; for the first request, from the start
    /// of the connection. A connection that takes longer is closed, after twice this at the latest. The
    /// default is ten seconds; without this limit, `None`, that for [idle](Self::idle_timeout) ones holds.
    ///
    /// After a request with a body, over HTTP/1, it is the limit for idle connections that holds, and each
    /// byte counts: the body may be read longer than its answer takes.
    ///
    /// Go counterpart: `Server.ReadHeaderTimeout`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let hello = |_| async { hyper::Result::Ok(hyper::Response::new("hello".to_owned())) };
    /// # let service = hyper::service::service_fn(hello);
    /// let server = gorun::http::Server::new(service)
    ///     .header_timeout(Duration::from_secs(3))
    ///     .idle_timeout(None);
    /// ```
    pub fn header_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.header = limit.into();
        self
    }

    /// Sets how long a connection may be unused after a request. (Before the first one,
    /// [`header_timeout`](Self::header_timeout) holds.) One that is so for longer is closed, after twice
    /// this at the latest. The default is a minute; `None` is no limit.
    ///
    /// While a handler works, or makes the body of its answer, there is no limit, nor while the peer takes
    /// the answer, however slowly. If it takes nothing of it for this long, it is not waited for. A ping of
    /// HTTP/2 does not use a connection, but many at once do. A tunnel (`CONNECT`) over HTTP/2 uses it whenever
    /// bytes pass; so does each byte after the first such request. A body that is read after its answer uses a
    /// connection of HTTP/1, but not one of HTTP/2.
    ///
    /// A connection that is closed says so, if its protocol can: by `GOAWAY`, or at the end of TLS.
    ///
    /// Go counterpart: `Server.IdleTimeout`.
    ///
    /// # Examples
    ///
    /// See [`header_timeout`](Self::header_timeout).
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.idle = limit.into();
        self
    }

    /// Sets whether a client may close its side of a connection after its request, and still gets its
    /// answer, over HTTP/1. The default is `false`.
    ///
    /// A server cannot tell such a client from one that has gone: both send the same. By default each
    /// counts as gone: its handler is dropped where it waits, and works for nobody no longer. With `true`,
    /// nobody looks: a handler whose client has gone runs to its end, as long as that may take. Clients that
    /// close their side are rare: programs as `nc -N`, mostly.
    ///
    /// A client that goes is noticed once the body of its request has been read. With HTTP/2 it makes no
    /// difference.
    ///
    /// Go counterpart: none. It cancels the request's context, and sends what the handler answers, in
    /// both cases.
    ///
    /// # Examples
    ///
    /// ```
    /// # let hello = |_| async { hyper::Result::Ok(hyper::Response::new("hello".to_owned())) };
    /// # let service = hyper::service::service_fn(hello);
    /// let server = gorun::http::Server::new(service).half_close(true);
    /// ```
    pub fn half_close(mut self, is_allowed: bool) -> Self {
        self.half_close = is_allowed;
        self
    }

    /// Accepts connections and answers their requests. Returns when the server is
    /// [shut down](Self::shutdown), and all its connections have ended or the limit has passed; or if
    /// somebody closes the listener.
    ///
    /// **Cancellation**: dropping the future closes the listener. The connections go on, until the last
    /// clone of the server is dropped.
    ///
    /// Go counterpart: `Server.Serve`, which returns at once when `Shutdown` is called.
    ///
    /// # Errors
    ///
    /// The listener's, if it accepts no more.
    ///
    /// # Panics
    ///
    /// If it is awaited outside a runtime.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub fn serve(&self, listener: impl Listener) -> impl Future<Output = io::Result<()>> {
        Inside::new("Server::serve", async move {
            let accepted = self.accept(&listener).await;
            drop(listener);
            let Shared { stopping, ended, connections, .. } = &*self.shared;
            if stopping.is_done() {
                let _ = ended.run(connections.wait()).await;
            }
            accepted
        })
    }

    async fn accept(&self, listener: &impl Listener) -> io::Result<()> {
        let mut connections = listener.connections();
        let stopping = &self.shared.stopping;
        loop {
            let permit = match &self.permits {
                None => None,
                Some(permits) => match stopping.run(permit(permits, listener)).await {
                    Ok(Ok(Some(permit))) => Some(permit),
                    Ok(Err(error)) => return Err(error),
                    Ok(Ok(None)) | Err(_) => return Ok(()),
                },
            };
            let next = poll_fn(|cx| Pin::new(&mut connections).poll_next(cx));
            let Ok(Some(stream)) = stopping.run(next).await else { return Ok(()) };
            if let Some(connection) = self.connection(stream?, permit) {
                self.shared.connections.go(connection);
            }
        }
    }

    /// Answers the requests of one connection, which the caller has made or accepted, perhaps after a
    /// handshake of TLS. Returns when it has ended. [`shutdown`](Self::shutdown) ends it like the others.
    ///
    /// **Cancellation**: dropping the future closes the connection.
    ///
    /// # Panics
    ///
    /// If it is awaited outside a runtime.
    ///
    /// # Examples
    ///
    /// See [`FuturesIo`](super::FuturesIo).
    pub fn serve_connection(
        &self,
        stream: impl Read + Write + Unpin + Send + 'static,
    ) -> impl Future<Output = ()> {
        Inside::new("Server::serve_connection", async move {
            let _counted = Counted::new(&self.shared.connections);
            if let Some(connection) = self.connection(stream, None) {
                connection.await;
            }
        })
    }

    /// Not if the service cannot be cloned.
    fn connection<I>(
        &self,
        stream: I,
        permit: Option<OwnedPermit>,
    ) -> Option<impl Future<Output = ()> + Send + use<I, S>>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let service = contain(|| self.service.clone()).ok()?;
        let (limits, half_close) = (self.limits, self.half_close);
        let ends = [self.shared.stopping.clone(), self.shared.ended.clone()];
        Some(contained(connection::serve(stream, permit, service, limits, half_close, ends)))
    }

    /// Ends the server: it accepts no more connections, closes idle ones, and waits until the requests that
    /// have begun have their answers. It waits no longer than `limit`: then the other connections are closed,
    /// and their handlers dropped where they wait next. A handler that blocks its thread goes on, and is
    /// not waited for.
    ///
    /// If of a connection's first request only a part has come, the rest is waited for, until
    /// [`header_timeout`](Self::header_timeout). A later one of which only a part of the head has come is lost with
    /// HTTP/1, as one that comes a moment later. A peer with HTTP/2 is told first, and has to
    /// answer. Connections of HTTP/1 that were upgraded are not the server's any more; tunnels over HTTP/2
    /// are, and end with it.
    ///
    /// **Cancellation**: dropping the future lifts the limit.
    ///
    /// Go counterpart: `Server.Shutdown`, which does not close what takes longer.
    ///
    /// # Errors
    ///
    /// If the time was up.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub fn shutdown(&self, limit: Duration) -> impl Future<Output = Result<(), Elapsed>> {
        at_caller(async move {
            let Shared { stop, end, connections, .. } = &*self.shared;
            stop.cancel();
            let ended = timeout(limit, connections.wait()).await;
            if ended.is_err() {
                end.cancel();
            }
            ended
        })
    }
}

/// Waits for a permit; or `None` if meanwhile somebody closes the listener.
async fn permit(
    permits: &Arc<Semaphore>,
    listener: &impl Listener,
) -> io::Result<Option<OwnedPermit>> {
    let mut acquired = pin!(permits.clone().acquire_owned());
    let mut over = pin!(listener.over());
    poll_fn(|cx| {
        if let Poll::Ready(permit) = acquired.as_mut().poll(cx) {
            return Poll::Ready(Ok(Some(permit.expect("nobody closes it"))));
        }
        over.as_mut().poll(cx).map_ok(|()| None)
    })
    .await
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
