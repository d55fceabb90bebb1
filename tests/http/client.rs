//! Clients: of `hyper`, and of bytes.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::Handle;
use gorun::http::{HttpService, Server};
use gorun::net::{TcpListener, TcpStream};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};

pub(crate) type Answer = Result<Response<Full<Bytes>>, Infallible>;

pub(crate) fn text(text: impl Into<Bytes>) -> Answer {
    Ok(Response::new(Full::new(text.into())))
}

/// A server with a service for all requests.
pub(crate) fn server<F, A>(answer: F) -> Server<impl HttpService>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    Server::new(service_fn(answer))
}

/// Starts it in the background.
pub(crate) async fn start(server: &Server<impl HttpService + Sync>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.clone();
    gorun::go!(async move { server.serve(listener).await.unwrap() });
    address
}

pub(crate) type Client1 = http1::SendRequest<Full<Bytes>>;
pub(crate) type Client2 = http2::SendRequest<Full<Bytes>>;

pub(crate) async fn connect1(address: SocketAddr) -> Client1 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = http1::handshake(stream).await.unwrap();
    gorun::go!(async move { drop(connection.await) });
    client
}

pub(crate) async fn connect2(address: SocketAddr) -> Client2 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = http2::handshake(Handle::current(), stream).await.unwrap();
    gorun::go!(async move { drop(connection.await) });
    client
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    let builder = Request::get(format!("http://localhost{path}")).header("host", "localhost");
    builder.body(Full::default()).unwrap()
}

/// Status and text.
pub(crate) async fn read(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Sends bytes, and reads all that comes until the server closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    rest(stream).await
}

/// All that comes until the server closes.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}
