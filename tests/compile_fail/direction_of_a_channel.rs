// Mirrors Go's `test/chan/perm.go`.

use gorun::{Receiver, Sender, channel, select};

fn main() {
    let (tx, rx) = channel::<u32>(1);

    rx.send(1); //~ error: no method named `send` found for struct `gorun::Receiver<T>`
    rx.try_send(1); //~ error: no method named `try_send` found
    rx.send_blocking(1); //~ error: no method named `send_blocking` found
    tx.recv(); //~ error: no method named `recv` found for struct `gorun::Sender<T>`
    tx.try_recv(); //~ error: no method named `try_recv` found
    tx.recv_blocking(); //~ error: no method named `recv_blocking` found

    let _: Receiver<u32> = tx.clone(); //~ error: mismatched types && expected `Receiver<u32>`, found `Sender<u32>`
    let _: Sender<u32> = rx.clone(); //~ error: mismatched types && expected `Sender<u32>`, found `Receiver<u32>`

    select! {
        _ = tx.send(1) => {}
        _ = rx.send(2) => {} //~ error: no method named `send` found
        _ = rx.recv() => {}
        _ = tx.recv() => {} //~ error: no method named `recv` found
        default => {}
    }

    for _ in tx {} //~ error: is not an iterator
}
