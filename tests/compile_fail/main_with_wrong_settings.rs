#[gorun::main(worker_thread = 1)] //~ error: no setting `worker_thread`
async fn one() {}
#[gorun::main(worker_threads = 1, worker_threads = 2)] //~ error: `worker_threads` is set twice
async fn two() {}
#[gorun::main(worker_threads)] //~ error: a value is missing
async fn three() {}
#[gorun::main(worker_threads = "1")] //~ error: mismatched types
async fn four() {}
#[gorun::test(4)] //~ error: here stands the name of a setting
async fn five() {}
#[gorun::main(crate = "gorun")] //~ error: without quotation marks: `crate = gorun`
async fn six() {}
#[gorun::main]
async unsafe fn seven() {} //~ error: and not `unsafe`

fn main() {
    four();
}
