//! Fetches pages with `reqwest`, no more than so many at once, and tells of each as soon as it is there.
//!
//! `cargo run --package gorun-web-examples --example fetch_all 4 http://127.0.0.1:8080/stock ...`

use std::env;
use std::time::Duration;

use gorun::JoinSet;
use reqwest::Client;

/// What came from a URL.
async fn fetch(client: Client, url: String) -> (String, reqwest::Result<(u16, usize)>) {
    let fetched = async {
        let answer = client.get(&url).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await?.len()))
    };
    let fetched = fetched.await;
    (url, fetched)
}

/// `reqwest` needs a tokio runtime, which runs beside the goroutines.
#[gorun::main(tokio_runtime = 1)]
async fn main() -> Result<(), &'static str> {
    let mut arguments = env::args().skip(1);
    let at_once = arguments.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    let at_once = at_once.ok_or("usage: fetch_all AT_ONCE URL...")?;
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let mut fetches = arguments.map(|url| fetch(client.clone(), url));
    let mut running: JoinSet<_> = fetches.by_ref().take(at_once).collect();
    let mut failed = 0;
    while let Some(fetched) = running.join_next().await {
        running.extend(fetches.next());
        match fetched.unwrap() {
            (url, Ok((status, size))) => println!("{url}: {status}, {size} bytes"),
            (url, Err(error)) => {
                println!("{url}: {error}");
                failed += 1;
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err("some could not be fetched") }
}
