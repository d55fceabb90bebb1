//! A buffer of the thread, for readers that give memory which is not initialized.
//!
//! Safe code cannot read into such memory. So a read goes through a buffer, and is copied. The copy costs
//! less than to clear the memory before each read, as most reads get much less than they ask for.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::task::Poll;

const SIZE: usize = 64 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads up to `wanted` bytes, and gives them to `put`.
pub(crate) fn read_through(
    wanted: usize,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    put: impl FnOnce(&[u8]),
) -> Poll<io::Result<()>> {
    // Somebody's `read` may come in here again, or while the thread ends: then it has a buffer of its own.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.resize(SIZE, 0);
    let buf = &mut buffer[..wanted.min(SIZE)];
    let result = read(buf).map_ok(|count| put(&buf[..count]));
    let _ = BUFFER.try_with(|place| place.set(buffer));
    result
}
