//! `Builder`'s settings for goroutines that are left when main ends.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Builder;
use super::leaks::OnExit;
use crate::dump::Dump;

impl Builder {
    /// Calls `f` when main has ended, with the goroutines that are left: where they were spawned, and what they
    /// wait for. After that they are cancelled.
    ///
    /// It is called on main's thread, also if main has panicked. First the runtime waits until nothing moves,
    /// for a second at most: what ends by itself, because main has dropped the sender for one, is not left.
    /// What waits for time to pass, for a socket, a process, a signal or the standard input is, and so is a lookup of a
    /// name that the system has not answered. If `f` panics, `block_on` does, and also if a goroutine panics meanwhile and no code observes
    /// that.
    ///
    /// The environment variable `GORUN_LEAKS=1` prints the same to standard error, if any are left. A
    /// [test](macro@crate::test) fails if any are.
    ///
    /// Go counterpart: none in the language; tests use packages such as `goleak`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let (tell, told) = mpsc::channel();
    /// gorun::Builder::new()
    ///     .on_exit(move |left| tell.send(left.clone()).unwrap())
    ///     .block_on(async {
    ///         gorun::go!(async { println!("this one ends") });
    ///         gorun::go!(async { std::future::pending::<()>().await });
    ///     })?;
    /// let left = told.recv().unwrap();
    /// assert_eq!(left.num_goroutines(), 1);
    /// assert!(left.groups()[0].spawned_at.file().ends_with(".rs"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_exit(mut self, f: impl Fn(&Dump) + Send + Sync + 'static) -> Self {
        self.leaks.on_exit = Some(OnExit(Arc::new(f)));
        self
    }

    /// Prints a [dump](crate::Handle::dump) to standard error if a panic ends main, its own or a goroutine's that no
    /// code observes: what the goroutines wait for when it does. Main's future has been dropped by then.
    ///
    /// The environment variable `GORUN_DUMP=panic` does the same, without a change to the program.
    ///
    /// Go counterpart: the stacks that a program prints when it panics, with `GOTRACEBACK=all`.
    ///
    /// # Examples
    ///
    /// ```
    /// let ended = std::panic::catch_unwind(|| {
    ///     gorun::Builder::new().dump_on_panic().block_on(async {
    ///         gorun::go!(async { std::future::pending::<()>().await });
    ///         panic!("so the dump is printed")
    ///     })
    /// });
    /// assert!(ended.is_err());
    /// ```
    pub fn dump_on_panic(mut self) -> Self {
        self.leaks.dumps_on_panic = true;
        self
    }

    /// What `leaks = ".."` of a test sets. Not public API.
    #[doc(hidden)]
    pub fn __fail_on_leaks(mut self, fails: bool) -> Self {
        self.leaks.fails = Some(fails);
        self
    }

    /// What becomes true when main fails without a panic: then the test does not fail for leaks.
    pub(crate) fn has_failed(&self) -> Arc<AtomicBool> {
        self.leaks.has_failed.clone()
    }

    pub(super) fn fails_on_leaks_by_default(mut self) -> Self {
        self.leaks.fails.get_or_insert(true);
        self
    }
}
