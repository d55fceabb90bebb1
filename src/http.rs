//! HTTP on gorun's sockets, with the crate `hyper`: HTTP/1.1 and HTTP/2. With the feature `hyper`.
//!
//! [`serve`] answers requests with a service: one of `hyper`, or of `tower`, as an `axum::Router` is.
//! Each connection is a goroutine, and so is each request of HTTP/2.
//!
//! ```
//! use std::convert::Infallible;
//! use gorun::http;
//! use gorun::net::TcpListener;
//! use hyper::body::Incoming;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//!
//! async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("hello, {}\n", request.uri().path())))
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! gorun::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     println!("http://{}", listener.local_addr()?);
//!     let server = gorun::spawn(http::serve(listener, service_fn(hello)));
//! #   server.abort();
//!     let _ = server.await;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What a server does by itself
//!
//! - A handler that panics is answered with status 500, and the other ones go on.
//! - A connection that does not send the head of a request within ten to twenty seconds is closed, and so
//!   is one that is idle for one to two minutes, or whose peer takes no byte of its answer for as long.
//!   (After a request with a body, a connection is in use as long as any byte of a head comes.)
//!   See [`Server::header_timeout`], [`Server::idle_timeout`].
//! - A request with HTTP/1.1 without `Host`, or with several ones, gets 400 (RFC 9112, section 3.2).
//! - If the process may open no more descriptors, it goes on when there are some.
//! - The handler of a client that has gone is dropped. See [`Server::half_close`].
//!
//! The size of a body, the time that a peer may take to send it, and the time of a handler, are the
//! handler's business: see `http-body-util`'s `Limited`, [`timeout`](crate::time::timeout), or the layers of `tower-http`.
//!
//! # A client, TLS, and other crates
//!
//! [`TcpStream`](crate::net::TcpStream) and [`UnixStream`](crate::net::UnixStream) have `hyper`'s traits
//! for I/O, [`FuturesIo`] gives them to every type with those of `futures`, [`Handle`](crate::Handle) is an
//! executor, and [`Timer`] a timer. So `hyper`'s own client works, and a server of its own:
//!
//! ```ignore
//! let stream = TcpStream::connect("example.org:80").await?;
//! let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await?;
//! gorun::go!(async move { connection.await.unwrap() });
//! let request = Request::get("/").header("host", "example.org").body(String::new())?;
//! println!("{}", client.send_request(request).await?.status());
//! ```
//!
//! A server with TLS accepts by itself, and hands each connection to [`Server::serve_connection`] after the
//! handshake.

#![forbid(unsafe_code)]

mod activity;
mod alert;
mod answer;
mod connection;
mod executor;
mod inside;
mod io;
mod listener;
mod panics;
mod reply;
mod server;
mod service;
mod timer;

pub use io::FuturesIo;
pub use listener::Listener;
pub use server::{Server, serve};
pub use service::{HttpService, HyperKind, IntoService, TowerKind};
pub use timer::Timer;

#[cfg(test)]
mod tests;
