//! `Command`: which process to start, and how.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};

use shared_child::SharedChild;

use super::child::Child;
use super::orphans;
use crate::blocking::blocking;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::entered;
use crate::system_error::failed;

/// A process to be started: `std`'s [`Command`](process::Command), whose processes can be awaited.
///
/// Go counterpart: `exec.Cmd`. Unlike there, the process inherits the three standard streams unless
/// they are set; only [`output`](Self::output) sets them.
///
/// # Examples
///
/// See the [module](super).
#[derive(Debug)]
pub struct Command {
    command: process::Command,
    kill_on_drop: bool,
    /// Its user has set it.
    has_stdin: bool,
}

impl From<process::Command> for Command {
    /// Its standard input counts as set.
    fn from(command: process::Command) -> Command {
        Command { command, kill_on_drop: false, has_stdin: true }
    }
}

impl Command {
    /// A process that runs `program`: a path, or a name that is looked up in the variable `PATH`.
    ///
    /// No shell is involved: arguments are passed as they are.
    ///
    /// Go counterpart: `exec.Command`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use gorun::process::Command;
    ///
    /// gorun::block_on(async {
    ///     let mut print = Command::new("sh");
    ///     print.args(["-c", "echo $NAME at $PWD"]).env("NAME", "gorun").current_dir("/");
    ///     assert_eq!(print.output().await?.stdout, b"gorun at /\n");
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        let command = process::Command::new(program);
        Command { command, kill_on_drop: false, has_stdin: false }
    }

    /// Adds an argument.
    ///
    /// Go counterpart: `Cmd.Args`.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    ///
    /// Go counterpart: `Cmd.Args`.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable. The others are inherited.
    ///
    /// Go counterpart: `Cmd.Env`, which has all of them.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Sets several environment variables.
    ///
    /// Go counterpart: `Cmd.Env`.
    ///
    /// # Examples
    ///
    /// See [`env_clear`](Self::env_clear).
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        self.command.envs(variables);
        self
    }

    /// Unsets an environment variable.
    ///
    /// Go counterpart: `Cmd.Env`, without it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use gorun::process::Command;
    ///
    /// let home = Command::new("sh").args(["-c", "echo ${HOME-none}"]).env_remove("HOME").as_std_mut().output()?;
    /// assert_eq!(home.stdout, b"none\n");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.command.env_remove(name);
        self
    }

    /// Inherits no environment variable.
    ///
    /// Go counterpart: `Cmd.Env`, which is empty but not nil.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use gorun::process::Command;
    ///
    /// gorun::block_on(async {
    ///     let mut command = Command::new("/usr/bin/env");
    ///     command.env_clear().envs([("A", "1")]);
    ///     assert_eq!(command.output().await?.stdout, b"A=1\n");
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn env_clear(&mut self) -> &mut Self {
        self.command.env_clear();
        self
    }

    /// The directory that the process starts in. It is inherited otherwise.
    ///
    /// Go counterpart: `Cmd.Dir`.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.command.current_dir(directory);
        self
    }

    /// Where the process reads from: [`Stdio::inherit`], [`piped`](Stdio::piped), or
    /// [`null`](Stdio::null); a file, or the output of another process
    /// ([`into_stdio`](super::ChildStdout::into_stdio)).
    ///
    /// Go counterpart: `Cmd.Stdin`.
    ///
    /// # Examples
    ///
    /// See [`Child`].
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.command.stdin(stdin);
        self.has_stdin = true;
        self
    }

    /// Where the process writes to.
    ///
    /// Go counterpart: `Cmd.Stdout`.
    ///
    /// # Examples
    ///
    /// See [`Child`].
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.command.stdout(stdout);
        self
    }

    /// Where the process writes its errors to.
    ///
    /// Go counterpart: `Cmd.Stderr`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use gorun::process::{Command, Stdio};
    ///
    /// gorun::block_on(async {
    ///     let mut list = Command::new("ls");
    ///     list.arg("no such file").stderr(Stdio::null());
    ///     assert!(!list.status().await?.success());
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.command.stderr(stderr);
        self
    }

    /// Whether the process is killed when its [`Child`], or the future of [`status`](Self::status) or
    /// [`output`](Self::output), is dropped before it has ended: by a timeout, an abort, the end of
    /// main. Off at first.
    ///
    /// Only the process itself is killed: of `sh -c "sleep 1000; true"` the `sleep` goes on.
    ///
    /// On Windows [`output`](Self::output) cannot be dropped while it reads.
    ///
    /// Go counterpart: `exec.CommandContext`.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    pub fn kill_on_drop(&mut self, yes: bool) -> &mut Self {
        self.kill_on_drop = yes;
        self
    }

    /// `std`'s command, for what only some systems have: users, groups, `pre_exec`.
    ///
    /// On Linux the signal of `PR_SET_PDEATHSIG` comes when the *thread* ends that started the process,
    /// and a worker's thread may end at any time. Start such processes in main.
    ///
    /// # Examples
    ///
    /// See [`env_remove`](Self::env_remove).
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.command
    }

    /// Starts the process. This is no async function: it blocks the thread until the system has started
    /// it, and another worker takes over meanwhile.
    ///
    /// On Unix, pipes need a runtime: start a process that has some inside one, or while the thread has
    /// [entered](crate::Handle::enter) one.
    ///
    /// Go counterpart: `Cmd.Start`.
    ///
    /// # Errors
    ///
    /// If the program does not exist or may not be run, the directory does not exist, or the system
    /// refuses another process or descriptor. The system's error is the
    /// [`source`](std::error::Error::source).
    ///
    /// On Unix also if there is a pipe and no runtime, or the system refuses what it takes to wait for
    /// pipes. The process has been started then, and is killed.
    ///
    /// # Examples
    ///
    /// See [`Child`].
    pub fn spawn(&mut self) -> io::Result<Child> {
        check_real()?;
        blocking(|| {
            orphans::reap();
            let child = SharedChild::spawn(&mut self.command).map_err(|error| {
                failed(format!("cannot start {:?}", self.command.get_program()), error)
            })?;
            Child::new(child, self.kill_on_drop)
        })
    }

    /// Starts the process, waits until it has ended, and returns how. Pipes to it are closed.
    ///
    /// **Cancellation**: a future that was not polled has started nothing. Otherwise see
    /// [`kill_on_drop`](Self::kill_on_drop).
    ///
    /// Go counterpart: `Cmd.Run`, where a status other than zero is an error.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`wait`](Child::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let mut command = gorun::process::Command::new("sh");
    ///     assert_eq!(command.args(["-c", "exit 3"]).status().await?.code(), Some(3));
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> {
        at_caller(async move {
            let mut child = self.spawn()?;
            (child.stdout, child.stderr) = (None, None);
            child.wait().await
        })
    }

    /// Starts the process, waits until it has ended, and returns how, and what it has written. Both
    /// outputs are pipes, whatever was set before. The input is empty unless it was set. On Unix this
    /// needs a runtime.
    ///
    /// Processes that are started later inherit both outputs, unless these are set again.
    ///
    /// **Cancellation**: a future that was not polled has started nothing. Otherwise see
    /// [`kill_on_drop`](Self::kill_on_drop). A process that goes on fails when it writes again, as its
    /// pipes are closed. On Windows the future blocks the thread while it reads: a `timeout` does not cut
    /// that short.
    ///
    /// Go counterpart: `Cmd.Output`.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`wait_with_output`](Child::wait_with_output). Without a runtime
    /// nothing is started.
    ///
    /// # Examples
    ///
    /// See [`new`](Self::new).
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> {
        at_caller(async move {
            #[cfg(unix)]
            super::unix::check_runtime()?;
            self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
            if !self.has_stdin {
                self.command.stdin(Stdio::null());
            }
            let child = self.spawn();
            // They were for this process alone.
            self.command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
            if !self.has_stdin {
                self.command.stdin(Stdio::inherit());
            }
            child?.wait_with_output().await
        })
    }
}

/// Refuses a process in a simulation, unless it may have what is outside.
fn check_real() -> io::Result<()> {
    let surrounding = entered::surrounding();
    let simulation = surrounding.as_ref().and_then(|scheduler| scheduler.simulation());
    match simulation {
        Some(simulation) if !simulation.settings.allows_threads => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulation starts no process: what that does could not be repeated; `Sim::allow_threads` allows it",
        )),
        _ => Ok(()),
    }
}
