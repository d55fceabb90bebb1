//! Connections: over TCP, by a local socket, and in memory. One goroutine writes, another one reads, and both
//! count bytes; what is read is what was written, in order.

use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, join};
use gorun::io::{DuplexStream, duplex};
#[cfg(unix)]
use gorun::net::UnixStream;
use gorun::net::{TcpListener, TcpStream};
use gorun::time::{now, sleep, timeout};
use gorun::{JoinHandle, select, spawn, yield_now};

use super::actor::Actor;
use super::event::Step;
use super::failure::{demand, fail};
use super::life::{Answer, Life};
use super::options::Plant;
use super::random::Random;
use super::record::{Kind, Plan};

enum End {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Memory(DuplexStream),
}

/// Calls the same for each kind.
macro_rules! each {
    ($end:expr, $stream:ident => $call:expr) => {
        match $end {
            End::Tcp($stream) => $call,
            #[cfg(unix)]
            End::Unix($stream) => $call,
            End::Memory($stream) => $call,
        }
    };
}

/// Calls the same for each kind of socket; what is in memory has `$memory`.
macro_rules! each_socket {
    ($end:expr, $stream:ident => $call:expr, $memory:expr) => {
        match $end {
            End::Tcp($stream) => $call,
            #[cfg(unix)]
            End::Unix($stream) => $call,
            End::Memory(_) => $memory,
        }
    };
}

impl End {
    fn number(&self) -> u32 {
        match self {
            End::Tcp(_) => 0,
            #[cfg(unix)]
            End::Unix(_) => 1,
            End::Memory(_) => 2,
        }
    }

    /// Only sockets have clones.
    fn another(&self) -> Option<End> {
        match self {
            End::Tcp(stream) => Some(End::Tcp(stream.clone())),
            #[cfg(unix)]
            End::Unix(stream) => Some(End::Unix(stream.clone())),
            End::Memory(_) => None,
        }
    }

    async fn read(&mut self, buf: &mut [u8], by_trait: bool) -> io::Result<usize> {
        match by_trait {
            true => each!(self, stream => AsyncReadExt::read(stream, buf).await),
            false => {
                each_socket!(self, stream => stream.read(buf).await, {
                    each!(self, stream => AsyncReadExt::read(stream, buf).await)
                })
            }
        }
    }

    async fn write(&mut self, bytes: &[u8], way: u64) -> io::Result<usize> {
        match way {
            0 => each_socket!(self, stream => stream.write(bytes).await, {
                each!(self, stream => AsyncWriteExt::write(stream, bytes).await)
            }),
            1 => each!(self, stream => AsyncWriteExt::write(stream, bytes).await),
            _ => {
                let (first, second) = bytes.split_at(bytes.len() / 2);
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                each!(self, stream => AsyncWriteExt::write_vectored(stream, &slices).await)
            }
        }
    }

    fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        each_socket!(self, stream => stream.set_deadline(deadline), ());
    }
}

/// What happens to a conversation, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Nothing,
    /// The writer is aborted.
    Abort,
    /// Somebody else ends the writer's side, or the reader's.
    CloseWrite,
    CloseRead,
    /// The reader goes early.
    Leave,
    /// The connection is reset at the end.
    Reset,
}

const EVENTS: [Event; 8] = [
    Event::Nothing,
    Event::Nothing,
    Event::Nothing,
    Event::Abort,
    Event::CloseWrite,
    Event::CloseRead,
    Event::Leave,
    Event::Reset,
];

/// The byte at this place of all that a connection carries.
fn byte_at(place: usize) -> u8 {
    (place ^ place >> 7 ^ place >> 13) as u8
}

/// Two goroutines and a connection between them.
pub(crate) async fn converse(actor: &mut Actor, mut random: Random) {
    let pair = match random.below(5) {
        0 | 1 => tcp(&actor.life, &mut random).await,
        #[cfg(unix)]
        2 | 3 => UnixStream::pair().map(|(left, right)| (End::Unix(left), End::Unix(right))),
        _ => Ok(duplex()).map(|(left, right)| (End::Memory(left), End::Memory(right))),
    };
    let Some((left, mut right)) = may_fail(&actor.life, "connect", pair) else { return };
    let event = *random.pick(&EVENTS);
    let bound = 1 << random.below(19);
    let total = random.index(bound);
    let written = Arc::new(AtomicUsize::new(0));
    // Any other name would keep the connection open after the writer.
    let others_end = if event == Event::CloseWrite { left.another() } else { None };
    let life = Life::new(&actor.life.world, &actor.life.home, Kind::Active, Plan::Finish);
    let record = life.record.clone();
    let is_left = Arc::new(AtomicBool::new(false));
    // Before the end that is read, if this goroutine is cancelled, which a record need not know.
    let _leaves = Leaves(is_left.clone());
    let writer = Writer {
        end: left,
        total,
        event,
        written: written.clone(),
        is_left: is_left.clone(),
        random: random.fork(),
    };
    let mut writer = Some(spawn(writer.run(life)));
    let stop = match event {
        Event::Nothing | Event::Reset => usize::MAX,
        _ => random.index(total + 1),
    };
    let mut received = 0;
    loop {
        if received >= stop {
            match event {
                Event::Abort => {
                    record.will_be_aborted();
                    writer.as_ref().inspect(|writer| writer.abort());
                }
                Event::CloseWrite => close_elsewhere(&others_end, false),
                Event::CloseRead => close_elsewhere(&right.another(), true),
                _ => {}
            }
            if event == Event::Leave {
                break;
            }
        }
        actor.life.at(Step::Reads, right.number());
        let mut buf = [0; 4096];
        let length = 1 + random.index(buf.len());
        let read = read_once(&mut right, &mut buf[..length], &mut random).await;
        match read {
            Ok(Some(0)) => break,
            Ok(Some(read)) => {
                for (place, byte) in (received..).zip(&buf[..read]) {
                    let is_wrong = actor.life.world.is_planted(Plant::Bytes);
                    let expected = byte_at(place).wrapping_add(u8::from(is_wrong));
                    demand!(*byte == expected, "{}: byte {place} is another", actor.life.record);
                }
                received += read;
            }
            Ok(None) => {}
            Err(error) => {
                let is_due = event == Event::Reset || event == Event::CloseRead;
                let is_due = is_due || !actor.life.world.is_clean;
                demand!(is_due, "{}: cannot read after {event:?}: {error}", actor.life.record);
                break;
            }
        }
    }
    drop((right, others_end));
    actor.life.world.carried.fetch_add(received as u64, SeqCst);
    actor.life.at(Step::Joins, record.id);
    let writer: JoinHandle<Answer> = writer.take().expect("it is awaited once");
    record.check(writer.await, !actor.life.world.is_clean);
    let written = written.load(SeqCst);
    let is_whole = match event {
        Event::Nothing => received == written && written == total,
        Event::Abort | Event::CloseWrite => received == written,
        _ => received <= written,
    };
    let is_whole = is_whole || !actor.life.world.is_clean;
    demand!(is_whole, "{record}, {event:?}: {received} of {written} bytes arrived, of {total}");
}

fn close_elsewhere(end: &Option<End>, reads: bool) {
    // The peer may have gone already.
    let Some(end) = end else { return };
    let _ = each_socket!(end, stream => match reads {
        true => stream.close_read(),
        false => stream.close_write(),
    }, Ok(()));
}

/// In one of several ways. `None`: nothing was read, and the way is open.
async fn read_once(
    end: &mut End,
    buf: &mut [u8],
    random: &mut Random,
) -> io::Result<Option<usize>> {
    let by_trait = random.one_in(2);
    let limit = random.micros(300);
    match random.below(8) {
        0 => match timeout(limit, end.read(buf, by_trait)).await {
            Ok(read) => read.map(Some),
            Err(_) => Ok(None),
        },
        1 => select! {
            read = end.read(buf, by_trait) => read.map(Some),
            () = yield_now() => Ok(None),
        },
        2 => {
            // Also in the past.
            end.set_deadline(now() + limit - Duration::from_micros(50));
            let read = end.read(buf, by_trait).await;
            end.set_deadline(None);
            match read {
                Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
                read => read.map(Some),
            }
        }
        3 => {
            let empty = end.read(&mut [], by_trait).await?;
            demand!(empty == 0, "{empty} bytes for an empty buffer");
            sleep(limit).await;
            Ok(None)
        }
        _ => end.read(buf, by_trait).await.map(Some),
    }
}

struct Leaves(Arc<AtomicBool>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

struct Writer {
    end: End,
    total: usize,
    event: Event,
    written: Arc<AtomicUsize>,
    /// The reader has gone.
    is_left: Arc<AtomicBool>,
    random: Random,
}

impl Writer {
    async fn run(mut self, life: Life) -> Answer {
        life.begin();
        let mut bytes = Vec::new();
        loop {
            let place = self.written.load(SeqCst);
            if place == self.total {
                break;
            }
            life.at(Step::Writes, self.end.number());
            let length = 1 + self.random.index(8192.min(self.total - place));
            bytes.clear();
            bytes.extend((place..place + length).map(byte_at));
            let has_deadline = self.random.one_in(8);
            if has_deadline {
                self.end.set_deadline(now() + self.random.micros(300));
            }
            let way = self.random.below(3);
            let result = match self.random.below(8) {
                0 => timeout(self.random.micros(300), self.end.write(&bytes, way)).await.ok(),
                1 => select! {
                    result = self.end.write(&bytes, way) => Some(result),
                    () = yield_now() => None,
                },
                _ => Some(self.end.write(&bytes, way).await),
            };
            if has_deadline {
                self.end.set_deadline(None);
            }
            match result {
                Some(Ok(written)) => _ = self.written.fetch_add(written, SeqCst),
                Some(Err(error)) if error.kind() == ErrorKind::TimedOut && has_deadline => {}
                Some(Err(error)) => {
                    let is_due = self.event != Event::Nothing || self.is_left.load(SeqCst);
                    let is_due = is_due || !life.world.is_clean;
                    demand!(is_due, "{}: cannot write: {error}", life.record);
                    break;
                }
                None => {}
            }
        }
        if let (Event::Reset, End::Tcp(stream)) = (self.event, &self.end) {
            let _ = stream.set_linger(Some(Duration::ZERO));
        }
        if self.random.one_in(2) {
            let _ = each!(&mut self.end, stream => stream.close().await);
        }
        life.finish()
    }
}

/// The two ends of a connection over TCP, made by attempts of which some are given up.
async fn tcp(life: &Life, random: &mut Random) -> io::Result<(End, End)> {
    life.at(Step::Connects, 0);
    // Addresses of its own: ports wait for a minute after their connections.
    let host = match cfg!(target_os = "linux") {
        true => Ipv4Addr::from_bits(0x7F01_0000 | random.below(1 << 16) as u32 | 1),
        false => Ipv4Addr::LOCALHOST,
    };
    let listener = TcpListener::bind(SocketAddr::from((host, 0))).await?;
    let address = listener.local_addr()?;
    if random.one_in(4) {
        let elapsed = timeout(random.micros(200), listener.accept()).await;
        demand!(elapsed.is_err() || !life.world.is_clean, "{}: nobody connects", life.record);
    }
    let (accepted, connected) = join!(listener.accept(), TcpStream::connect(address));
    let pair = (End::Tcp(accepted?.0), End::Tcp(connected?));
    if random.one_in(4) {
        let waits = {
            let listener = listener.clone();
            let other = Life::new(&life.world, &life.home, Kind::Active, Plan::Finish);
            spawn(async move {
                other.begin();
                listener.accept().await.is_err()
            })
        };
        // Also if this goroutine is cancelled.
        let closes = Closes(listener);
        if random.one_in(2) {
            yield_now().await;
        }
        drop(closes);
        let ended = waits.await;
        let is_right = matches!(ended, Ok(true)) || !life.world.is_clean;
        demand!(is_right, "{}: an accept went on after a close: {ended:?}", life.record);
    }
    Ok(match random.one_in(2) {
        true => pair,
        false => (pair.1, pair.0),
    })
}

struct Closes(TcpListener);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The value, unless the runtime ends.
fn may_fail<T>(life: &Life, what: &str, result: io::Result<T>) -> Option<T> {
    if let Err(error) = &result {
        demand!(!life.world.is_clean, "{}: cannot {what}: {error}", life.record);
    }
    result.ok()
}
