//! Values on their way from one goroutine to another.

use std::collections::BTreeSet;
use std::sync::Arc;

use gorun::sync::{Mutex, RwLock, oneshot};
use gorun::{Receiver, Sender, WaitGroup, channel, go, select};

struct Feed {
    is_open: RwLock<bool>,
    events: Sender<u32>,
}

impl Feed {
    async fn publish(&self, event: u32, planted: bool) {
        let is_open = self.is_open.read().await;
        if !*is_open {
            return;
        }
        let guard = (!planted).then_some(is_open);
        self.events.send(event).await.expect("the feed is open");
        drop(guard);
    }

    async fn close(&self) {
        *self.is_open.write().await = false;
        self.events.close();
    }
}

pub(crate) async fn send_after_close(planted: bool) {
    let (events, received) = channel(8);
    let feed = Arc::new(Feed { is_open: RwLock::new(true), events });
    let all = WaitGroup::new();
    let publisher = feed.clone();
    all.go(async move {
        for event in 0..3 {
            publisher.publish(event, planted).await;
        }
    });
    // One event is enough.
    all.go(async move {
        received.recv().await;
        feed.close().await;
        while received.recv().await.is_some() {}
    });
    all.wait().await;
}

type Attempt = (u32, oneshot::Sender<()>);

/// What two workers have handled already: an attempt may be a second one.
struct Inbox {
    seen: Mutex<BTreeSet<u32>>,
    delivered: Sender<u32>,
}

impl Inbox {
    async fn handle(&self, message: u32, planted: bool) {
        if planted {
            if self.seen.lock().await.contains(&message) {
                return;
            }
            self.delivered.send(message).await.expect("main counts them");
            self.seen.lock().await.insert(message);
        } else if self.seen.lock().await.insert(message) {
            self.delivered.send(message).await.expect("main counts them");
        }
    }
}

/// Sends each message until it is confirmed. If the line breaks, nobody knows whether it has arrived.
async fn send_all(line: Sender<Attempt>, breaks: Receiver<()>) {
    for message in 0..2 {
        loop {
            let (confirm, confirmed) = oneshot::channel();
            line.send((message, confirm)).await.expect("the workers receive");
            select! {
                _ = confirmed => break,
                _ = breaks.recv() => {}
            }
        }
    }
}

pub(crate) async fn delivered_twice(planted: bool) {
    let (line, attempts) = channel::<Attempt>(2);
    let (break_line, breaks) = channel(1);
    let (delivered, all_delivered) = channel(8);
    let inbox = Arc::new(Inbox { seen: Mutex::default(), delivered });
    let all = WaitGroup::new();
    for _ in 0..2 {
        let (attempts, inbox) = (attempts.clone(), inbox.clone());
        all.go(async move {
            while let Some((message, confirm)) = attempts.recv().await {
                inbox.handle(message, planted).await;
                _ = confirm.send(());
            }
        });
    }
    all.go(send_all(line, breaks));
    // Once, whenever its turn comes.
    let once = break_line.clone();
    all.go(async move { once.send(()).await.unwrap_or_default() });
    all.wait().await;
    drop(inbox);
    let mut count = 0;
    while all_delivered.recv().await.is_some() {
        count += 1;
    }
    assert_eq!(count, 2, "a message is delivered twice");
    drop(break_line);
}

async fn receive(inbox: &Receiver<u32>, journal: &Sender<u32>) -> Option<u32> {
    let message = inbox.recv().await?;
    journal.send(message).await.expect("somebody reads the journal");
    Some(message)
}

pub(crate) async fn dropped_by_select(planted: bool) {
    let (send, inbox) = channel(4);
    let (beat, beats) = channel(4);
    let (journal, _entries) = channel(8);
    let alive = beat.clone();
    go!(async move {
        for message in 0..3 {
            send.send(message).await.expect("the reader receives");
        }
    });
    go!(async move {
        for _ in 0..3 {
            // It may have ended.
            _ = beat.send(()).await;
        }
    });
    let reader = gorun::spawn(async move {
        let mut count = 0;
        loop {
            let message = if planted {
                select! {
                    message = receive(&inbox, &journal) => message,
                    _ = beats.recv() => continue,
                }
            } else {
                select! {
                    message = inbox.recv() => {
                        journal.send(message.unwrap_or(0)).await.expect("somebody reads the journal");
                        message
                    }
                    _ = beats.recv() => continue,
                }
            };
            match message {
                Some(_) => count += 1,
                None => return count,
            }
        }
    });
    assert_eq!(reader.await.expect("it ends"), 3, "a message is lost");
    drop(alive);
}
