use std::collections::HashMap;
use std::sync::Arc;

use antiphon_tests::{Connection, Position, Target, Technique, position};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::native;
use crate::client::{Client, Heard, Manner, Note, Said, Trouble, half_open_for};
use crate::credentials::KEY;
use crate::hearing::Joined;
use crate::random::Random;
use crate::world::World;

/// How many messages may wait for the client itself: what a reader of its streams heard.
const QUEUE: usize = 10_000;

/// A client that listens by HTTP, with a stream or a poll for each channel, and publishes with `POST`.
pub(super) struct StreamClient {
    world: Arc<World>,
    random: Random,
    technique: Technique,
    name: String,
    cursors: HashMap<String, Position>,
    readers: Vec<Reader>,
    heard: Option<mpsc::Receiver<Result<Told, Trouble>>>,
    publishing: Option<Connection>,
}

/// What a reader tells: what it heard, and where it stands.
struct Told {
    channel: String,
    position: Option<Position>,
    heard: Heard,
}

/// A task that reads one stream.
struct Reader {
    task: JoinHandle<()>,
    /// Makes it stop reading, and keep its connection for a while.
    freeze: Option<oneshot::Sender<std::time::Duration>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Who is to be frozen goes on without its client.
        if self.freeze.is_some() {
            self.task.abort();
        }
    }
}

impl StreamClient {
    pub(super) fn new(world: &Arc<World>, random: Random, technique: Technique) -> StreamClient {
        StreamClient {
            world: Arc::clone(world),
            random,
            technique,
            name: String::new(),
            cursors: HashMap::new(),
            readers: Vec::new(),
            heard: None,
            publishing: None,
        }
    }

    fn target(&self, channel: &str) -> Target {
        Target { api: self.world.api.with_token(KEY), channel: channel.to_owned() }
    }

    /// Where the channel stands, by its history.
    async fn newest(&self, channel: &str) -> Result<Position, Trouble> {
        let target = self.target(channel);
        let answer = target.api.get(&target.path("limit=1")).try_send().await?;
        Ok(position(&native::fine(&answer)?["position"]))
    }

    async fn listen(
        &self,
        channel: &str,
        since: Position,
        told: mpsc::Sender<Result<Told, Trouble>>,
    ) -> Result<Reader, Trouble> {
        let mut listener = self.technique.listener(&self.target(channel));
        listener.connect(since).await?;
        let (freeze, mut frozen) = oneshot::channel();
        let channel = channel.to_owned();
        let task = tokio::spawn(async move {
            loop {
                let heard = tokio::select! {
                    heard = listener.hear() => heard,
                    duration = &mut frozen => return sleep(duration.unwrap_or_default()).await,
                };
                let all = match heard {
                    Ok(all) => all,
                    Err(lost) => return drop(told.send(Err(lost.into())).await),
                };
                for one in all {
                    let (position, heard) = match one {
                        antiphon_tests::Heard::Message { position, payload } => {
                            (position, Ok(Heard::payload(&payload)))
                        }
                        antiphon_tests::Heard::Gap => (None, Ok(Heard::Gap { channel: channel.clone() })),
                        antiphon_tests::Heard::Closing(reason) => (None, Err(Trouble::Lost(reason))),
                    };
                    let one = heard.map(|heard| Told { channel: channel.clone(), position, heard });
                    if told.send(one).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Reader { task, freeze: Some(freeze) })
    }
}

impl Client for StreamClient {
    fn has_keys(&self) -> bool {
        true
    }

    fn forget(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.cursors.clear();
    }

    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>> {
        async move {
            let mut joined = Joined::Resumed;
            for channel in channels {
                if !self.cursors.contains_key(channel) {
                    joined = Joined::Anew;
                    let newest = self.newest(channel).await?;
                    self.cursors.insert(channel.clone(), newest);
                }
            }
            let (sender, heard) = mpsc::channel(QUEUE);
            self.heard = Some(heard);
            for channel in channels {
                let reader = self.listen(channel, self.cursors[channel], sender.clone()).await?;
                self.readers.push(reader);
            }
            Ok(joined)
        }
        .boxed()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>> {
        async move {
            let heard = self.heard.as_mut().ok_or_else(|| Trouble::Lost("not connected".into()))?;
            match heard.recv().await {
                Some(Ok(told)) => {
                    if let Some(position) = told.position {
                        self.cursors.insert(told.channel, position);
                    }
                    Ok(vec![told.heard])
                }
                Some(Err(trouble)) => Err(trouble),
                None => Err(Trouble::Fault("a reader of a stream panicked".into())),
            }
        }
        .boxed()
    }

    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>> {
        async move { native::post(&self.world, &mut self.publishing, note, &self.name).await }.boxed()
    }

    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let channel = self.random.pick(channels).clone();
            native::chore(&self.world, &mut self.random, &channel).await
        }
        .boxed()
    }

    fn leave(&mut self, manner: Manner) -> BoxFuture<'_, ()> {
        async move {
            self.publishing = None;
            self.heard = None;
            let duration = half_open_for(&mut self.random);
            for mut reader in self.readers.drain(..) {
                if manner == Manner::HalfOpen
                    && let Some(freeze) = reader.freeze.take()
                {
                    // It may have ended by itself.
                    let _ = freeze.send(duration);
                }
            }
        }
        .boxed()
    }
}
