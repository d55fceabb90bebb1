use gorun::{channel, select};

fn main() {
    let (_tx, rx) = channel::<u32>(1);
    select! { default => {} _ = rx.recv() => {} default => {} } //~ error: a `select!` has one `default` at most && write one, with both bodies in it
    select! { _ = rx.recv() => 1, default => 2, default => 3 }; //~ error: a `select!` has one `default` at most && write one, with both bodies in it
}
