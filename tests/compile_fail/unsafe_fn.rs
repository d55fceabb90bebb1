unsafe fn plain() {}

async unsafe fn later() {}

fn main() {
    gorun::go!(plain()); //~ error: call to unsafe function && is unsafe and requires unsafe
    gorun::go!(later()); //~ error: call to unsafe function && is unsafe and requires unsafe
}
