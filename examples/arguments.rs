//! What is evaluated where: `go!(f(g(x)))` calls `g` here and `f` there, as Go's `go` does.
//!
//! `cargo run --example arguments`

use std::sync::mpsc;
use std::thread;

use gorun::{block_on, go};

type Log = mpsc::Sender<(&'static str, bool)>;

/// Notes who is speaking, and whether that is on a worker thread.
fn note(log: &Log, what: &'static str) {
    let on_worker = thread::current().name().is_some_and(|name| name.starts_with("gorun-"));
    log.send((what, on_worker)).unwrap();
}

struct Printer {
    log: Log,
}

impl Printer {
    async fn print(self, _page: i32) {
        note(&self.log, "the method's body");
    }
}

fn main() {
    let (log, notes) = mpsc::channel();
    let argument = |what| {
        note(&log, what);
        7
    };
    block_on(async {
        let printer = || {
            note(&log, "the method's receiver");
            Printer { log: log.clone() }
        };
        go!(printer().print(argument("the method's argument")));

        let inner = log.clone();
        go!((move |_: i32| note(&inner, "the closure's body"))(argument("the closure's argument")));

        let inner = log.clone();
        go!(async move { note(&inner, "the async block's body") });

        // Main waits until the three bodies have run; the notes come in any order.
        let mut notes: Vec<_> = notes.iter().take(6).collect();
        notes.sort_by_key(|&(what, on_worker)| (on_worker, what));
        for (what, on_worker) in notes {
            println!("{:10} evaluates {what}", if on_worker { "goroutine" } else { "main" });
        }
    });
}
