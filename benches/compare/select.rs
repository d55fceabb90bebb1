//! Workloads of one goroutine that chooses among four channels with `select!`.

use crate::channel::{self, Channel, Outcome, Sender};
use crate::measured::{Measured, timed};
use crate::runtime::Runtime;

/// A channel whose authors have a `select!` as well.
pub(crate) trait Select: Channel<usize, Sender: Sync> {
    /// Which of them had a value, and the value.
    fn select(
        receivers: &mut [Self::Receiver; 4],
    ) -> impl Future<Output = (usize, Option<usize>)> + Send;
}

impl Select for channel::Gorun {
    async fn select(receivers: &mut [Self::Receiver; 4]) -> (usize, Option<usize>) {
        let [first, second, third, fourth] = receivers;
        gorun::select! {
            value = first.recv() => (0, value),
            value = second.recv() => (1, value),
            value = third.recv() => (2, value),
            value = fourth.recv() => (3, value),
        }
    }
}

impl Select for channel::Tokio {
    async fn select(receivers: &mut [Self::Receiver; 4]) -> (usize, Option<usize>) {
        let [first, second, third, fourth] = receivers;
        tokio::select! {
            value = first.recv() => (0, value),
            value = second.recv() => (1, value),
            value = third.recv() => (2, value),
            value = fourth.recv() => (3, value),
        }
    }
}

fn open_four<C: Select>() -> ([C::Sender; 4], [C::Receiver; 4]) {
    let [(a, first), (b, second), (c, third), (d, fourth)] = std::array::from_fn(|_| C::open(1));
    ([a, b, c, d], [first, second, third, fourth])
}

/// In each of `n` turns another channel has a value.
pub(crate) fn one_ready<R: Runtime, C: Select>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let (senders, mut receivers) = open_four::<C>();
        for turn in 0..n {
            let number = turn % 4;
            senders[number].send(turn).await.value().unwrap();
            assert_eq!(C::select(&mut receivers).await, (number, Some(turn)));
        }
    });
    Measured::per_operation(took, n)
}

/// In each of `n` turns all channels have a value; what is taken is sent again.
pub(crate) fn all_ready<R: Runtime, C: Select>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let (senders, mut receivers) = open_four::<C>();
        for (number, sender) in senders.iter().enumerate() {
            sender.send(number).await.value().unwrap();
        }
        let mut chosen = [0; 4];
        for _ in 0..n {
            let (number, value) = C::select(&mut receivers).await;
            assert_eq!(value, Some(number));
            chosen[number] += 1;
            senders[number].send(number).await.value().unwrap();
        }
        assert!(chosen.into_iter().all(|times| times > n / 8), "{chosen:?} is not random");
    });
    Measured::per_operation(took, n)
}
