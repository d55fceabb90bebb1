//! Names that the program has given to what it does, as events have them: by the address of what they are of.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use crate::primitives::lock;

static NAMES: LazyLock<Mutex<HashMap<usize, String>>> = LazyLock::new(Mutex::default);

/// Makes the name of what is at `address`, for ever, known. The program's text bounds their number.
pub(crate) fn add(address: usize, name: String) {
    lock(&NAMES).insert(address, name);
}

pub(crate) fn get(address: usize) -> Option<String> {
    lock(&NAMES).get(&address).cloned()
}
