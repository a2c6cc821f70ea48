mod chores;

use std::sync::Arc;
use std::time::Instant;

use antiphon_tests::{Connection, Lost, encoded};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::native;
use crate::client::{Client, Heard, Manner, Note, Said, Trouble};
use crate::credentials::{PUBLISH_KEY, SUBSCRIBE_KEY};
use crate::hearing::Joined;
use crate::random::Random;
use crate::world::World;

/// A client as PubNub's SDKs are: it polls from one timetoken to the next, for channels and a channel group.
pub(super) struct PubnubClient {
    world: Arc<World>,
    random: Random,
    name: String,
    timetoken: Option<String>,
    /// Whether one of its channels comes by a group.
    has_group: bool,
    /// The group of who it was before, which is to be removed.
    old_group: Option<String>,
    channels: Vec<String>,
    poll: Option<Poll>,
    idle: Option<Connection>,
    publishing: Option<Connection>,
    /// What it published last: where, under which timetoken, and when.
    published: Option<(String, String, Instant)>,
    /// How many bytes a file of its own has.
    files: usize,
}

/// A poll that is under way: its connection for the next one, and what it was answered.
type Poll = JoinHandle<Result<(Connection, Value), Trouble>>;

impl PubnubClient {
    pub(super) fn new(world: &Arc<World>, random: Random) -> PubnubClient {
        PubnubClient {
            world: Arc::clone(world),
            random,
            name: String::new(),
            timetoken: None,
            has_group: false,
            old_group: None,
            channels: Vec::new(),
            poll: None,
            idle: None,
            publishing: None,
            published: None,
            files: 0,
        }
    }

    /// The channels and the group as paths and queries have them.
    fn places(&self) -> (String, String) {
        let named = if self.has_group { &self.channels[1..] } else { &self.channels[..] };
        let names: Vec<_> = named.iter().map(|name| encoded(name)).collect();
        let group =
            if self.has_group { format!("&channel-group={}", encoded(&self.name)) } else { String::new() };
        (if names.is_empty() { ",".to_owned() } else { names.join(",") }, group)
    }

    /// Begins a poll: from a timetoken, or for one.
    async fn begin_poll(&mut self) -> Result<(), Trouble> {
        if self.poll.is_some() {
            return Ok(());
        }
        let (names, group) = self.places();
        let (timetoken, region) = match &self.timetoken {
            Some(timetoken) => (timetoken.as_str(), "&tr=1"),
            None => ("0", ""),
        };
        let path = format!(
            "/v2/subscribe/{SUBSCRIBE_KEY}/{names}/0?tt={timetoken}{region}&uuid={}&heartbeat=10{group}",
            encoded(&self.name)
        );
        let api = self.world.api.clone();
        let idle = native::usable(&mut self.idle);
        self.poll = Some(tokio::spawn(async move {
            let mut connection = match idle {
                Some(connection) => connection,
                None => api.connect().await?,
            };
            let answer = api.get(&path).try_send_over(&mut connection).await?;
            Ok((connection, native::fine(&answer)?))
        }));
        Ok(())
    }

    /// Waits for the answer to the poll; what it has.
    async fn end_poll(&mut self) -> Result<Value, Trouble> {
        let Some(poll) = &mut self.poll else { return Err(Trouble::Lost("not connected".into())) };
        let ended = poll.await;
        self.poll = None;
        let ended = ended.map_err(|error| Trouble::Fault(format!("a poll panicked: {error}")))?;
        let (connection, answer) = ended?;
        self.idle = Some(connection);
        let Some(timetoken) = answer["t"]["t"].as_str() else {
            return Err(Trouble::Fault(format!("no timetoken in {answer}")));
        };
        self.timetoken = Some(timetoken.to_owned());
        Ok(answer)
    }

    /// Asks, and expects an answer that is no refusal.
    async fn fetch(&self, path: &str) -> Result<Value, Trouble> {
        native::fine(&self.world.api.get(path).try_send().await?)
    }

    /// Asks something of a group, which has the name of its client.
    async fn set_group(&self, name: &str, how: &str) -> Result<(), Trouble> {
        let group = encoded(name);
        let path = format!("/v1/channel-registration/sub-key/{SUBSCRIBE_KEY}/channel-group/{group}{how}");
        self.fetch(&path).await.map(drop)
    }
}

impl Client for PubnubClient {
    fn listens_to(&self, channel: &str) -> bool {
        // Nobody would tell it of a gap on the others.
        channel.starts_with("keep.") || channel.starts_with("passing.")
    }

    fn forget(&mut self, name: &str) {
        if self.has_group {
            self.old_group = Some(std::mem::take(&mut self.name));
        }
        name.clone_into(&mut self.name);
        self.timetoken = None;
        self.has_group = false;
        self.published = None;
    }

    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>> {
        async move {
            self.poll = None;
            self.channels = channels.to_vec();
            if let Some(group) = self.old_group.clone() {
                self.set_group(&group, "/remove").await?;
                self.old_group = None;
            }
            if self.timetoken.is_some() {
                self.begin_poll().await?;
                return Ok(Joined::Resumed);
            }
            if self.random.chance(35) {
                self.set_group(&self.name, &format!("?add={}", encoded(&channels[0]))).await?;
                self.has_group = true;
                self.world.count("channel groups made");
            }
            self.begin_poll().await?;
            self.end_poll().await?;
            Ok(Joined::Anew)
        }
        .boxed()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>> {
        async move {
            self.begin_poll().await?;
            let answer = self.end_poll().await?;
            let messages = answer["m"].as_array().into_iter().flatten();
            let understand = |message: &Value| match message["e"].as_u64() {
                None | Some(0) => Heard::payload(&message["d"]),
                Some(_) => Heard::Other("actions, files and signals heard"),
            };
            Ok(messages.map(understand).collect())
        }
        .boxed()
    }

    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>> {
        async move {
            let api = &self.world.api;
            let mut connection = native::reuse(&self.world, &mut self.publishing).await?;
            let path = format!("/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/{}/0", encoded(&note.channel));
            let identity = encoded(&self.name);
            let call = if self.random.chance(50) {
                api.post(&format!("{path}?uuid={identity}")).json(&note.payload())
            } else {
                api.get(&format!("{path}/{}?uuid={identity}", encoded(&note.payload().to_string())))
            };
            let answer = call.try_send_over(&mut connection).await?;
            self.publishing = Some(connection);
            match answer.status.as_u16() {
                200 => {
                    let timetoken = answer.json()[2].as_str().unwrap_or_default().to_owned();
                    self.published = Some((note.channel.clone(), timetoken, Instant::now()));
                    Ok(Said::Taken)
                }
                500.. => Err(Lost(answer.text()).into()),
                _ => Ok(Said::Refused(answer.text())),
            }
        }
        .boxed()
    }

    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let channel = self.random.pick(channels).clone();
            self.do_chore(&channel).await
        }
        .boxed()
    }

    fn leave(&mut self, manner: Manner) -> BoxFuture<'_, ()> {
        async move {
            self.publishing = None;
            self.idle = None;
            let poll = self.poll.take();
            match manner {
                Manner::Clean => {
                    let (names, group) = self.places();
                    let path = format!(
                        "/v2/presence/sub-key/{SUBSCRIBE_KEY}/channel/{names}/leave?uuid={}{group}",
                        encoded(&self.name)
                    );
                    // Whether the server still hears it is not this client's concern.
                    let _ = self.world.api.get(&path).try_send().await;
                }
                Manner::Abort => {}
                // The poll goes on, and its answer is for nobody.
                Manner::HalfOpen => return,
            }
            if let Some(poll) = poll {
                poll.abort();
            }
        }
        .boxed()
    }
}
