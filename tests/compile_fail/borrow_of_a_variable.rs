async fn f(_: &str) {}

fn plain(_: &str) {}

struct Receiver;

impl Receiver {
    async fn run(&self) {}

    fn start(&self) {
        gorun::go!(self.run()); //~ error: borrowed data escapes outside of method
    }
}

fn main() {
    let text = String::new();
    gorun::go!(f(&text)); //~ error: `text` does not live long enough && argument requires that `text` is borrowed for `'static`
    gorun::go!(plain(&text)); //~ error: `text` does not live long enough
    gorun::go!(f(&String::new())); //~ error: temporary value
    Receiver.start();
}
