//! Files: each test is named after a hazard.
#![cfg(feature = "io")]

#[path = "common/mod.rs"]
mod common;

use std::future::Future;
use std::io::{self, ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, FutureExt, StreamExt};
use gorun::fs::{self, File};
use gorun::spawn;
use gorun::time::timeout;

use common::*;

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// A directory, which is removed with what is in it when this is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("gorun-fs-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

#[test]
fn an_error_says_which_path() {
    with_workers(|| async {
        let directory = Directory::new();
        let missing = directory.join("missing/file");
        let other = directory.join("other");
        let errors = [
            ("read", fs::read(&missing).await.err()),
            ("read", fs::read_to_string(&missing).await.err()),
            ("write", fs::write(&missing, "").await.err()),
            ("copy", fs::copy(&missing, &other).await.err()),
            ("rename", fs::rename(&missing, &other).await.err()),
            ("remove", fs::remove_file(&missing).await.err()),
            ("create directory", fs::create_dir(&missing).await.err()),
            ("remove directory", fs::remove_dir(&missing).await.err()),
            ("remove directory", fs::remove_dir_all(&missing).await.err()),
            ("look at", fs::metadata(&missing).await.err()),
            ("look at", fs::symlink_metadata(&missing).await.err()),
            ("read directory", fs::read_dir(&missing).await.err()),
            ("open", File::open(&missing).await.err()),
            ("create", File::create(&missing).await.err()),
            ("open", File::options().append(true).open(&missing).await.err()),
        ];
        for (action, error) in errors {
            let error = error.expect(action);
            assert_eq!(error.kind(), ErrorKind::NotFound, "{action}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("cannot {action} {missing:?}")), "{text}");
            // The system's own, with its number.
            let source = error.get_ref().unwrap().source().unwrap();
            assert!(source.downcast_ref::<io::Error>().unwrap().raw_os_error().is_some());
        }
        Ok(())
    });
}

#[test]
fn a_future_that_was_not_polled_has_done_nothing() {
    with_workers(|| async {
        let directory = Directory::new();
        let path = directory.join("file");
        drop(fs::write(&path, "text"));
        drop(File::create(&path));
        assert!(!path.exists());
        Ok(())
    });
}

#[test]
fn a_loop_of_calls_gives_way() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let directory = Directory::new();
            let path = directory.join("file");
            let in_main = async {
                loop {
                    fs::metadata(&directory.0).await.unwrap();
                }
            };
            assert!(timeout(Duration::from_millis(5), in_main).await.is_err());
            let mut file = File::create(&path).await.unwrap();
            let writes = async {
                loop {
                    file.seek(SeekFrom::Start(0)).await.unwrap();
                    file.write_all(b"again").await.unwrap();
                }
            };
            assert!(timeout(Duration::from_millis(5), writes).await.is_err());
        });
    }
}

/// A pipe with a name, which nobody has opened for writing: opening it blocks the thread.
#[cfg(target_os = "linux")]
fn blocking_file(directory: &Directory) -> PathBuf {
    let path = directory.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_blocks_holds_up_only_its_goroutine() {
    with_workers(|| async {
        let directory = Directory::new();
        let path = blocking_file(&directory);
        let readers: Vec<_> = (0..4).map(|_| spawn(fs::read(path.clone()))).collect();
        for _ in 0..100 {
            spawn(async {}).await?;
        }
        assert!(readers.iter().all(|reader| !reader.is_finished()));
        // All of them have it open once this is open, or one has read all, and the next one waits.
        let mut ended = 0;
        let mut bytes = 0;
        for reader in readers {
            while !reader.is_finished() {
                if let Ok(mut file) = nonblocking_writer(&path) {
                    let _ = std::io::Write::write(&mut file, b"text");
                }
                gorun::yield_now().await;
            }
            bytes += reader.await??.len();
            ended += 1;
        }
        assert_eq!(ended, 4);
        assert!(bytes > 0);
        Ok(())
    });
}

/// Whoever has the same open file can make it so. And a reader must not say "would block".
#[cfg(unix)]
#[test]
fn a_file_that_does_not_block_is_waited_for_all_the_same() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    with_workers(|| async {
        let (end, mut other) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        let mut file = File::from_std(OwnedFd::from(end).into());
        let mut reads = file.try_clone()?;
        let read = spawn(async move {
            let mut text = [0; 4];
            reads.read_exact(&mut text).await.map(|()| text)
        });
        gorun::time::sleep(Duration::from_millis(5)).await;
        assert!(!read.is_finished());
        io::Write::write_all(&mut other, b"text")?;
        assert_eq!(&read.await??, b"text");
        // More than the system takes at once.
        let mut bytes = vec![0; 2 << 20];
        let sent = bytes.clone();
        let write = spawn(async move { file.write_all(&sent).await });
        gorun::time::sleep(Duration::from_millis(5)).await;
        assert!(!write.is_finished());
        io::Read::read_exact(&mut other, &mut bytes)?;
        write.await??;
        Ok(())
    });
}

/// Fails if nobody reads.
#[cfg(target_os = "linux")]
fn nonblocking_writer(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_blocks_is_left_behind_at_exit() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let directory = Directory::new();
        let path = blocking_file(&directory);
        let blocked = path.clone();
        let start = std::time::Instant::now();
        let reader = gorun::Builder::new()
            .worker_threads(workers)
            .report_left_behind(false)
            .block_on(async {
                let reader = spawn(async move { fs::read(blocked).await });
                gorun::time::sleep(Duration::from_millis(5)).await;
                Some(reader)
            })
            .unwrap()
            .expect("main has put it there");
        assert!(start.elapsed() < Duration::from_secs(20));
        // Until the thread is free.
        wait_until(|| {
            drop(nonblocking_writer(&path));
            reader.is_finished()
        });
    }
}

#[test]
fn handles_and_references_share_one_position() {
    with_workers(|| async {
        let directory = Directory::new();
        let path = directory.join("file");
        let file = File::options().read(true).write(true).create_new(true).open(&path).await?;
        (&file).write_all(b"one two three").await?;
        assert_eq!((&file).seek(SeekFrom::End(-5)).await?, 8);
        let mut text = String::new();
        file.try_clone()?.read_to_string(&mut text).await?;
        assert_eq!(text, "three");
        assert_eq!((&file).stream_position().await?, 13);
        file.set_len(3).await?;
        file.sync_all().await?;
        assert_eq!(file.metadata().await?.len(), 3);
        let mut std = file.into_std();
        std::io::Seek::rewind(&mut std)?;
        assert_eq!(io::read_to_string(std)?, "one");
        Ok(())
    });
}

#[test]
fn an_entry_of_a_directory_is_neither_lost_nor_doubled() {
    with_workers(|| async {
        let directory = Directory::new();
        let count = 300;
        for number in 0..count {
            fs::write(directory.join(number.to_string()), "").await?;
        }
        let mut entries = fs::read_dir(&directory.0).await?;
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            found.push(entry.file_name().into_string().unwrap().parse::<usize>().unwrap());
            // A first look, and futures that are dropped.
            drop(entries.next_entry());
            if let Some(Some(entry)) = entries.next().now_or_never() {
                found.push(entry?.file_name().into_string().unwrap().parse().unwrap());
            }
        }
        found.sort_unstable();
        assert!(found.into_iter().eq(0..count));
        assert!(entries.next_entry().await?.is_none());
        Ok(())
    });
}

#[test]
fn trees_are_made_and_removed() {
    with_workers(|| async {
        let directory = Directory::new();
        let deep = directory.join("a/b/c");
        fs::create_dir_all(&deep).await?;
        fs::create_dir_all(&deep).await?;
        fs::write(deep.join("file"), "text").await?;
        assert!(fs::remove_dir(&deep).await.is_err());
        fs::rename(directory.join("a/b"), directory.join("d")).await?;
        assert_eq!(fs::read_to_string(directory.join("d/c/file")).await?, "text");
        assert_eq!(fs::copy(directory.join("d/c/file"), directory.join("copy")).await?, 4);
        fs::remove_dir_all(directory.join("d")).await?;
        fs::remove_dir(directory.join("a")).await?;
        assert!(fs::metadata(directory.join("copy")).await?.is_file());
        let not_text = directory.join("not text");
        fs::write(&not_text, [0xFF]).await?;
        let error = fs::read_to_string(&not_text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        Ok(())
    });
}

#[test]
fn handles_go_to_other_threads() {
    fn has<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    has::<File>();
    has::<fs::OpenOptions>();
    has::<fs::ReadDir>();
}

/// As the documentation says: without a runtime too.
#[test]
fn files_need_no_runtime() {
    let text = futures::executor::block_on(fs::read_to_string("Cargo.toml")).unwrap();
    assert!(text.starts_with("[package]"));
}
