#[gorun::main]
fn main() {} //~ error: stands on an `async fn` without arguments && this one is not `async`
