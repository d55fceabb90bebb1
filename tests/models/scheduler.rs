//! What the channels use of the scheduler, where there is none.

pub(crate) mod context {
    use std::task::Waker;

    /// Outside of a goroutine.
    pub(crate) fn begin_operation(_: &Waker) -> bool {
        true
    }

    pub(crate) fn is_own_waker(_: &Waker) -> bool {
        false
    }

    /// A model must do the same each time.
    pub(crate) fn random_below(_: usize) -> usize {
        0
    }
}

pub(crate) mod main_guard {
    pub(crate) fn discard(payload: Box<dyn std::any::Any + Send>) {
        drop(payload);
    }
}
