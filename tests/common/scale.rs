//! How often a test repeats what it does.

/// Many in a release build, few in a debug build, so that `cargo test` stays quick.
pub(crate) const fn scaled(release: usize, debug: usize) -> usize {
    if cfg!(debug_assertions) { debug } else { release }
}
