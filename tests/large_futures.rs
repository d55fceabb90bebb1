//! Large futures on small stacks. Each case runs in a process of its own, since a stack that overflows
//! ends the process.

#![cfg(not(miri))]

mod common;

use std::time::Duration;

use common::*;
use gorun::time::timeout;
use gorun::{Builder, Handle, JoinSet, WaitGroup, block_on, go, spawn, yield_now};

/// As test harnesses give to each test.
const STACK: usize = 2 << 20;

/// In a debug build a future has a place of its own in each function that it passes through.
async fn body<const N: usize>() -> usize {
    let data = [1_u8; N];
    yield_now().await;
    data.iter().map(|&byte| usize::from(byte)).sum()
}

/// It borrows, and so does not go to another thread.
async fn borrowing<const N: usize>(text: &str) -> usize {
    let data = [1_u8; N];
    let kept = std::rc::Rc::new(text);
    yield_now().await;
    data.len() - kept.len() + text.len()
}

// One function for each way and size: in a debug build its future has a place on the stack of whoever
// names it.

fn by_block_on<const N: usize>() -> usize {
    block_on(body::<N>())
}

fn by_block_on_borrowing<const N: usize>() -> usize {
    let text = String::from("text");
    block_on(borrowing::<N>(&text))
}

fn by_builder<const N: usize>() -> usize {
    Builder::new().block_on(body::<N>()).unwrap()
}

fn in_goroutine<const N: usize>() -> usize {
    block_on(async { spawn(async { block_on(body::<N>()) }).await.unwrap() })
}

fn by_handle<const N: usize>() -> usize {
    block_on(async {
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn(move || runtime.block_on(body::<N>())).unwrap().join().unwrap()
    })
}

fn by_spawn<const N: usize>() -> usize {
    block_on(async { spawn(body::<N>()).await.unwrap() })
}

fn by_go<const N: usize>() -> usize {
    async fn send<const N: usize>(sender: gorun::Sender<usize>) {
        sender.send(body::<N>().await).await.unwrap();
    }
    block_on(async {
        let (sender, receiver) = gorun::channel(1);
        go!(send::<N>(sender));
        receiver.recv().await.unwrap()
    })
}

fn by_set<const N: usize>() -> usize {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(body::<N>());
        set.join_next().await.unwrap().unwrap()
    })
}

fn by_group<const N: usize>() -> usize {
    block_on(async {
        let group = WaitGroup::new();
        group.go(async { assert_eq!(body::<N>().await, N) });
        group.wait().await;
        N
    })
}

fn with_a_limit<const N: usize>() -> usize {
    block_on(async {
        let hour = Duration::from_secs(3600);
        spawn(async move { timeout(hour, body::<N>()).await.unwrap() }).await.unwrap()
    })
}

macro_rules! ways {
    ($($name:literal $way:ident,)*) => {
        const WAYS: &[&str] = &[$($name),*];

        fn run(name: &str, kib: usize) -> usize {
            match name {
                $($name => ways!(sizes $way kib 64 128 200 256 300 400 500 512 600 700 800 900),)*
                _ => unreachable!(),
            }
        }
    };
    (sizes $way:ident $kib:ident $($size:literal)*) => {
        match $kib {
            $($size => $way::<{ $size << 10 }>(),)*
            _ => unreachable!(),
        }
    };
}

ways! {
    "block_on" by_block_on,
    "block_on, borrowing" by_block_on_borrowing,
    "Builder::block_on" by_builder,
    "block_on in a goroutine" in_goroutine,
    "Handle::block_on" by_handle,
    "spawn" by_spawn,
    "go!" by_go,
    "JoinSet::spawn" by_set,
    "WaitGroup::go" by_group,
    "timeout, spawned" with_a_limit,
}

fn scenario_of(way: &str, kib: usize) -> String {
    format!("{kib} {way}")
}

/// What the other tests start.
#[test]
fn entry() {
    let Some(scenario) = scenario() else { return };
    let (kib, way) = scenario.split_once(' ').unwrap();
    let kib: usize = kib.parse().unwrap();
    let way = way.to_owned();
    let thread = std::thread::Builder::new().stack_size(STACK);
    assert_eq!(thread.spawn(move || run(&way, kib)).unwrap().join().unwrap(), kib << 10);
}

fn fits(way: &str, kib: usize) -> bool {
    let output = start_child("entry", &scenario_of(way, kib), Some(2)).wait_with_output().unwrap();
    output.status.success()
}

/// Two copies of it, and all that else is on the stack.
#[test]
fn what_is_nearly_half_a_stack_fits_however_it_is_started() {
    for way in WAYS {
        let kib = match *way {
            // The caller's own functions have it, too.
            "go!" => 200,
            "timeout, spawned" => 400,
            _ => 800,
        };
        assert!(fits(way, kib), "{way}: a future of {kib} KiB overflows the stack");
    }
}

#[gorun::main(worker_threads = 1)]
async fn by_attribute() -> usize {
    let data = [1_u8; 600 << 10];
    yield_now().await;
    data.len()
}

#[gorun::main(worker_threads = 1, timeout = Duration::from_secs(3600))]
async fn by_attribute_with_a_limit() -> usize {
    let data = [1_u8; 600 << 10];
    yield_now().await;
    data.len()
}

/// What the next test starts.
#[test]
fn attributes() {
    let Some(scenario) = scenario() else { return };
    let run = if scenario == "limit" { by_attribute_with_a_limit } else { by_attribute };
    let thread = std::thread::Builder::new().stack_size(STACK);
    assert_eq!(thread.spawn(run).unwrap().join().unwrap(), 600 << 10);
}

/// Three copies of it.
#[test]
fn what_is_nearly_a_third_of_a_stack_fits_in_an_attributes_function() {
    for scenario in ["no limit", "limit"] {
        let output = start_child("attributes", scenario, Some(2)).wait_with_output().unwrap();
        assert!(output.status.success(), "{scenario}: overflows the stack");
    }
}
