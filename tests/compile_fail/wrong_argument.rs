async fn f(_: u8) {}

struct Receiver;

impl Receiver {
    fn run(&self) {}
}

fn main() {
    gorun::go!(f("text")); //~ error: mismatched types && expected `u8`, found `&str`
    gorun::go!(f(1, 2)); //~ error: this function takes 1 argument but 2 arguments were supplied
    gorun::go!(f()); //~ error: this function takes 1 argument but 0 arguments were supplied
    gorun::go!(Receiver.walk()); //~ error: no method named `walk` found
    gorun::go!(Receiver.run(1)); //~ error: this method takes 0 arguments but 1 argument was supplied
    gorun::go!(missing(1)); //~ error: cannot find
}
