fn start<R>(f: impl FnOnce() -> R + Send + 'static) {
    gorun::go!(async move { f().await }); //~ error: `R` is not a future
}

fn main() {
    start(async || ());
}
