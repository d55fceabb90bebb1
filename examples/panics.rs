//! A panic goes to whoever awaits the goroutine; if nobody can, main goes down with it.
//!
//! `cargo run --example panics`

use std::panic::{AssertUnwindSafe, catch_unwind};

use gorun::{Builder, UnhandledPanic, block_on, spawn};

fn main() {
    // Panics print to standard error, as always. Here only what becomes of them is of interest.
    std::panic::set_hook(Box::new(|_| {}));

    block_on(async {
        let error = spawn(async { panic!("one") }).await.unwrap_err();
        println!("awaited: {error}");
    });

    let resumed = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            spawn(async { panic!("two") }).detach();
            std::future::pending::<()>().await;
        });
    }));
    let payload = resumed.unwrap_err();
    println!("detached: block_on panicked with {:?}", payload.downcast_ref::<&str>().unwrap());

    let value = Builder::new().unhandled_panic(UnhandledPanic::Ignore).block_on(async {
        spawn(async { panic!("three") }).detach();
        while gorun::num_goroutines() > 1 {
            gorun::yield_now().await;
        }
        3
    });
    println!("ignored: block_on returned {}", value.unwrap());
}
