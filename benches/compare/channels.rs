//! Workloads of goroutines that pass values through channels, for any runtime with any channel.

use crate::channel::{Channel, Outcome, Receiver, Sender};
use crate::measured::{Measured, timed};
use crate::runtime::Runtime;

/// Two goroutines pass a value back and forth through two rendezvous channels.
pub(crate) fn ping<R: Runtime, C: Channel<usize>>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let (to, mut from_here) = C::open(0);
        let (back, mut from_there) = C::open(0);
        R::detach(async move {
            while let Some(value) = from_here.recv().await.value() {
                if back.send(value + 1).await.value().is_none() {
                    return;
                }
            }
        });
        for round in 0..n {
            to.send(round).await.value().unwrap();
            assert_eq!(from_there.recv().await.value(), Some(round + 1));
        }
    });
    Measured::per_operation(took, n)
}

/// The first `n` primes through a chain of rendezvous channels, one goroutine for each prime.
pub(crate) fn sieve<R: Runtime, C: Channel<u32>>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let (numbers, mut candidates) = C::open(0);
        R::detach(async move {
            for number in 2.. {
                if numbers.send(number).await.value().is_none() {
                    return;
                }
            }
        });
        let mut last = 0;
        for _ in 0..n {
            let prime = candidates.recv().await.value().unwrap();
            last = prime;
            let (passed, next) = C::open(0);
            let mut source = std::mem::replace(&mut candidates, next);
            R::detach(async move {
                while let Some(number) = source.recv().await.value() {
                    if !number.is_multiple_of(prime) && passed.send(number).await.value().is_none()
                    {
                        return;
                    }
                }
            });
        }
        assert_eq!(last, nth_prime(n));
    });
    Measured { value: took.as_secs_f64() * 1e6 / n as f64, second: None }
}

fn nth_prime(n: usize) -> u32 {
    let is_prime =
        |number: &u32| (2..).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d));
    (2..).filter(is_prime).nth(n - 1).unwrap()
}

const CAPACITY: usize = 128;

/// `n` values through one buffered channel, from `senders` to `receivers`.
fn buffered<R: Runtime, C: Channel<usize>>(
    workers: usize,
    n: usize,
    senders: fn(C::Sender) -> Vec<C::Sender>,
    receivers: fn(C::Receiver) -> Vec<C::Receiver>,
) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let (sender, receiver) = C::open(CAPACITY);
        let senders = senders(sender);
        let share = n / senders.len();
        assert_eq!(share * senders.len(), n, "the size must be a multiple of the senders");
        for (number, sender) in senders.into_iter().enumerate() {
            R::detach(async move {
                for value in number * share..(number + 1) * share {
                    sender.send(value).await.value().unwrap();
                }
            });
        }
        let sums: Vec<_> = receivers(receiver)
            .into_iter()
            .map(|mut receiver| {
                R::spawn(async move {
                    let mut sum = 0;
                    while let Some(value) = receiver.recv().await.value() {
                        sum += value;
                    }
                    sum
                })
            })
            .collect();
        let mut sum = 0;
        for part in sums {
            sum += part.await;
        }
        assert_eq!(sum, n * (n - 1) / 2);
    });
    Measured::per_operation(took, n)
}

fn one<T>(half: T) -> Vec<T> {
    vec![half]
}

fn four<T: Clone>(half: T) -> Vec<T> {
    vec![half; 4]
}

pub(crate) fn buffered_1_1<R: Runtime, C: Channel<usize>>(workers: usize, n: usize) -> Measured {
    buffered::<R, C>(workers, n, one, one)
}

pub(crate) fn buffered_4_1<R: Runtime, C: Channel<usize>>(workers: usize, n: usize) -> Measured
where
    C::Sender: Clone,
{
    buffered::<R, C>(workers, n, four, one)
}

pub(crate) fn buffered_4_4<R: Runtime, C: Channel<usize>>(workers: usize, n: usize) -> Measured
where
    C::Sender: Clone,
    C::Receiver: Clone,
{
    buffered::<R, C>(workers, n, four, four)
}
