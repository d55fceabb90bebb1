#![no_implicit_prelude]
#![allow(dead_code, unused_macros)]

pub struct Some;
pub struct None;
pub struct Ok;
pub struct Err;
pub struct Result;
pub struct Option;
pub struct Type;
pub struct Task;
pub trait Send {}
pub trait Future {}
pub trait IntoFuture {}
pub trait FnOnce {}
mod core {}
mod std {}
mod gorun {}

macro_rules! compile_error {
    ($($t:tt)*) => {};
}
macro_rules! panic {
    ($($t:tt)*) => {};
}

async fn f(_: u8) {}
fn plain(_: u8) {}

struct Receiver;

impl Receiver {
    async fn form(&self) {}
    fn returns(&self) {}
    fn run(&self) {}
    fn into_task(&self) {}
    async fn ignore(&self) {}
}

fn main() {
    ::gorun::go!(f(1));
    ::gorun::go!(plain(1));
    ::gorun::go!(Receiver.form());
    ::gorun::go!(Receiver.returns());
    ::gorun::go!(Receiver.run());
    ::gorun::go!(Receiver.into_task());
    ::gorun::go!(Receiver.ignore());
    ::gorun::go!(async { f(1).await });
    ::gorun::go!(|| plain(1));
    let future = f(1);
    ::gorun::go!(future);
}
