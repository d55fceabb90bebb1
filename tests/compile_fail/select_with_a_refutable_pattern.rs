use gorun::{block_on, channel, select};

fn main() {
    let (tx, rx) = channel::<u32>(1);
    block_on(async {
        select! {
            Some(_) = rx.recv() => {} //~ error: pattern `None` not covered && `v = .. => match v { .. }`
            Ok(()) = tx.send(1), if true => {} //~ error: pattern `Err(_)` not covered && `v = .. => match v { .. }`
        }
    });
    let _number = select! {
        Some(n) = rx.recv() => n, //~ error: pattern `None` not covered && `v = .. => match v { .. }`
        default => 0,
    };
}
