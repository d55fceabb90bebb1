// What keeps the lock of a channel sound as far as the compiler goes: one reference to the value at
// a time, none without the lock, and none on another thread to what may not go there.

#[allow(dead_code)]
#[path = "../../src/chan/lock.rs"]
mod lock;
#[allow(dead_code, unused_imports)]
#[path = "../../src/primitives.rs"]
mod primitives;

use std::cell::Cell;
use std::rc::Rc;

use lock::{LockGuard, Locked};

fn two_references(locked: &Locked<u32>) {
    let mut guard = locked.lock().acquire();
    let one = locked.get(&mut guard);
    let two = locked.get(&mut guard); //~ error: `guard` as mutable more than once
    *one += *two;
}

fn by_a_lock_that_others_see(locked: &Locked<u32>, guard: &LockGuard<'_>) -> u32 {
    *locked.get(guard) //~ error: mismatched types
}

fn kept_beyond_the_lock(locked: &Locked<u32>) -> &u32 {
    let mut guard = locked.lock().acquire();
    locked.get(&mut guard) //~ error: local variable `guard`
}

fn used_after_the_lock(locked: &Locked<u32>) {
    let mut guard = locked.lock().acquire();
    let value = locked.get(&mut guard);
    drop(guard); //~ error: move out of `guard` because it is borrowed
    *value += 1;
}

fn shared<T: Sync>() {}

fn main() {
    let locked = Locked::new(0);
    two_references(&locked);
    by_a_lock_that_others_see(&locked, &locked.lock().acquire());
    kept_beyond_the_lock(&locked);
    used_after_the_lock(&locked);
    shared::<Locked<Cell<u32>>>();
    shared::<Locked<Rc<u32>>>(); //~ error: `Rc<u32>` cannot be sent between threads
}
