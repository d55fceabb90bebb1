//! `Builder`'s dump on a signal.

#![forbid(unsafe_code)]

use super::Builder;
use crate::signal::Signal;

impl Builder {
    /// Prints a [dump](crate::Handle::dump) to standard error each time when this signal comes.
    ///
    /// A thread of its own prints it, so it also comes when all workers are stuck, or main is. The default
    /// action of the signal does not happen until main has ended; a program that also asks for the signal
    /// by [`signal::notify`](crate::signal::notify) gets it, too.
    ///
    /// The environment variable `GORUN_DUMP` does the same, without a change to the program: it is `quit`,
    /// `usr1`, `usr2` or `hup`. So `GORUN_DUMP=quit` makes a program show what it does at Ctrl-\\ (and
    /// Go's programs end after that, which gorun's do not).
    ///
    /// Go counterpart: what a program does on `SIGQUIT`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use gorun::signal::Signal;
    ///
    /// gorun::Builder::new().dump_on_signal(Signal::Quit).block_on(async {
    ///     gorun::time::sleep(std::time::Duration::from_secs(60)).await // now press Ctrl-\
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn dump_on_signal(mut self, signal: Signal) -> Self {
        self.dump_signal = Some(signal);
        self
    }
}
