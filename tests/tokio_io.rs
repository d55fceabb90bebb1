//! `tokio`'s traits for I/O on gorun's types: each test is named after a hazard.

mod common;

use std::future::{Future, poll_fn};
use std::io::{self, SeekFrom};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::thread;

use common::*;
use gorun::fs::{self, File};
use gorun::io::{copy, duplex, pipe};
use gorun::{Handle, blocking, spawn};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};

#[cfg(feature = "net")]
use gorun::net::{TcpListener, TcpStream};

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

#[test]
fn each_type_has_the_traits_that_it_has_for_futures() {
    fn reads<T: AsyncRead + Unpin>() {}
    fn writes<T: AsyncWrite + Unpin>() {}
    fn both<T: AsyncRead + AsyncWrite + Unpin>() {}
    both::<File>();
    both::<&File>();
    both::<gorun::io::DuplexStream>();
    reads::<gorun::io::PipeReader>();
    writes::<gorun::io::PipeWriter>();
    reads::<gorun::io::Stdin>();
    writes::<gorun::io::Stdout>();
    writes::<gorun::io::Stderr>();
    #[cfg(feature = "net")]
    {
        both::<TcpStream>();
        both::<&TcpStream>();
        reads::<gorun::net::ReadHalf>();
        reads::<&gorun::net::ReadHalf>();
        writes::<gorun::net::WriteHalf>();
        writes::<&gorun::net::WriteHalf>();
    }
    #[cfg(all(unix, feature = "net"))]
    {
        both::<gorun::net::UnixStream>();
        both::<&gorun::net::UnixStream>();
        both::<gorun::io::Async<std::fs::File>>();
        both::<&gorun::io::Async<std::fs::File>>();
    }
    #[cfg(feature = "process")]
    {
        writes::<gorun::process::ChildStdin>();
        reads::<gorun::process::ChildStdout>();
        reads::<gorun::process::ChildStderr>();
    }
}

/// Bytes that tell where they belong.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|number| (number / 5) as u8).collect()
}

/// Sends all of `bytes` through an echo at the other end, and says that this is the end.
async fn through_an_echo(
    near: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    far: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let echo = spawn(async move {
        let (mut reads, mut writes) = tokio::io::split(far);
        let count = tokio::io::copy(&mut reads, &mut writes).await?;
        writes.shutdown().await.map(|()| count)
    });
    let bytes = pattern(300_000);
    let (mut reads, mut writes) = tokio::io::split(near);
    let sent = bytes.clone();
    let sends = spawn(async move {
        writes.write_all(&sent).await?;
        writes.shutdown().await
    });
    let mut answer = Vec::new();
    reads.read_to_end(&mut answer).await?;
    assert!(answer == bytes);
    sends.await??;
    assert_eq!(echo.await??, 300_000);
    Ok(())
}

#[cfg(feature = "net")]
async fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

#[test]
fn an_echo_by_tokios_functions_comes_back_and_ends() {
    with_workers(|| async {
        let (near, far) = duplex();
        through_an_echo(near, far).await?;
        #[cfg(feature = "net")]
        {
            let (near, far) = connected().await?;
            through_an_echo(near, far).await?;
        }
        #[cfg(all(unix, feature = "net"))]
        {
            let (near, far) = gorun::net::UnixStream::pair()?;
            through_an_echo(near, far).await?;
        }
        Ok(())
    });
}

#[cfg(feature = "net")]
#[test]
fn halves_and_references_are_ends_of_the_same_connection() {
    with_workers(|| async {
        let (client, server) = connected().await?;
        let (mut reads, mut writes) = server.into_split();
        let echo = spawn(async move { tokio::io::copy(&mut reads, &mut writes).await });
        (&client).write_all(b"hello").await?;
        let mut five = [0; 5];
        (&client).read_exact(&mut five).await?;
        assert_eq!(&five, b"hello");
        (&client).shutdown().await?;
        assert_eq!(AsyncReadExt::read(&mut &client, &mut five).await?, 0);
        assert_eq!(echo.await??, 5);
        Ok(())
    });
}

#[cfg(all(unix, feature = "net"))]
#[test]
fn other_descriptors_wait_for_each_other() {
    use gorun::io::Async;

    with_workers(|| async {
        let (reader, writer) = std::io::pipe()?;
        let (mut reader, writer) = (Async::new(reader)?, Async::new(writer)?);
        let bytes = pattern(300_000);
        let sent = bytes.clone();
        let sends = spawn(async move { (&writer).write_all(&sent).await });
        let mut got = Vec::new();
        reader.read_to_end(&mut got).await?;
        assert!(got == bytes);
        sends.await?
    });
}

/// A reader that has these bytes, of which each read takes all that it has room for.
fn source(bytes: Vec<u8>) -> gorun::io::PipeReader {
    let (reader, writer) = pipe();
    spawn(async move { copy(&bytes[..], writer).await.map(drop) }).detach();
    reader
}

async fn read_into(reader: &mut (impl AsyncRead + Unpin), buf: &mut ReadBuf<'_>) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *reader).poll_read(cx, buf)).await
}

/// It holds less than the reader has, or more; some of it is filled already, some initialized.
#[test]
fn a_buffer_of_any_state_gets_the_bytes_behind_those_that_it_has() {
    with_workers(|| async {
        for capacity in [0, 1, 2, 100, 65_536, 65_537, 200_000] {
            for (filled, initialized) in [(0, 0), (1, 1), (1, 50), (2, capacity), (0, capacity)] {
                if filled > capacity || initialized > capacity || initialized < filled {
                    continue;
                }
                let bytes = pattern(150_000);
                let mut reader = source(bytes.clone());
                let mut memory = vec![MaybeUninit::uninit(); capacity];
                let mut buf = ReadBuf::uninit(&mut memory);
                buf.initialize_unfilled_to(initialized).fill(7);
                buf.put_slice(&vec![9; filled]);
                let mut wanted = vec![9; filled];
                while buf.remaining() > 0 && wanted.len() < filled + bytes.len() {
                    let before = buf.filled().len();
                    read_into(&mut reader, &mut buf).await?;
                    let count = buf.filled().len() - before;
                    assert!(count > 0, "{capacity}, {filled}, {initialized}");
                    let done = wanted.len() - filled;
                    wanted.extend_from_slice(&bytes[done..done + count]);
                }
                read_into(&mut reader, &mut buf).await?;
                assert!(buf.filled() == wanted, "{capacity}, {filled}, {initialized}");
            }
        }
        Ok(())
    });
}

/// Reads from another one while it is read.
#[cfg(all(unix, feature = "net"))]
struct Nested {
    descriptor: io::PipeReader,
    inner: Option<gorun::io::PipeReader>,
    got: Vec<u8>,
}

#[cfg(all(unix, feature = "net"))]
impl io::Read for Nested {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        buf[..3].copy_from_slice(b"abc");
        if let Some(mut inner) = self.inner.take() {
            gorun::block_on(inner.read_buf(&mut self.got))?;
        }
        Ok(3)
    }
}

#[cfg(all(unix, feature = "net"))]
impl std::os::fd::AsFd for Nested {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(all(unix, feature = "net"))]
#[test]
fn a_read_inside_a_read_has_a_buffer_of_its_own() {
    with_workers(|| async {
        let (descriptor, _writer) = io::pipe()?;
        let (inner, got) = (Some(source(b"inner".to_vec())), Vec::with_capacity(100));
        let mut outer = gorun::io::Async::new(Nested { descriptor, inner, got })?;
        let mut got = Vec::with_capacity(100_000);
        assert_eq!(outer.read_buf(&mut got).await?, 3);
        assert_eq!(got, b"abc");
        assert_eq!(outer.get_ref().got, b"inner");
        Ok(())
    });
}

#[test]
fn lines_and_many_buffers_come_in_order() {
    with_workers(|| async {
        let (reader, mut writer) = pipe();
        let sends = spawn(async move {
            let bufs = [&b"one\n"[..], b"", b"two\nthr", b"ee\n"];
            for buf in bufs {
                let mut slices = [io::IoSlice::new(buf), io::IoSlice::new(b"")];
                let mut slices = &mut slices[..];
                while slices.iter().any(|slice| !slice.is_empty()) {
                    let count = writer.write_vectored(slices).await?;
                    io::IoSlice::advance_slices(&mut slices, count);
                }
            }
            writer.shutdown().await
        });
        let mut lines = BufReader::new(reader).lines();
        for line in ["one", "two", "three"] {
            assert_eq!(lines.next_line().await?.as_deref(), Some(line));
        }
        assert_eq!(lines.next_line().await?, None);
        sends.await?
    });
}

#[test]
fn a_seek_counts_for_the_next_read_and_says_where_it_is() {
    with_workers(|| async {
        let path = std::env::temp_dir().join(format!("gorun-tokio-{}", std::process::id()));
        let mut file = File::options().read(true).write(true).create(true).open(&path).await?;
        file.write_all(b"hello, world").await?;
        assert_eq!(file.seek(SeekFrom::Start(7)).await?, 7);
        assert_eq!((&file).seek(SeekFrom::Current(-2)).await?, 5);
        assert_eq!(file.stream_position().await?, 5);
        let mut text = String::new();
        file.read_to_string(&mut text).await?;
        assert_eq!(text, ", world");
        assert!(file.seek(SeekFrom::Current(-100)).await.is_err());
        assert_eq!(file.stream_position().await?, 12);
        file.flush().await?;
        fs::remove_file(&path).await
    });
}

/// Whoever polls: the events are those of gorun's runtime.
#[cfg(feature = "net")]
#[test]
fn a_task_of_tokios_uses_a_socket_of_a_gorun_runtime() {
    with_workers(|| async {
        let (client, server) = connected().await?;
        let echo = spawn(async move {
            let (mut reads, mut writes) = server.into_split();
            tokio::io::copy(&mut reads, &mut writes).await
        });
        let runtime = Handle::current();
        let thread = thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
            let _guard = runtime.enter();
            tokio.block_on(async {
                let task = tokio::spawn(async move {
                    let mut client = client;
                    for round in 0..100_u8 {
                        client.write_all(&[round; 100]).await?;
                        let mut answer = [0; 100];
                        client.read_exact(&mut answer).await?;
                        assert_eq!(answer, [round; 100]);
                    }
                    client.shutdown().await
                });
                task.await.unwrap()
            })
        });
        blocking(|| thread.join()).unwrap()?;
        assert_eq!(echo.await??, 10_000);
        Ok(())
    });
}
