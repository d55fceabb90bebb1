//! `Async`: any descriptor of the system.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::io::Async;
use gorun::time::timeout;
use gorun::{spawn, yield_now};

use super::{WORKERS, once, with_workers};
use crate::common::*;

fn pipe() -> io::Result<(Async<PipeReader>, Async<io::PipeWriter>)> {
    let (reader, writer) = io::pipe()?;
    Ok((Async::new(reader)?, Async::new(writer)?))
}

#[test]
fn more_than_a_pipe_holds_goes_through_in_order() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe()?;
        let bytes: Vec<u8> = (0..1 << 20).map(|number: u32| (number / 7) as u8).collect();
        let sent = bytes.clone();
        let writes = spawn(async move { writer.write_all(&sent).await });
        let mut got = Vec::new();
        reader.read_to_end(&mut got).await?;
        writes.await??;
        assert!(got == bytes);
        // Nobody reads any more.
        let (reader, mut writer) = pipe()?;
        drop(reader);
        assert_eq!(writer.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn several_share_one_in_both_directions() {
    with_workers(|| async {
        let (near, far) = std::os::unix::net::UnixStream::pair()?;
        let (near, far) = (Arc::new(Async::new(near)?), Arc::new(Async::new(far)?));
        let mut tasks = Vec::new();
        for end in [near, far] {
            for _ in 0..4 {
                let (reads, writes) = (end.clone(), end.clone());
                tasks.push(spawn(async move { (&*writes).write_all(&[1; 10_000]).await }));
                tasks.push(spawn(async move { (&*reads).read_exact(&mut [0; 10_000]).await }));
            }
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
}

/// A file would block its goroutine, and nothing would tell when it is ready.
#[cfg(target_os = "linux")]
#[test]
fn a_file_is_refused_and_the_error_says_what_to_use() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    with_workers(|| async {
        let file = File::open("Cargo.toml")?;
        let before = fcntl(&file, FcntlArg::F_GETFL).unwrap();
        for error in [
            Async::new(&file).unwrap_err(),
            Async::new(File::open("/proc/self/maps")?).unwrap_err(),
            Async::new(File::open(".")?).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("use `gorun::fs`"), "{error}");
            assert_eq!(raw_os_error(&error), Some(nix::libc::EPERM));
        }
        // What was refused is as it was.
        assert_eq!(fcntl(&file, FcntlArg::F_GETFL).unwrap(), before);
        let (reader, _writer) = pipe()?;
        let flags = fcntl(reader.get_ref(), FcntlArg::F_GETFL).unwrap();
        assert!(OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK));
        Ok(())
    });
}

/// Of the system, as the source of the error.
fn raw_os_error(error: &io::Error) -> Option<i32> {
    let source = error.get_ref()?.source()?;
    source.downcast_ref::<io::Error>()?.raw_os_error()
}

#[cfg(target_os = "linux")]
#[test]
fn one_that_is_registered_already_is_refused_until_that_has_gone() {
    with_workers(|| async {
        let (reader, _writer) = io::pipe()?;
        let first = Async::new(&reader)?;
        let error = Async::new(&reader).unwrap_err();
        assert!(error.to_string().contains("already"), "{error}");
        let duplicate = Async::new(reader.try_clone()?)?;
        first.into_inner();
        Async::new(&reader)?;
        drop(duplicate);
        Ok(())
    });
}

#[test]
fn outside_of_a_runtime_there_is_an_error_that_says_so() {
    let (reader, _writer) = io::pipe().unwrap();
    let error = Async::new(reader).unwrap_err();
    assert!(error.to_string().contains("no gorun runtime"), "{error}");
}

#[test]
fn one_that_outlives_its_runtime_gives_an_error_and_its_descriptor() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (reader, writer) = run(workers, async { pipe() }).unwrap();
        let with = futures::executor::block_on(reader.read_with(|mut pipe| pipe.read(&mut [0])));
        let mut byte = [0];
        let read = futures::executor::block_on((&reader).read(&mut byte));
        let ready = futures::executor::block_on(writer.writable());
        for error in [with.unwrap_err(), read.unwrap_err(), ready.unwrap_err()] {
            assert!(error.to_string().contains("has ended"), "{error}");
        }
        drop(writer.into_inner());
        assert_eq!(reader.into_inner().read(&mut [0]).unwrap(), 0);
    }
}

/// Those that wait when main returns.
#[test]
fn goroutines_that_wait_for_one_are_dropped_at_exit() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Drops::new(12);
        let writer = run(workers, async {
            let (reader, writer) = pipe().unwrap();
            let reader = Arc::new(reader);
            for index in 0..12 {
                let (probe, reader) = (drops.probe(index), reader.clone());
                spawn(async move {
                    let _probe = probe;
                    match index % 3 {
                        0 => reader.readable().await.unwrap(),
                        1 => _ = reader.read_with(|mut io| io.read(&mut [0])).await,
                        _ => _ = (&*reader).read(&mut [0]).await,
                    }
                })
                .detach();
            }
            yield_now().await;
            writer
        });
        drops.assert_each_once(workers);
        drop(writer);
    }
}

#[test]
fn a_read_that_is_dropped_has_read_nothing() {
    with_workers(|| async {
        let (mut reader, mut writer) = pipe()?;
        let mut buf = [0; 8];
        let limit = Duration::from_millis(1);
        assert!(timeout(limit, reader.read(&mut buf)).await.is_err());
        assert!(timeout(limit, reader.read_with(|mut io| io.read(&mut buf))).await.is_err());
        assert!(timeout(limit, reader.readable()).await.is_err());
        writer.write_all(b"kept").await?;
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).await?;
        assert_eq!(text, "kept");
        Ok(())
    });
}

/// Waits until it is not ready any more. An answer from before may be on its way: one, and not one after the
/// other.
async fn ends<F: Future<Output = io::Result<()>>>(ready: impl Fn() -> F) {
    let mut times = 0;
    while timeout(Duration::from_millis(1), ready()).await.is_ok() {
        times += 1;
        assert!(times < 5);
    }
}

/// Code that reads by itself does not tell that nothing is left. If `readable` believed what it knew, a loop
/// around it would never wait.
#[test]
fn readable_waits_after_others_have_read_what_there_was() {
    with_workers(|| async {
        let (reader, writer) = io::pipe()?;
        let reader = Async::new(reader)?;
        for _ in 0..20 {
            (&writer).write_all(b"hello")?;
            reader.readable().await?;
            let mut buf = [0; 64];
            // In part: it is still readable.
            assert_eq!(reader.get_ref().read(&mut buf[..2])?, 2);
            reader.readable().await?;
            assert_eq!(reader.get_ref().read(&mut buf)?, 3);
            ends(|| reader.readable()).await;
        }
        drop(writer);
        reader.readable().await?;
        reader.readable().await?;
        assert_eq!(reader.get_ref().read(&mut [0])?, 0);
        Ok(())
    });
}

#[test]
fn writable_waits_until_there_is_room() {
    with_workers(|| async {
        let (reader, writer) = io::pipe()?;
        let writer = Async::new(writer)?;
        for _ in 0..4 {
            writer.writable().await?;
            assert_eq!(writer.get_ref().write(&[0; 4096])?, 4096);
        }
        while writer.get_ref().write(&[0; 4096]).is_ok() {}
        ends(|| writer.writable()).await;
        let drains = spawn(async move {
            let mut reader = Async::new(reader)?;
            reader.read_exact(&mut [0; 1 << 15]).await.map(|()| reader)
        });
        writer.writable().await?;
        assert!(writer.get_ref().write(&[0; 1024])? > 0);
        drains.await?.map(drop)
    });
}

/// As in a loop around `select!` in which another case is always ready.
#[test]
fn a_wait_that_is_dropped_and_begun_anew_again_and_again_comes_to_its_end() {
    // With one worker, which sees the answer between the polls of the goroutine.
    let _watchdog = watchdog();
    run(1, async {
        let (reader, writer) = io::pipe().unwrap();
        let reader = Async::new(reader).unwrap();
        (&writer).write_all(b"hello").unwrap();
        let tries = spawn(async move {
            for _ in 0..3 {
                let mut tries = 0;
                while once(reader.readable()).await.is_none() {
                    tries += 1;
                    assert!(tries < 10_000);
                    yield_now().await;
                }
            }
        });
        tries.await.unwrap();
    });
}

#[test]
fn all_that_wait_until_it_is_readable_go_on() {
    with_workers(|| async {
        let (reader, writer) = io::pipe()?;
        let reader = Arc::new(Async::new(reader)?);
        let waits: Vec<_> = (0..8)
            .map(|_| {
                let reader = reader.clone();
                spawn(async move { reader.readable().await })
            })
            .collect();
        yield_now().await;
        (&writer).write_all(b"hello")?;
        for wait in waits {
            wait.await??;
        }
        Ok(())
    });
}

/// A pipe with a name is at its end when its last writer goes, and goes on with the next one. A reactor that
/// takes the end for final lets a read try for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_with_a_name_goes_on_after_its_end() {
    use std::os::unix::fs::OpenOptionsExt;

    with_workers(|| async {
        let path = std::env::temp_dir().join(format!("gorun-fifo-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status()?.success());
        // Otherwise it would wait for a writer.
        let mut options = File::options();
        let reader = options.read(true).custom_flags(nix::libc::O_NONBLOCK).open(&path)?;
        let mut reader = Async::new(reader)?;
        let mut buf = [0; 64];
        for _ in 0..3 {
            let mut writer = File::options().write(true).open(&path)?;
            let waits = timeout(Duration::from_millis(1), reader.read(&mut buf)).await;
            assert!(waits.is_err());
            writer.write_all(b"hello")?;
            assert_eq!(reader.read(&mut buf).await?, 5);
            drop(writer);
            assert_eq!(reader.read(&mut buf).await?, 0);
        }
        std::fs::remove_file(&path)
    });
}

/// Reads a byte at a time, as a terminal reads a line.
struct Slow(PipeReader);

impl Read for Slow {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buf[..1])
    }
}

impl AsFd for Slow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[test]
fn a_short_read_does_not_mean_that_nothing_is_left() {
    with_workers(|| async {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(b"hello")?;
        let mut reader = Async::new(Slow(reader))?;
        let mut buf = [0; 64];
        for _ in 0..5 {
            assert_eq!(reader.read(&mut buf).await?, 1);
        }
        assert!(once(reader.read(&mut buf)).await.is_none());
        Ok(())
    });
}

/// A type that names another descriptor each time. The first one counts.
struct Fickle {
    descriptors: [PipeReader; 2],
    asked: Cell<usize>,
}

impl AsFd for Fickle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.set(self.asked.get() + 1);
        self.descriptors[1 - self.asked.get() % 2].as_fd()
    }
}

#[test]
fn a_type_that_names_other_descriptors_later_leaves_no_registration_behind() {
    with_workers(|| async {
        let ((first, mut to_first), (second, _to_second)) = (io::pipe()?, io::pipe()?);
        let fickle = Fickle { descriptors: [first, second], asked: Cell::new(0) };
        let fickle = Async::new(fickle)?;
        to_first.write_all(b"hello")?;
        let read = |fickle: &Fickle| (&fickle.descriptors[0]).read(&mut [0; 64]);
        assert_eq!(fickle.read_with(read).await?, 5);
        let [first, second] = fickle.into_inner().descriptors;
        // If one were registered still, the system would refuse it.
        for descriptor in [&first, &second] {
            Async::new(descriptor)?;
        }
        to_first.write_all(b"hello")?;
        assert_eq!(Async::new(first)?.read(&mut [0; 64]).await?, 5);
        Ok(())
    });
}

#[test]
fn one_whose_descriptor_was_closed_and_used_again_does_no_harm() {
    with_workers(|| async {
        // Closed inside, while it is registered.
        let (first, _writer) = io::pipe()?;
        let mut first = Async::new(Shut(Some(first)))?;
        first.get_mut().0 = None;
        let (next, mut to_next) = io::pipe()?;
        drop(first);
        let mut next = Async::new(next)?;
        to_next.write_all(b"hello")?;
        assert_eq!(next.read(&mut [0; 64]).await?, 5);
        Ok(())
    });
}

struct Shut(Option<PipeReader>);

impl AsFd for Shut {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("it is asked once").as_fd()
    }
}

#[test]
fn operations_that_are_always_ready_give_way() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(b"hello").unwrap();
            let mut reader = Async::new(reader).unwrap();
            let limit = Duration::from_millis(5);
            let calls = async {
                loop {
                    reader.read_with(|_| Ok(())).await.unwrap();
                }
            };
            assert!(timeout(limit, calls).await.is_err());
            let waits = async {
                loop {
                    reader.readable().await.unwrap();
                }
            };
            assert!(timeout(limit, waits).await.is_err());
            drop(writer);
            let at_end = async {
                loop {
                    assert!(reader.read(&mut [0; 64]).await.unwrap() <= 5);
                }
            };
            assert!(timeout(limit, at_end).await.is_err());
        });
    }
}

/// A pipe has nothing to flush, so whoever is to make room may be told afterwards.
#[test]
fn flushing_a_pipe_without_room_does_not_wait() {
    with_workers(|| async {
        let (reader, mut writer) = pipe()?;
        let fills = async {
            loop {
                assert!(writer.write(&[0; 1 << 16]).await.unwrap() > 0);
            }
        };
        assert!(timeout(Duration::from_millis(5), fills).await.is_err());
        writer.flush().await?;
        (&writer).flush().await?;
        writer.close().await?;
        drop(reader);
        Ok(())
    });
}
