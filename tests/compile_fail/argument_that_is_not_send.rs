async fn f(_: std::rc::Rc<u8>) {}

fn main() {
    gorun::go!(f(std::rc::Rc::new(1))); //~ error: cannot be sent between threads safely && Send` is not implemented for `Rc<u8>`
}
