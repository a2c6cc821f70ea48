use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use antiphon_tests::encoded;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::native;
use super::wire::{Way, Wire};
use crate::channels::LOBBIES;
use crate::client::{Client, Heard, Manner, Note, Said, Trouble, half_open_for};
use crate::credentials::KEY;
use crate::hearing::Joined;
use crate::random::Random;
use crate::world::World;

/// The events that have an answer which is waited for have ids from here on; those of publications are below.
const QUESTIONS: u64 = 1 << 32;

/// A Socket.IO client: version 5 of the protocol (revision 4 of Engine.IO) with connection state recovery, or 4 (revision 3).
pub(super) struct SocketIoClient {
    world: Arc<World>,
    random: Random,
    way: Way,
    revision: u8,
    name: String,
    wire: Option<Wire>,
    /// The id of its socket, and what it shows to have that back.
    session: Option<(String, String)>,
    offset: Option<String>,
    cursors: HashMap<String, String>,
    /// What was heard while something else was waited for.
    heard: VecDeque<Heard>,
    last_id: u64,
}

impl SocketIoClient {
    pub(super) fn new(world: &Arc<World>, random: Random, way: Way, revision: u8) -> SocketIoClient {
        SocketIoClient {
            world: Arc::clone(world),
            random,
            way,
            revision,
            name: String::new(),
            wire: None,
            session: None,
            offset: None,
            cursors: HashMap::new(),
            heard: VecDeque::new(),
            last_id: 0,
        }
    }

    fn wire(&mut self) -> Result<&mut Wire, Trouble> {
        self.wire.as_mut().ok_or_else(|| Trouble::Lost("not connected".into()))
    }

    /// Connects to the namespace; whether it is who it was.
    async fn enter(&mut self) -> Result<bool, Trouble> {
        if self.revision == 3 {
            let packet = self.wire()?.next().await?;
            return match packet.starts_with('0') {
                true => Ok(false),
                false => Err(Trouble::Fault(format!("{packet} instead of a connection"))),
            };
        }
        let mut auth = json!({"token": KEY, "identity": self.name});
        if let (Some((_, pid)), Some(offset)) = (&self.session, &self.offset) {
            auth["pid"] = pid.as_str().into();
            auth["offset"] = offset.as_str().into();
        }
        self.wire()?.send(&format!("0{auth}")).await?;
        let mut packet = self.wire()?.next().await?;
        // What was missed comes before the socket is told that it is back.
        while packet.starts_with('2') {
            let heard = self.understand(&packet)?;
            self.heard.push_back(heard);
            packet = self.wire()?.next().await?;
        }
        let told: Value =
            packet.strip_prefix('0').and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let (Some(sid), pid) = (told["sid"].as_str(), told["pid"].as_str()) else {
            return Err(match packet.contains("503") {
                true => Trouble::Lost(packet),
                false => Trouble::Fault(format!("{packet} instead of a connection")),
            });
        };
        let is_back = self.session.as_ref().is_some_and(|(before, _)| before == sid);
        self.session = pid.map(|pid| (sid.to_owned(), pid.to_owned()));
        Ok(is_back)
    }

    async fn subscribe(&mut self, channels: &[String]) -> Result<Joined, Trouble> {
        let resumes = self.revision == 4 && channels.iter().all(|channel| self.cursors.contains_key(channel));
        if !resumes {
            self.cursors.clear();
        }
        let describe = |channel: &String| match self.cursors.get(channel) {
            Some(since) => json!({"channel": channel, "since": since}),
            None => json!({"channel": channel}),
        };
        let asked: Vec<_> = channels.iter().map(describe).collect();
        let answer = self.ask("subscribe", json!(asked)).await?;
        let told = answer["channels"].as_array().into_iter().flatten();
        for (channel, told) in channels.iter().zip(told) {
            if told["gap"] == true {
                // What came before the answer is what is left.
                self.heard.push_front(Heard::Gap { channel: channel.clone() });
            }
            let position = told["position"].as_str().unwrap_or_default().to_owned();
            self.cursors.entry(channel.clone()).or_insert(position);
        }
        if self.random.chance(30) {
            let lobby = format!("lobby.{}", self.random.below(LOBBIES));
            self.ask("subscribe", json!({"channel": lobby, "join": true, "presence": true})).await?;
        }
        Ok(if resumes { Joined::Recovered } else { Joined::Anew })
    }

    /// Emits an event, and waits for its answer.
    async fn ask(&mut self, event: &str, question: Value) -> Result<Value, Trouble> {
        self.last_id += 1;
        let id = QUESTIONS + self.last_id;
        let text = json!([event, question]);
        self.wire()?.send(&format!("2{id}{text}")).await?;
        loop {
            let packet = self.wire()?.next().await?;
            let acknowledgement =
                packet.strip_prefix('3').and_then(|rest| rest.strip_prefix(&id.to_string()));
            if let Some(arguments) = acknowledgement {
                let answer = serde_json::from_str::<Value>(arguments).unwrap_or_default()[0].take();
                return match answer["status"].as_str() {
                    Some("ok") => Ok(answer),
                    _ if answer["error"]["status"] == 503 => Err(Trouble::Lost(answer.to_string())),
                    _ => Err(Trouble::Fault(format!("{event} is answered with {packet}"))),
                };
            }
            let heard = self.understand(&packet)?;
            self.heard.push_back(heard);
        }
    }

    fn understand(&mut self, packet: &str) -> Result<Heard, Trouble> {
        let Some((kind, rest)) = packet.split_at_checked(1) else {
            return Err(Trouble::Fault("an empty packet".into()));
        };
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (id, arguments) = rest.split_at(digits);
        let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
        match kind {
            "2" => {
                let position = arguments.as_array().and_then(|all| all.last()?.as_str());
                if self.revision == 4
                    && let Some(position) =
                        position.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                {
                    self.offset = Some(position.to_owned());
                    let channel = arguments[1]["c"].as_str().unwrap_or_default();
                    if let Some(cursor) = self.cursors.get_mut(channel) {
                        position.clone_into(cursor);
                    }
                }
                if !id.is_empty() {
                    let answer = json!([{"from": self.name}]);
                    self.wire()?.owe(&format!("3{id}{answer}"));
                    self.world.count("replies given");
                }
                match arguments[0].as_str() {
                    Some("presence") => Ok(Heard::Other("presence events heard")),
                    Some("antiphon.error") => Err(Trouble::Fault(packet.to_owned())),
                    _ => Ok(Heard::payload(&arguments[1])),
                }
            }
            "3" => {
                let id = id.parse().unwrap_or_default();
                match arguments[0]["status"].as_str() {
                    Some("ok") => Ok(Heard::Taken(id)),
                    _ => Ok(Heard::Refused(id, arguments[0].to_string())),
                }
            }
            "1" => Err(Trouble::Lost("the server disconnected the socket".into())),
            _ => Err(Trouble::Fault(format!("what is {packet:?}?"))),
        }
    }
}

impl Client for SocketIoClient {
    fn has_keys(&self) -> bool {
        true
    }

    fn forget(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.session = None;
        self.offset = None;
        self.cursors.clear();
        self.heard.clear();
    }

    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>> {
        async move {
            if self.revision == 3 {
                // It comes anew, and what it had not looked at is of its former connection.
                self.heard.clear();
            }
            // Broadcasts have no position, so those come again.
            self.heard.retain(|heard| !heard.is_broadcast());
            let query = match self.revision {
                3 => format!("&token={KEY}&identity={}", encoded(&self.name)),
                _ => String::new(),
            };
            let wire = Wire::open(&self.world.api, &query, self.way, self.revision).await?;
            self.wire = Some(wire);
            let is_back = self.enter().await?;
            if is_back {
                self.world.count("sockets recovered");
            } else {
                self.offset = None;
            }
            let joined = if is_back { Joined::Recovered } else { self.subscribe(channels).await? };
            if self.way == Way::Upgrade {
                self.wire()?.upgrade().await?;
                self.world.count("upgrades");
            }
            Ok(joined)
        }
        .boxed()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>> {
        async move {
            if let Some(heard) = self.heard.pop_front() {
                return Ok(vec![heard]);
            }
            let packet = self.wire()?.next().await?;
            Ok(vec![self.understand(&packet)?])
        }
        .boxed()
    }

    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>> {
        async move {
            self.last_id += 1;
            let id = self.last_id;
            let publish = json!(["publish", {"channel": note.channel, "payload": note.payload(),
                "idempotency_key": note.key()}]);
            self.wire()?.send(&format!("2{id}{publish}")).await?;
            Ok(Said::Pending(id))
        }
        .boxed()
    }

    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let channel = self.random.pick(channels).clone();
            match self.random.below(4) {
                0 => {
                    let page = self.ask("history", json!({"channel": channel, "limit": 30})).await?;
                    native::check_page(&page)?;
                }
                1 => drop(self.ask("presence", json!("lobby.0")).await?),
                2 => {
                    let question = json!({"channel": channel, "payload": {"ask": 3}, "timeout": 300});
                    self.ask("broadcast", question).await?;
                }
                _ => native::chore(&self.world, &mut self.random, &channel).await?,
            }
            Ok(())
        }
        .boxed()
    }

    fn leave(&mut self, manner: Manner) -> BoxFuture<'_, ()> {
        async move {
            let Some(wire) = self.wire.take() else { return };
            match manner {
                Manner::Clean => wire.close().await,
                Manner::Abort => wire.abort(),
                Manner::HalfOpen => self.world.leave_behind(wire, half_open_for(&mut self.random)),
            }
        }
        .boxed()
    }
}
