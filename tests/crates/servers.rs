//! Servers of databases, which tests start and end.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::common::*;

/// A directory of its own, which goes with it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gorun-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server on a socket in a directory. It ends with this, and also if the test's process ends otherwise.
pub(crate) struct Server {
    process: Child,
    pub(crate) directory: Directory,
}

impl Drop for Server {
    fn drop(&mut self) {
        // That is the sign.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// PostgreSQL, with a superuser `postgres` who needs no password. `None` where there is none.
pub(crate) fn postgres() -> Option<Server> {
    let Some(programs) = directory_of("initdb") else { return skip("PostgreSQL") };
    let directory = Directory::new("postgres");
    let owner = unprivileged();
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(&directory.0, Some(user), Some(group)).unwrap();
    }
    let data = directory.0.join("data");
    let mut initdb = as_user(owner, &programs.join("initdb"));
    initdb.args(["--auth=trust", "--username=postgres", "--no-sync", "--no-locale", "-E", "UTF8"]);
    let made = initdb.arg("-D").arg(&data).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut server = as_user(owner, Path::new("/bin/sh"));
    server.arg("-c").arg(UNTIL_TOLD).arg(programs.join("postgres"));
    server.arg("-D").arg(&data).arg("-k").arg(&directory.0);
    server.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
    Some(start(server, directory))
}

/// Redis, at `redis.sock` in its directory. `None` where there is none.
pub(crate) fn redis() -> Option<Server> {
    let Some(programs) = directory_of("redis-server") else { return skip("Redis") };
    let directory = Directory::new("redis");
    let mut server = Command::new("/bin/sh");
    server.arg("-c").arg(UNTIL_TOLD).arg(programs.join("redis-server"));
    server.args(["--port", "0", "--save", "", "--dir"]).arg(&directory.0);
    server.arg("--unixsocket").arg(directory.0.join("redis.sock"));
    Some(start(server, directory))
}

/// Runs a server until the standard input ends.
const UNTIL_TOLD: &str = r#""$0" "$@" & read -r _; kill -INT $!; wait $!"#;

fn start(mut server: Command, directory: Directory) -> Server {
    let log = fs::File::create(directory.0.join("log")).unwrap();
    server.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
    let process = server.current_dir(&directory.0).spawn().unwrap();
    let server = Server { process, directory };
    let log = server.directory.0.join("log");
    // Both say so in these words.
    wait_until(|| fs::read_to_string(&log).unwrap().contains("eady to accept connections"));
    server
}

/// Where a program lies.
fn directory_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Where Debian has the server's own programs.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(versions.map(|version| version.path().join("bin")))
        .find(|directory| directory.join(program).is_file())
}

/// A user and its group, if this process is root's: PostgreSQL refuses to be.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find(|user| id(&["-u", user]).is_some())?;
    Some((id(&["-u", user])?, id(&["-g", user])?))
}

fn as_user(user: Option<(u32, u32)>, program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    // It may not enter the present one.
    command.current_dir("/");
    command
}

/// CI counts these lines. The harness would hide one by `eprintln`.
fn skip<T>(what: &str) -> Option<T> {
    let _ = std::io::stderr().write_all(format!("\nSKIPPED: there is no {what}\n").as_bytes());
    None
}
