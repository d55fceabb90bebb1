use gorun::{block_on, channel, select};

fn main() {
    let (_tx, rx) = channel::<u32>(1);
    block_on(async {
        select! { _ = rx.recv() => {} else => {} } //~ error: `select!` has no `else` && Write `default => ..` && `if a || b { select! { .. } } else { .. }`
        select! { _ = rx.recv(), if false => {}, else => {} } //~ error: `select!` has no `else`
    });
}
