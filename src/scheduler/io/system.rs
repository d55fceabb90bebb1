//! The system's events, by way of `mio`.

#![forbid(unsafe_code)]

#[cfg(feature = "net")]
pub(crate) use with_mio::System;
#[cfg(not(feature = "net"))]
pub(crate) use without::System;

#[cfg(feature = "net")]
mod with_mio {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use mio::event::{Event, Source};
    use mio::{Events, Interest, Poll, Registry, Token, Waker};

    use crate::scheduler::idle::parker::Interrupt;
    use crate::scheduler::reactor::source::Readiness;
    use crate::scheduler::reactor::{Driver, Reactor};

    /// How many events one look takes at most.
    const BATCH: usize = 128;

    /// The key of interruptions: no source has it.
    const INTERRUPT: Token = Token(usize::MAX);

    pub(crate) struct System {
        poll: Poll,
        events: Events,
    }

    impl System {
        pub(crate) fn start() -> io::Result<Reactor<System>> {
            let poll = Poll::new()?;
            let registry = poll.registry().try_clone()?;
            let interrupt = Arc::new(Interrupter(Waker::new(poll.registry(), INTERRUPT)?));
            let system = System { poll, events: Events::with_capacity(BATCH) };
            Ok(Reactor::new(system, registry, interrupt))
        }

        /// Events of `socket` come with this key from now on.
        pub(crate) fn register(
            registry: &Registry,
            socket: &mut impl Source,
            key: usize,
        ) -> io::Result<()> {
            registry.register(socket, Token(key), interests())
        }

        /// So that what it is ready for now is reported once more.
        #[cfg(unix)]
        pub(crate) fn register_again(
            registry: &Registry,
            socket: &mut impl Source,
            key: usize,
        ) -> io::Result<()> {
            registry.reregister(socket, Token(key), interests())
        }
    }

    fn interests() -> Interest {
        let interests = Interest::READABLE | Interest::WRITABLE;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interests = interests | Interest::PRIORITY;
        interests
    }

    impl Driver for System {
        type Registry = Registry;

        fn wait(&mut self, limit: Option<Duration>, mut event: impl FnMut(usize, Readiness)) {
            if let Err(error) = self.poll.poll(&mut self.events, limit) {
                assert!(
                    error.kind() == io::ErrorKind::Interrupted,
                    "the system reports no events: {error}"
                );
                return;
            }
            let events = self.events.iter().filter(|event| event.token() != INTERRUPT);
            events.for_each(|reported| event(reported.token().0, readiness_of(reported)));
        }
    }

    fn readiness_of(event: &Event) -> Readiness {
        let bits = [
            (event.is_readable(), Readiness::READABLE),
            (event.is_writable(), Readiness::WRITABLE),
            (event.is_read_closed(), Readiness::READ_CLOSED),
            (event.is_write_closed(), Readiness::WRITE_CLOSED),
            (event.is_priority(), Readiness::PRIORITY.with(Readiness::READABLE)),
            // The next attempt gets the error.
            (event.is_error(), Readiness::READ_CLOSED.with(Readiness::WRITE_CLOSED)),
        ];
        let present = bits.into_iter().filter(|(is_present, _)| *is_present);
        present.fold(Readiness::NONE, |all, (_, bit)| all.with(bit))
    }

    struct Interrupter(Waker);

    impl Interrupt for Interrupter {
        fn interrupt(&self) {
            self.0.wake().expect("the system takes an interruption");
        }
    }
}

#[cfg(not(feature = "net"))]
mod without {
    use std::time::Duration;

    use crate::scheduler::reactor::Driver;
    use crate::scheduler::reactor::source::Readiness;

    /// There is none.
    pub(crate) enum System {}

    impl Driver for System {
        type Registry = ();

        fn wait(&mut self, _: Option<Duration>, _: impl FnMut(usize, Readiness)) {
            match *self {}
        }
    }
}
