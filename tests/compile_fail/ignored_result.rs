struct Receiver;

impl Receiver {
    async fn run(&self) -> Result<(), String> {
        Ok(())
    }
}

#[must_use]
struct Important;

async fn later() -> Result<(), String> {
    Ok(())
}

fn plain() -> Result<(), std::rc::Rc<String>> {
    Ok(())
}

async fn important() -> Important {
    Important
}

fn main() {
    gorun::go!(later()); //~ warning: unused `Result` && must be used
    gorun::go!(plain()); //~ warning: unused `Result` && must be used
    gorun::go!(Receiver.run()); //~ warning: unused `Result` && must be used
    gorun::go!(async { later().await }); //~ warning: unused `Result` && must be used
    gorun::go!(async { //~ warning: unused `Result` && must be used
        later().await?;
        Ok::<(), String>(())
    });
    gorun::go!(|| plain()); //~ warning: unused `Result` && must be used
    gorun::go!(plain); //~ warning: unused `Result` && must be used
    gorun::go!(async || later().await); //~ warning: unused `Result` && must be used
    let future = later();
    gorun::go!(future); //~ warning: unused `Result` && must be used
    gorun::go!(important()); //~ warning: unused `Important` && must be used
}
