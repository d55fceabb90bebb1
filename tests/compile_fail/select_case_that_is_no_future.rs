use gorun::{block_on, channel, select, time};

fn main() {
    let (_tx, rx) = channel::<u32>(1);
    block_on(async {
        select! { //~ error: its trait bounds were not satisfied
            v = rx.recv().await => drop(v), //~ error: a case of `select!` has a future behind its `=` && `Option<u32>` is none && leave that out: `v = rx.recv() => ..`
        }
        select! { //~ error: its trait bounds were not satisfied
            v = time::after(time::now().elapsed()) => drop(v), //~ error: `gorun::Receiver<Instant>` is none && say `.recv()`
        }
    });
}
