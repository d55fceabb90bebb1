//! Looks up the addresses of hosts, eight at the same time. Names come from the arguments, or line by line
//! from the standard input. One that is not found does not keep the others from being looked up, but the
//! program fails.
//!
//! `cargo run --example dns_lookup localhost example.org`

use std::env;
use std::io;
use std::time::Duration;

use gorun::errgroup::Group;
use gorun::net::lookup_host;
use gorun::time::timeout;

const AT_ONCE: usize = 8;
const LIMIT: Duration = Duration::from_secs(5);

#[gorun::main]
async fn main() -> Result<(), String> {
    let mut lookups = Group::new();
    lookups.set_limit(AT_ONCE);
    for name in names() {
        // Waits while there are so many.
        lookups.go(look_up(name)).await;
    }
    lookups.wait().await
}

fn names() -> Box<dyn Iterator<Item = String>> {
    match env::args().len() {
        1 => Box::new(io::stdin().lines().map_while(Result::ok)),
        _ => Box::new(env::args().skip(1)),
    }
}

async fn look_up(name: String) -> Result<(), String> {
    let failed = |error: &dyn std::error::Error| {
        println!("{name}: {error}");
        format!("{name} was not found")
    };
    let found = timeout(LIMIT, lookup_host((name.as_str(), 0))).await;
    let addresses = found.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    for address in addresses {
        println!("{name} has address {}", address.ip());
    }
    Ok(())
}
