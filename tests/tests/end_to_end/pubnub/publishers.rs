use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use antiphon_tests::{Api, Connection, Lost, Position, encoded, position, within};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Connections over which is published, one message at a time on each.
const CONNECTIONS: u32 = 16;

/// Messages by their timetokens, with their channels.
#[derive(Clone, Default)]
pub(super) struct Published(BTreeMap<Position, (String, Value)>);

impl Published {
    pub(super) fn add(&mut self, (position, channel, message): (Position, String, Value)) {
        let earlier = self.0.insert(position, (channel, message));
        assert_eq!(earlier, None, "{position} was given twice");
    }

    pub(super) fn merge(&mut self, other: Published) {
        for (position, (channel, message)) in other.0 {
            self.add((position, channel, message));
        }
    }

    /// What has a timetoken behind `after` and up to `until`, on these channels.
    pub(super) fn between<'a>(
        &'a self,
        after: Position,
        until: Position,
        channels: &'a [String],
    ) -> impl Iterator<Item = (Position, &'a str, &'a Value)> {
        let between = self.0.range(after + 1..=until.max(after));
        let on_channels = between.filter(|(_, (channel, _))| channels.contains(channel));
        on_channels.map(|(position, (channel, message))| (*position, &**channel, message))
    }

    /// All of them with their timetokens, in order.
    pub(super) fn all(&self) -> Vec<(Position, Value)> {
        self.0.iter().map(|(position, (_, message))| (*position, message.clone())).collect()
    }

    /// Checks that all of these are among others.
    pub(super) fn is_within(&self, others: &Published) {
        for (position, told) in &self.0 {
            assert_eq!(others.0.get(position), Some(told), "{position} was acknowledged");
        }
    }
}

/// Publishes a message on a channel, and gives it with its timetoken.
pub(super) async fn publish(
    api: &Api,
    connection: &mut Connection,
    channel: &str,
    message: &Value,
) -> Result<(Position, String, Value), Lost> {
    let path = format!("/publish/demo/demo/0/{channel}/0/{}", encoded(&message.to_string()));
    let answer = api.get(&path).try_send_over(connection).await?.expect(200).json();
    assert_eq!((&answer[0], &answer[1]), (&json!(1), &json!("Sent")), "{answer}");
    Ok((position(&answer[2]), channel.to_owned(), message.clone()))
}

/// Several who publish by one clock, until there are enough or the server is gone.
pub(super) struct Publishers {
    tasks: Vec<JoinHandle<(Published, Result<(), Lost>)>>,
    acknowledged: watch::Receiver<u32>,
}

impl Publishers {
    pub(super) fn start(api: &Api, channels: &[String], rate: u32, messages: u32) -> Publishers {
        let (sender, acknowledged) = watch::channel(0);
        let (sender, next, began) = (Arc::new(sender), Arc::new(AtomicU32::new(0)), Instant::now());
        let publisher = |_| {
            let (api, channels) = (api.clone(), channels.to_vec());
            let (sender, next) = (Arc::clone(&sender), Arc::clone(&next));
            tokio::spawn(async move {
                let mut published = Published::default();
                let publishing = async {
                    let mut connection = api.connect().await?;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= messages {
                            return Ok(());
                        }
                        sleep_until(began + Duration::from_secs(1) * number / rate).await;
                        let channel = &channels[number as usize % channels.len()];
                        let message = json!({"number": number, "text": "say ü"});
                        published.add(publish(&api, &mut connection, channel, &message).await?);
                        sender.send_modify(|count| *count += 1);
                    }
                };
                let ended = publishing.await;
                (published, ended)
            })
        };
        Publishers { tasks: (0..CONNECTIONS).map(publisher).collect(), acknowledged }
    }

    /// Waits until so many have been acknowledged.
    pub(super) async fn acknowledged(&self, count: u32) {
        let mut acknowledged = self.acknowledged.clone();
        within("acknowledgements", acknowledged.wait_for(|told| *told >= count)).await.unwrap();
    }

    /// All that was published, once all of it has been.
    pub(super) async fn finish(self) -> Published {
        self.end(|ended| ended.unwrap()).await
    }

    /// What was acknowledged before the server was gone.
    pub(super) async fn interrupted(self) -> Published {
        self.end(|ended| assert!(ended.is_err())).await
    }

    async fn end(self, check: impl Fn(Result<(), Lost>)) -> Published {
        let mut all = Published::default();
        for task in self.tasks {
            let (published, ended) = within("a publisher ends", task).await.unwrap();
            check(ended);
            all.merge(published);
        }
        all
    }
}
