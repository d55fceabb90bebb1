//! A goroutine that may or may not get to run, and one that is waited for.
//!
//! `cargo run --example hello`

use gorun::{JoinError, block_on, go, spawn};

fn foo() {
    println!("foo");
}

fn bar() -> i32 {
    println!("bar is evaluated by main");
    7
}

async fn double(n: i32) -> i32 {
    println!("double runs in its goroutine");
    2 * n
}

fn main() -> Result<(), JoinError> {
    println!("(foo may come before \"after\", after it, or never: main does not wait for it)");
    block_on(async {
        println!("before");
        go!(foo()); // Go: go foo()
        println!("after");
    });

    println!("(now main waits)");
    let doubled = block_on(async {
        let goroutine = spawn(double(bar()));
        goroutine.await
    })?;
    println!("double(bar()) = {doubled}");
    Ok(())
}
