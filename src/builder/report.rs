//! What a runtime prints on standard error.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// How long somebody waits for what he has to say.
const TIMEOUT: Duration = Duration::from_millis(100);

/// In one piece. Nobody is there to be told of a failure.
pub(super) fn print(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints it, but does not wait for that for long: main, or a goroutine, may hold the lock of standard error.
pub(super) fn print_meanwhile(text: String) {
    let (tell, told) = mpsc::channel();
    let text = Arc::new(text);
    let print_there = {
        let text = text.clone();
        move || {
            print(&text);
            let _ = tell.send(());
        }
    };
    match thread::Builder::new().name("gorun-report".to_owned()).spawn(print_there) {
        Ok(_) => _ = told.recv_timeout(TIMEOUT),
        // Rather late than never.
        Err(_) => print(&text),
    }
}
