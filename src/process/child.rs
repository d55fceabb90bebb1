//! `Child`: a process that was started.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::process::{ExitStatus, Output};
use std::sync::Arc;

use shared_child::SharedChild;

use super::orphans;
use super::pipes::{ChildStderr, ChildStdin, ChildStdout};
use super::running::Running;
#[cfg(unix)]
use super::unix::read_both;
#[cfg(windows)]
use super::windows::read_both;
use crate::scheduler::at_caller::at_caller;

/// A process that was started by [`Command::spawn`](super::Command::spawn).
///
/// Dropping it leaves the process alone, unless [`kill_on_drop`](super::Command::kill_on_drop) is set;
/// who reaps it then, the [module](super) says.
///
/// Write to it in another goroutine than the one that reads, as here, or in the same `join!`. Whoever
/// writes first, and then reads, waits for ever if that is more than the pipes hold.
///
/// Go counterpart: `exec.Cmd` after `Start`.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> std::io::Result<()> {
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use gorun::go;
/// use gorun::process::{Command, Stdio};
///
/// gorun::block_on(async {
///     let mut child =
///         Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///     let mut stdin = child.stdin.take().unwrap();
///     // At the end it drops `stdin`, which is the end of the input.
///     go!(async move { stdin.write_all(b"hello").await.unwrap() });
///     let mut text = String::new();
///     child.stdout.take().unwrap().read_to_string(&mut text).await?;
///     assert_eq!(text, "HELLO");
///     assert!(child.wait().await?.success());
///     Ok(())
/// })
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
pub struct Child {
    /// Where the process reads from, if that is [`piped`](super::Stdio::piped) and nobody has taken it.
    pub stdin: Option<ChildStdin>,
    /// Where it writes to, likewise.
    pub stdout: Option<ChildStdout>,
    /// Where it writes its errors to, likewise.
    pub stderr: Option<ChildStderr>,
    running: Arc<Running>,
    kill_on_drop: bool,
}

impl Child {
    pub(super) fn new(child: SharedChild, kill_on_drop: bool) -> io::Result<Child> {
        let pipes = (child.take_stdin(), child.take_stdout(), child.take_stderr());
        let running = Running::new(child);
        // Nobody would know of a process whose pipes cannot be made.
        let mut child =
            Child { stdin: None, stdout: None, stderr: None, running, kill_on_drop: true };
        child.stdin = pipes.0.map(ChildStdin::new).transpose()?;
        child.stdout = pipes.1.map(ChildStdout::new).transpose()?;
        child.stderr = pipes.2.map(ChildStderr::new).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// The number of the process. When it has been waited for, the system may use it for another one.
    ///
    /// Go counterpart: `Process.Pid`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let mut child = gorun::process::Command::new("true").spawn()?;
    ///     assert_ne!(child.id(), std::process::id());
    ///     child.wait().await?;
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn id(&self) -> u32 {
        self.running.child().id()
    }

    /// Waits until the process has ended, and returns how. First closes `stdin`, if it is still here,
    /// so that a process that reads it to its end does not wait for ever.
    ///
    /// Whoever reads no `stdout` that is piped may wait for ever: the process cannot write when the
    /// pipe is full. [`wait_with_output`](Self::wait_with_output) reads.
    ///
    /// The first call that has to wait starts a thread. Later calls return the same again.
    ///
    /// **Cancellation**: dropping the future changes nothing but that `stdin` is closed; wait again. To
    /// keep `stdin`, take it out before.
    ///
    /// Go counterpart: `Cmd.Wait`.
    ///
    /// # Errors
    ///
    /// If the system refuses the thread. Or if somebody else has waited for all children of the
    /// process, or ignores their signal.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use gorun::process::Command;
    /// use gorun::{select, time};
    ///
    /// gorun::block_on(async {
    ///     let mut child = Command::new("sleep").arg("1000").spawn()?;
    ///     select! {
    ///         _ = child.wait() => unreachable!(),
    ///         () = time::sleep(Duration::from_millis(5)) => child.kill()?,
    ///     }
    ///     assert!(!child.wait().await?.success());
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn wait(&mut self) -> impl Future<Output = io::Result<ExitStatus>> {
        at_caller(async move {
            self.stdin = None;
            self.running.watch()?;
            self.running.ended().await
        })
    }

    /// How the process has ended, or `None` if it has not. It does not wait.
    ///
    /// Go counterpart: none; `Cmd.ProcessState` is there when `Wait` has returned.
    ///
    /// # Errors
    ///
    /// If somebody else has waited for all children of the process, or ignores their signal.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let mut child = gorun::process::Command::new("sleep").arg("1000").spawn()?;
    ///     assert!(child.try_wait()?.is_none());
    ///     child.kill()?;
    ///     let status = child.wait().await?;
    ///     assert_eq!(child.try_wait()?, Some(status));
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.running.try_wait()
    }

    /// Closes `stdin`, reads what is left of `stdout` and `stderr`, both at the same time, and waits.
    ///
    /// A pipe is at its end when nobody has it open for writing: if the process leaves children of its
    /// own behind, and they have it, this waits for them.
    ///
    /// **Cancellation**: dropping the future drops this `Child`, and what was read. On Windows the future
    /// blocks the thread while it reads: a `timeout` does not cut that short, and
    /// [`kill_on_drop`](super::Command::kill_on_drop) kills nothing meanwhile.
    ///
    /// Go counterpart: `Cmd.Output`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and if a pipe cannot be read. On Windows also if the system refuses the
    /// thread that reads `stderr`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use gorun::process::{Command, Stdio};
    ///
    /// gorun::block_on(async {
    ///     let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    ///     assert_eq!(child.wait_with_output().await?.stdout, b"hello\n");
    ///     Ok(())
    /// })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn wait_with_output(mut self) -> impl Future<Output = io::Result<Output>> {
        at_caller(async move {
            self.stdin = None;
            let stdout = self.stdout.take().map(ChildStdout::into_reads);
            let stderr = self.stderr.take().map(ChildStderr::into_reads);
            let (stdout, stderr) = read_both(stdout, stderr).await?;
            Ok(Output { status: self.wait().await?, stdout, stderr })
        })
    }

    /// Ends the process (SIGKILL on Unix), and does not wait. One that has ended already is no error.
    ///
    /// It ends only this process. Those that it has started go on, and keep its pipes open: if it is a
    /// shell, [`wait_with_output`](Self::wait_with_output) still waits for the program that the shell runs.
    ///
    /// Go counterpart: `Process.Kill`.
    ///
    /// # Errors
    ///
    /// If the process belongs to another user by now.
    ///
    /// # Examples
    ///
    /// See [`wait`](Self::wait).
    pub fn kill(&self) -> io::Result<()> {
        self.running.kill()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // One that cannot be killed is not ours any more.
            let _ = self.kill();
        }
        if !self.running.is_taken_care_of() {
            orphans::adopt(self.running.clone());
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kill_on_drop = self.kill_on_drop;
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("kill_on_drop", &kill_on_drop)
            .finish()
    }
}
