//! The shipped files of `src/context` that the models check, and what they use of it beside.

#[path = "../../src/context/error.rs"]
pub(crate) mod error;
#[path = "../../src/context/scope.rs"]
mod scope;

#[path = "scopes.rs"]
mod scopes;

mod wakes {
    use std::task::Waker;

    /// Outside of a runtime.
    pub(super) fn wake_all(wakers: Vec<Waker>) {
        wakers.into_iter().for_each(Waker::wake);
    }
}
