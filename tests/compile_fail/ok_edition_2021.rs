//@ edition: 2021

async fn f(_: u8) {}

async fn serve() -> ! {
    std::future::pending().await
}

fn forever() -> ! {
    loop {
        std::thread::park();
    }
}

fn text(_: &str, _: &[u8]) {}

async fn boxed(_: Box<dyn Fn(u8) -> u8 + Send>) {}

struct Receiver(fn(u8));

impl Receiver {
    fn run(&mut self, _: u8) -> std::rc::Rc<u8> {
        std::rc::Rc::new(1)
    }

    fn start(&self) {
        gorun::go!((self.0)(1));
    }
}

fn none(value: Option<u8>) -> Option<()> {
    gorun::go!(f(value?));
    gorun::go!(f(match value {
        Some(value) => value,
        None => return None,
    }));
    Some(())
}

async fn later() {
    gorun::go!(f(async { 1 }.await));
}

fn main() {
    gorun::go!(async || panic!("text"));
    gorun::go!(async move || f(1).await);
    gorun::go!(serve());
    gorun::go!(serve);
    gorun::go!(forever());
    gorun::go!(forever);
    gorun::go!(|| panic!("text"));
    gorun::go!(|| loop {
        std::thread::park();
    });
    gorun::go!(async { panic!("text") });
    gorun::go!(async {
        loop {
            std::future::pending::<()>().await
        }
    });
    gorun::go!((|x: u8| panic!("{x}"))(1));
    gorun::go!((|x| x)(1));
    gorun::go!((f)(1));
    gorun::go!((f(1)));
    gorun::go!({ f(1) });
    gorun::go!({ f }(1));
    gorun::go!((async {}));
    gorun::go!(text("text", &[1, 2, 3]));
    gorun::go!(boxed(Box::new(|x| x)));
    gorun::go!(drop(|x: &u8| *x));
    gorun::go!(Receiver(drop).run(1));
    gorun::go!(f(if true { 1 } else { 2 }));
    gorun::go!(f(1,),);
    let unused_later = f(1);
    gorun::go!(unused_later);
    Receiver(drop).start();
    none(None);
    drop(later());
}
