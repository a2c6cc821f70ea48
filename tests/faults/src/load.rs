use std::time::Duration;

use antiphon_tests::{Api, within};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::ledger::Ledger;
use crate::publisher::{Answer, Dialect, Publisher};

/// How soon a publisher that was refused, or lost its connection, tries again.
const RETRY: Duration = Duration::from_millis(20);

/// Publishers of several dialects at work, each one message after another, until they are told to stop.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// What they were told.
    pub(crate) ledger: Ledger,
}

/// How a load is made.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// Where to, in turn.
    pub(crate) channels: &'a [&'a str],
    /// How many publishers, of the dialects in turn.
    pub(crate) publishers: usize,
    pub(crate) dialects: &'a [Dialect],
    /// How much each message is made longer.
    pub(crate) padding: usize,
    /// How long each rests after a message.
    pub(crate) pause: Duration,
}

impl Load {
    /// Begins. A name tells its publishers from those of others.
    pub(crate) fn start(api: &Api, shape: Shape<'_>, name: &str) -> Load {
        Load::start_on(api, shape, name, Ledger::new())
    }

    /// Begins, and notes in a ledger that there is.
    pub(crate) fn start_on(api: &Api, shape: Shape<'_>, name: &str, ledger: Ledger) -> Load {
        let (stop, stopped) = watch::channel(false);
        let publisher = |at: usize| {
            let dialect = shape.dialects[at % shape.dialects.len()];
            let channel = shape.channels[at / shape.dialects.len() % shape.channels.len()];
            let own = format!("{name}-{at}-{}", dialect.name());
            let publisher = Publisher::new(dialect, api, channel, &own);
            let padding = "x".repeat(shape.padding);
            tokio::spawn(publish(publisher, padding, shape.pause, ledger.clone(), stopped.clone()))
        };
        let tasks = (0..shape.publishers).map(publisher).collect();
        Load { stop, tasks, ledger }
    }

    /// Lets each publisher finish what it has begun.
    ///
    /// # Panics
    /// One did.
    pub(crate) async fn stop(self) -> Ledger {
        self.stop.send_replace(true);
        for task in self.tasks {
            within("a publisher stops", task).await.expect("a publisher does not panic");
        }
        self.ledger
    }
}

/// A message of a load.
pub(crate) fn numbered(publisher: &str, number: u64, padding: &str) -> Value {
    json!({"publisher": publisher, "number": number, "padding": padding})
}

/// Where the dialect has keys, a message is sent until it is acknowledged; else the next is another.
async fn publish(
    mut publisher: Publisher,
    padding: String,
    pause: Duration,
    ledger: Ledger,
    stopped: watch::Receiver<bool>,
) {
    let mut number = 0;
    while !*stopped.borrow() {
        let payload = numbered(&publisher.name, number, &padding);
        let key = format!("{}-{number}", publisher.name);
        loop {
            let started = Instant::now();
            let answer = publisher.publish(&payload, &key).await;
            let message = (publisher.name.clone(), number);
            ledger.note(publisher.dialect, message, &answer, started.elapsed());
            match answer {
                Answer::Taken(_) => break,
                Answer::Refused(status, word) if status < 500 && status != 409 => {
                    panic!("{}: {status} {word}", publisher.name)
                }
                Answer::Refused(..) | Answer::Lost(_) => sleep(RETRY).await,
            }
            if !publisher.dialect.has_keys() || *stopped.borrow() {
                break;
            }
        }
        number += 1;
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}
