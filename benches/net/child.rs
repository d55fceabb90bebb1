//! A server as a process of its own, and what the kernel says about it.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::go::Go;
use crate::servers::GO;
use crate::system;
use crate::workload::Mode;

/// It ends when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// One core for the servers, and another one for the generator. `None`: there is only one.
pub(crate) type Cores = Option<(usize, usize)>;

impl Server {
    pub(crate) fn start(name: &str, mode: Mode, go: Option<&Go>, cores: Cores) -> Server {
        let mut command = match go {
            Some(go) if name == GO => {
                let mut command = Command::new(&go.program);
                command.arg("net");
                command
            }
            _ => {
                let mut command = Command::new(env::current_exe().unwrap());
                command.args(["--serve", name]);
                command
            }
        };
        let command = command.arg(mode.name()).stdout(Stdio::piped());
        // A child begins where its parent is.
        if let Some((servers, _)) = cores {
            system::pin(servers);
        }
        let mut process = command.spawn().expect("a server starts");
        if let Some((_, generator)) = cores {
            system::pin(generator);
        }
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().expect("a server prints its address");
        Server { process, address }
    }

    pub(crate) fn cpu_time(&self) -> Duration {
        system::cpu_time(self.process.id())
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.process.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// How many system calls it makes during `work`, where `perf` can tell.
    pub(crate) fn system_calls<R>(&self, work: impl FnOnce() -> R) -> Option<(R, u64)> {
        // The command only starts when `perf` counts, and it counts until the command ends.
        let mut perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p"])
            .args([&self.process.id().to_string(), "--", "sh", "-c", "echo; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let counts = perf.stdout.as_mut().unwrap().read_exact(&mut [0]).is_ok();
        let result = counts.then(work);
        let output = perf.wait_with_output().ok()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let line = stderr.lines().find(|line| line.contains("raw_syscalls"))?;
        Some((result?, line.split(',').next()?.parse().ok()?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
