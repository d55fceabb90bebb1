//! The network: each test is named after a hazard, which other runtimes have met or Go's programs rely on.

#[path = "common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
#[path = "net/allocated.rs"]
mod allocated;
#[path = "net/blocked_workers.rs"]
mod blocked_workers;
#[path = "net/connecting.rs"]
mod connecting;
#[path = "net/datagrams.rs"]
mod datagrams;
#[path = "net/deadlines.rs"]
mod deadlines;
#[cfg(target_os = "linux")]
#[path = "net/descriptors.rs"]
mod descriptors;
#[path = "net/endings.rs"]
mod endings;
#[cfg(target_os = "linux")]
#[path = "net/hostile.rs"]
mod hostile;
#[path = "net/listeners.rs"]
mod listeners;
#[cfg(unix)]
#[path = "net/local.rs"]
mod local;
#[path = "net/misuse.rs"]
mod misuse;
#[path = "net/streams.rs"]
mod streams;

use std::future::Future;
use std::io;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::net::{TcpListener, TcpStream};

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = common::watchdog();
    for workers in WORKERS {
        common::run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

/// The two ends of a connection.
async fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

/// Sends back all that comes, in a goroutine.
fn spawn_echo(stream: TcpStream) {
    gorun::go!(async move {
        let _ = futures::io::copy(&stream, &mut &stream).await;
    });
}

/// Sends `bytes`, and waits until they have come back.
async fn round_trip(stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    (&*stream).write_all(bytes).await?;
    let mut answer = vec![0; bytes.len()];
    (&*stream).read_exact(&mut answer).await?;
    assert_eq!(answer, bytes);
    Ok(())
}

/// Those of the tests above whose sockets a simulated network has, under schedules that a simulation chooses.
#[test]
fn an_order_that_seldom_occurs_breaks_a_promise() {
    common::simulate![
        blocked_workers::bytes_come_back_whole_and_in_order,
        blocked_workers::wakers_of_combinators_are_woken_too,
        connecting::the_first_address_that_answers_wins,
        datagrams::datagrams_keep_their_bounds,
        datagrams::each_datagram_reaches_one_of_several_receivers,
        deadlines::a_deadline_in_the_past_counts_at_once_whatever_has_come,
        deadlines::a_deadline_that_is_moved_away_does_not_count,
        deadlines::a_deadline_that_is_set_while_somebody_waits_counts,
        deadlines::a_deadline_wakes_who_waits_and_leaves_the_stream_usable,
        deadlines::accepts_and_datagrams_have_deadlines_too,
        deadlines::halves_have_deadlines_each_for_its_direction,
        endings::an_aborted_goroutine_closes_its_socket,
        listeners::a_burst_of_connections_is_accepted,
        listeners::after_close_peers_are_refused_and_the_port_is_free,
        listeners::close_ends_all_accepts,
        misuse::a_close_of_the_reading_side_ends_reads_that_wait,
        misuse::addresses_that_cannot_be_used_are_named,
        misuse::after_an_end_reads_are_empty_and_writes_fail,
        streams::a_byte_at_a_time_arrives,
        streams::a_loser_of_a_select_loses_no_bytes,
        streams::a_peer_that_resets_is_an_error_and_one_that_stalls_is_none,
        streams::an_end_that_comes_with_the_last_bytes_is_seen,
        streams::empty_buffers_do_not_wait,
        streams::many_wait_for_one_stream,
        streams::of_two_readers_one_that_goes_takes_no_event_with_it,
        streams::the_drop_of_the_write_half_is_the_end_for_the_peer,
    ];
}
