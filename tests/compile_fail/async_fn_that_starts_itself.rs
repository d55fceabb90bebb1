async fn walk(depth: u32) {
    if depth > 0 {
        gorun::go!(walk(depth - 1)); //~ error: `Send`
    }
}

fn main() {
    gorun::go!(walk(3));
}
