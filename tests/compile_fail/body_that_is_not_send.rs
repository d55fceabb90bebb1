async fn f() {
    let local = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(local);
}

struct Receiver;

impl Receiver {
    async fn run(&self) {
        f().await;
    }
}

// One to a function: of several in one, rustc reports the first only.
fn call() {
    gorun::go!(f()); //~ error: cannot be sent between threads safely && Send` is not implemented for `Rc<i32>`
}

fn method() {
    gorun::go!(
        //~^ error: cannot be sent between threads safely && Send` is not implemented for `Rc<i32>`
        Receiver.run()
    );
}

fn main() {
    call();
    method();
}
