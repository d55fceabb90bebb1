//! What the channels use of the scheduler, where there is none; and the parts of it that use others.

pub(crate) use crate::{idle, reactor};

pub(crate) mod gate {
    use std::cell::Cell;
    use std::task::{Poll, Waker};

    use super::operation::Operation;

    /// Outside of a goroutine.
    pub(crate) fn enter(_: &Waker) -> bool {
        true
    }

    pub(crate) fn note_wait<T>(_: Operation, polled: Poll<T>) -> Poll<T> {
        polled
    }

    pub(crate) struct OuterOp;

    pub(crate) fn enter_outer(_: &Waker, _: bool) -> Option<OuterOp> {
        Some(OuterOp)
    }

    impl OuterOp {
        pub(crate) fn finish(self) {}
    }

    pub(crate) fn probe<R>(look: impl FnOnce() -> R) -> R {
        look()
    }

    loom::thread_local! {
        static WITHDRAWING: Cell<bool> = Cell::new(false);
    }

    /// As the last poll of a `timeout` does. (Every waker in there is its own.)
    pub(crate) fn withdraw<R>(poll: impl FnOnce() -> R) -> R {
        WITHDRAWING.with(|withdrawing| withdrawing.set(true));
        let result = poll();
        WITHDRAWING.with(|withdrawing| withdrawing.set(false));
        result
    }

    pub(crate) fn is_withdrawing(_: &Waker) -> bool {
        WITHDRAWING.with(Cell::get)
    }
}

pub(crate) mod deadlock {
    pub(crate) use crate::doubt;
}

pub(crate) mod operation {
    #[derive(Clone, Copy)]
    pub(crate) enum Operation {
        Receive,
        Send,
        Select,
        Oneshot,
    }
}

pub(crate) mod context {
    use std::task::Waker;

    pub(crate) fn is_own_waker(_: &Waker) -> bool {
        false
    }

    /// A model must do the same each time.
    pub(crate) fn random_bits() -> Option<u64> {
        Some(0)
    }

    pub(crate) fn below_in_simulation(_: usize) -> usize {
        0
    }
}

pub(crate) mod foreign_wakers {
    use std::cell::Cell;
    use std::task::Waker;

    // All threads of a model are one.
    std::thread_local! {
        static ARE_OWN: Cell<bool> = const { Cell::new(false) };
    }

    /// In `model` all wakers count as those of goroutines, which may be cloned under a lock.
    pub(crate) fn with_own_wakers(model: impl FnOnce()) {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                ARE_OWN.set(false);
            }
        }
        let _reset = Reset;
        ARE_OWN.set(true);
        model();
    }

    pub(crate) fn may_be_foreign(_: &Waker) -> bool {
        !ARE_OWN.get()
    }

    pub(crate) fn wake(waker: Waker) {
        waker.wake();
    }

    pub(crate) fn drop_waker<W>(waker: W) {
        drop(waker);
    }
}
