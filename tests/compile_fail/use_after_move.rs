async fn f(_: String) {}

struct Receiver;

impl Receiver {
    async fn run(&self) {}
}

fn main() {
    let text = String::new();
    gorun::go!(f(text));
    drop(text); //~ error: use of moved value: `text`

    let receiver = Receiver;
    gorun::go!(receiver.run());
    drop(receiver); //~ error: use of moved value: `receiver`
}
