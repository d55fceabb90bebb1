#[gorun::main]
async fn main(count: usize) { //~ error: there is nobody to pass this one
    drop(count);
}
