//@ edition: 2018

async fn f(_: u8) {}

fn main() {
    gorun::go!(f(1));
    gorun::go!(async { f(1).await });
    gorun::go!(async move { f(1).await });
    gorun::go!(|| panic!("text"));
    let list = vec![f(1)];
    gorun::go!(list.into_iter().next().unwrap());
    gorun::go!("text".len());
}
