//! A server of HTTP. At Ctrl-C it accepts nobody any more, and requests that have begun get their answers.
//!
//! `cargo run --example http_hello --features signal,hyper`, and then `curl 127.0.0.1:8080/you`.

use std::convert::Infallible;
use std::env;
use std::io;
use std::time::Duration;

use gorun::context::Context;
use gorun::go;
use gorun::http::Server;
use gorun::net::TcpListener;
use gorun::signal::{self, Signal};
use gorun::time::sleep;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// How long requests may take when the server ends.
const PATIENCE: Duration = Duration::from_secs(10);

async fn greet(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let name = request.uri().path().trim_start_matches('/');
    if name == "slow" {
        sleep(Duration::from_secs(1)).await;
    }
    Ok(Response::new(format!("hello, {name}\n")))
}

#[gorun::main]
async fn main() -> io::Result<()> {
    let (ctx, _stop) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let server = Server::new(service_fn(greet));
    go!({
        let server = server.clone();
        async move {
            ctx.done().await;
            println!("closing: {}", ctx.cause().expect("it is done"));
            if server.shutdown(PATIENCE).await.is_err() {
                println!("some requests took too long");
            }
        }
    });
    server.serve(listener).await?;
    println!("no request is left");
    Ok(())
}
