use gorun::{block_on, channel, select};

fn main() {
    let (_tx, rx) = channel::<u32>(1);
    block_on(async {
        select! { biased; _ = rx.recv() => {} } //~ error: `select!` chooses at random && has no `biased;` && `select! { v = first.recv() => .., default => select! { .. } }`
    });
}
