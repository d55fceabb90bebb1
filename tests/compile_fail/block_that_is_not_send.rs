// One to a function: of several in one, rustc reports the first only.
fn capture() {
    let local = std::rc::Rc::new(1);
    gorun::go!(async move { drop(local) }); //~ error: cannot be sent between threads safely && Send` is not implemented for `Rc<i32>`
}

fn across_an_await() {
    gorun::go!(async { //~ error: cannot be sent between threads safely && Send` is not implemented for `Rc<i32>`
        let local = std::rc::Rc::new(1);
        std::future::ready(()).await;
        drop(local);
    });
}

fn closure() {
    let local = std::rc::Rc::new(1);
    gorun::go!(move || drop(local)); //~ error: cannot be sent between threads safely && Send` is not implemented for `Rc<i32>`
}

fn main() {
    capture();
    across_an_await();
    closure();
}
