//! `Server`: accepts connections, answers their requests, and comes to an end.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use hyper::rt::{Read, Write};

use super::activity::Limits;
use super::connection;
use super::listener::Listener;
use super::panics::contained;
use super::service::{HttpService, IntoService};
use crate::context::{CancelGuard, Context};
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
/// # Examples
///
/// See the [module](super).
pub async fn serve<K, S>(listener: impl Listener, service: S) -> io::Result<()>
where
    S: IntoService<K>,
{
    Server::new(service).serve(listener).await
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
            permits: None,
            shared: Arc::new(Shared { stopping, stop, ended, end, connections: WaitGroup::new() }),
        }
    }

    /// Sets how many connections there may be at the same time. Others wait until it is their turn; the
    /// system keeps them in the listener's backlog. The default is no limit but that of descriptors.
    ///
    /// A connection that was upgraded, to a websocket for one, counts until it is closed.
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
    /// of the connection. A connection that takes longer is closed, after one and a half times this at
    /// the latest. The default is ten seconds; `None` is no limit.
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

    /// Sets how long a connection may be without a request. One that is so for longer is closed, after one
    /// and a half times this at the latest. The default is a minute; `None` is no limit.
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

    /// Accepts connections and answers their requests. Returns when the server is
    /// [shut down](Self::shutdown), and all its connections have ended; or if somebody closes the listener.
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
    /// # Examples
    ///
    /// See [`Server`].
    pub async fn serve(&self, listener: impl Listener) -> io::Result<()> {
        let accepted = self.accept(&listener).await;
        drop(listener);
        if self.shared.stopping.is_done() {
            self.shared.connections.wait().await;
        }
        accepted
    }

    async fn accept(&self, listener: &impl Listener) -> io::Result<()> {
        let mut connections = listener.connections();
        let stopping = &self.shared.stopping;
        loop {
            let permit = match &self.permits {
                None => None,
                Some(permits) => match stopping.run(permits.clone().acquire_owned()).await {
                    Ok(permit) => Some(permit.expect("nobody closes it")),
                    Err(_) => return Ok(()),
                },
            };
            let next = poll_fn(|cx| Pin::new(&mut connections).poll_next(cx));
            let Ok(Some(stream)) = stopping.run(next).await else { return Ok(()) };
            self.shared.connections.go(self.connection(stream?, permit));
        }
    }

    /// Answers the requests of one connection, which the caller has made or accepted, perhaps after a
    /// handshake of TLS. Returns when it has ended. [`shutdown`](Self::shutdown) ends it like the others.
    ///
    /// **Cancellation**: dropping the future closes the connection.
    ///
    /// # Examples
    ///
    /// See [`FuturesIo`](super::FuturesIo).
    pub async fn serve_connection(&self, stream: impl Read + Write + Unpin + Send + 'static) {
        let _counted = Counted::new(&self.shared.connections);
        self.connection(stream, None).await;
    }

    fn connection<I>(
        &self,
        stream: I,
        permit: Option<OwnedPermit>,
    ) -> impl Future<Output = ()> + Send + use<I, S>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let (service, limits) = (self.service.clone(), self.limits);
        let ends = [self.shared.stopping.clone(), self.shared.ended.clone()];
        contained(connection::serve(stream, permit, service, limits, ends))
    }

    /// Ends the server: it accepts no more connections, closes idle ones, and waits until the requests that
    /// have begun have their answers. What takes longer than `limit` is closed without.
    ///
    /// Connections that were upgraded are not the server's any more.
    ///
    /// **Cancellation**: dropping the future lifts the limit.
    ///
    /// Go counterpart: `Server.Shutdown`.
    ///
    /// # Errors
    ///
    /// If the time was up.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub async fn shutdown(&self, limit: Duration) -> Result<(), Elapsed> {
        let Shared { stop, end, connections, .. } = &*self.shared;
        stop.cancel();
        let ended = timeout(limit, connections.wait()).await;
        if ended.is_err() {
            end.cancel();
            connections.wait().await;
        }
        ended
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
