//! A crawler: a goroutine for each page, no page twice, and no more than two fetched at a time.
//!
//! `cargo run --example crawler`

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gorun::WaitGroup;
use gorun::sync::Semaphore;
use gorun::time::sleep;

/// The links of each page.
const WEB: [(&str, &[&str]); 6] = [
    ("/", &["/docs", "/blog"]),
    ("/docs", &["/", "/docs/chan", "/docs/time"]),
    ("/docs/chan", &["/docs", "/docs/select"]),
    ("/docs/time", &["/docs", "/docs/chan", "/lost"]),
    ("/blog", &["/", "/docs/select"]),
    ("/docs/select", &["/docs/chan", "/docs/time"]),
];

struct Crawler {
    /// No more are fetched at a time than it has permits.
    fetching: Semaphore,
    wg: WaitGroup,
    visited: Mutex<HashSet<&'static str>>,
}

impl Crawler {
    /// Starts a goroutine for a page that was not visited yet.
    fn visit(self: &Arc<Self>, url: &'static str) {
        if !self.visited.lock().unwrap().insert(url) {
            return;
        }
        let crawler = self.clone();
        self.wg.go(async move {
            match crawler.fetch(url).await {
                Ok(links) => links.iter().for_each(|link| crawler.visit(link)),
                Err(error) => println!("{error}"),
            }
        });
    }

    async fn fetch(&self, url: &str) -> Result<&'static [&'static str], String> {
        let _permit = self.fetching.acquire().await.unwrap();
        println!("{url}, {} at a time", 2 - self.fetching.available_permits());
        sleep(Duration::from_millis(100)).await;
        let page = WEB.iter().find(|(page, _)| *page == url);
        let (_, links) = page.ok_or_else(|| format!("{url}: no such page"))?;
        println!("{url}: {} links", links.len());
        Ok(links)
    }
}

#[gorun::main]
async fn main() {
    let (fetching, wg) = (Semaphore::new(2), WaitGroup::new());
    let crawler = Arc::new(Crawler { fetching, wg, visited: Mutex::default() });
    crawler.visit("/");
    crawler.wg.wait().await;
    println!("visited: {}", crawler.visited.lock().unwrap().len());
}
