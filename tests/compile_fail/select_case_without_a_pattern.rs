use gorun::{channel, select};

fn main() {
    let (tx, rx) = channel::<u32>(1);
    select! { rx.recv() => {} default => {} } //~ error: a case of `select!` is `pattern = future => body` && `pattern = future, if condition => body`
    select! { _ = tx.send(1) => {} default, if true => {} } //~ error: or `default => body`
}
