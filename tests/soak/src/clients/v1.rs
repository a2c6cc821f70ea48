use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_tests::{Api, V1, encoded};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::native;
use crate::channels::LOBBIES;
use crate::client::{Client, Heard, Manner, Note, Said, Trouble, half_open_for};
use crate::credentials::{KEY, mint};
use crate::hearing::Joined;
use crate::random::Random;
use crate::world::World;

/// A client of `antiphon.v1`, with an API key or a token that ends soon.
pub(super) struct V1Client {
    world: Arc<World>,
    random: Random,
    name: String,
    /// Of each channel where it stopped.
    cursors: HashMap<String, String>,
    link: Option<V1>,
    token: Option<Token>,
    /// What is to be sent before anything else is heard.
    owed: Option<String>,
}

/// A token and when it ends.
struct Token {
    ends: Instant,
    /// Whether the client sends the next one in time.
    is_renewed: bool,
}

impl V1Client {
    pub(super) fn new(world: &Arc<World>, random: Random) -> V1Client {
        V1Client {
            world: Arc::clone(world),
            random,
            name: String::new(),
            cursors: HashMap::new(),
            link: None,
            token: None,
            owed: None,
        }
    }

    fn link(&mut self) -> Result<&mut V1, Trouble> {
        self.link.as_mut().ok_or_else(|| Trouble::Lost("not connected".into()))
    }

    /// With an API key, or with a token of its own.
    fn api(&mut self) -> Api {
        self.token = None;
        if self.random.chance(60) {
            return self.world.api.with_token(KEY);
        }
        let seconds = 10 + self.random.below(20) as u64;
        let is_renewed = self.random.chance(70);
        self.token = Some(Token { ends: Instant::now() + Duration::from_secs(seconds), is_renewed });
        self.world.count("tokens minted");
        self.world.api.with_token(&mint(&self.name, seconds))
    }

    async fn subscribe(&mut self, channels: &[String]) -> Result<Joined, Trouble> {
        let joined = match channels.iter().all(|channel| self.cursors.contains_key(channel)) {
            true => Joined::Resumed,
            false => Joined::Anew,
        };
        let describe = |channel: &String| match self.cursors.get(channel) {
            Some(since) => json!({"channel": channel, "since": since}),
            None => json!({"channel": channel}),
        };
        let mut asked: Vec<_> = channels.iter().map(describe).collect();
        if self.random.chance(40) {
            let number = self.random.below(LOBBIES);
            asked.push(json!({"channel": format!("lobby.{number}"), "presence": true, "join": true,
                "state": {"since": self.world.seconds()}}));
        }
        let answer = self.link()?.try_ask(json!({"type": "subscribe", "channels": asked})).await?;
        if answer["type"] != "ok" {
            return Err(not_ok(&answer));
        }
        for (channel, told) in channels.iter().zip(answer["channels"].as_array().into_iter().flatten()) {
            let position = told["position"].as_str().unwrap_or_default().to_owned();
            self.cursors.entry(channel.clone()).or_insert(position);
        }
        Ok(joined)
    }

    fn understand(&mut self, said: &Value) -> Result<Option<Heard>, Trouble> {
        let text = |member: &str| said[member].as_str().unwrap_or_default().to_owned();
        Ok(Some(match said["type"].as_str() {
            Some("message") if said["kind"] == "presence" => Heard::Other("presence events heard"),
            Some("message") => {
                if let Some(cursor) = self.cursors.get_mut(&text("channel")) {
                    *cursor = text("position");
                }
                Heard::payload(&said["payload"])
            }
            Some("gap") => Heard::Gap { channel: text("channel") },
            Some("ok") => Heard::Taken(said["id"].as_u64().unwrap_or_default()),
            Some("error") => {
                Heard::Refused(said["id"].as_u64().unwrap_or_default(), said["error"].to_string())
            }
            Some("reply") => Heard::Other("replies got"),
            Some("replies_end") => Heard::Other("broadcasts answered"),
            Some("pong" | "open") => return Ok(None),
            Some("close") => return Err(self.closing(said)),
            _ => return Err(Trouble::Fault(format!("unasked for: {said}"))),
        }))
    }

    fn closing(&self, said: &Value) -> Trouble {
        let has_ended =
            self.token.as_ref().is_some_and(|token| token.ends <= Instant::now() + Duration::from_secs(2));
        if has_ended && said["reason"].as_str().is_some_and(|reason| reason.contains("expired")) {
            return Trouble::Expected("connections whose token ended");
        }
        Trouble::Lost(said.to_string())
    }

    /// Sends the next token if the one that it has is about to end.
    async fn renew(&mut self) -> Result<bool, Trouble> {
        let Some(token) = self.token.as_ref().filter(|token| token.is_renewed) else { return Ok(false) };
        if token.ends > Instant::now() + Duration::from_secs(8) {
            return Ok(false);
        }
        let next = mint(&self.name, 30);
        let answer = self.link()?.try_ask(json!({"type": "authenticate", "token": next})).await?;
        if answer["type"] != "ok" {
            return Err(not_ok(&answer));
        }
        self.token = Some(Token { ends: Instant::now() + Duration::from_secs(30), is_renewed: true });
        self.world.count("tokens renewed");
        Ok(true)
    }

    async fn ask(&mut self, question: Value) -> Result<Value, Trouble> {
        let answer = self.link()?.try_ask(question).await?;
        if matches!(answer["type"].as_str(), Some("ok" | "pong")) { Ok(answer) } else { Err(not_ok(&answer)) }
    }
}

fn not_ok(answer: &Value) -> Trouble {
    match answer["error"]["status"].as_u64() {
        Some(503) => Trouble::Lost(answer.to_string()),
        _ => Trouble::Fault(answer.to_string()),
    }
}

impl Client for V1Client {
    fn has_keys(&self) -> bool {
        true
    }

    fn forget(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.cursors.clear();
    }

    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>> {
        async move {
            self.owed = None;
            let api = self.api();
            let query = format!("identity={}", encoded(&self.name));
            self.link = Some(V1::try_connect(&api, &query).await?);
            self.subscribe(channels).await
        }
        .boxed()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>> {
        async move {
            if let Some(owed) = self.owed.clone() {
                self.link()?.send_raw(&owed).await?;
                self.owed = None;
            }
            let said = match self.link()?.try_next().await {
                Ok(said) => said,
                Err(closed) => return Err(Trouble::Lost(format!("{closed:?}"))),
            };
            if said["expects_replies"] == true {
                let reply = json!({"type": "reply", "channel": said["channel"], "to": said["position"],
                    "payload": {"from": self.name}});
                self.owed = Some(reply.to_string());
                self.world.count("replies given");
            }
            let is_error_of_reply = said["type"] == "error" && said["id"].is_null();
            if is_error_of_reply {
                return Ok(vec![Heard::Other("replies that came too late")]);
            }
            let heard = self.understand(&said)?;
            Ok(heard.into_iter().collect())
        }
        .boxed()
    }

    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>> {
        async move {
            let publish = json!({"type": "publish", "channel": note.channel, "payload": note.payload(),
                "idempotency_key": note.key()});
            Ok(Said::Pending(self.link()?.send(publish).await?))
        }
        .boxed()
    }

    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            if self.renew().await? {
                return Ok(());
            }
            let channel = self.random.pick(channels).clone();
            match self.random.below(5) {
                0 => {
                    let answer =
                        self.ask(json!({"type": "history", "channel": channel, "limit": 50})).await?;
                    native::check_page(&answer)?;
                }
                1 => drop(self.ask(json!({"type": "presence", "channel": "lobby.0"})).await?),
                2 => drop(self.ask(json!({"type": "ping"})).await?),
                3 => {
                    let broadcast = json!({"type": "broadcast", "channel": channel, "payload": {"ask": 1},
                        "timeout": "500ms"});
                    self.link()?.send(broadcast).await?;
                }
                _ => native::chore(&self.world, &mut self.random, &channel).await?,
            }
            Ok(())
        }
        .boxed()
    }

    fn leave(&mut self, manner: Manner) -> BoxFuture<'_, ()> {
        async move {
            let Some(link) = self.link.take() else { return };
            match manner {
                Manner::Clean => link.close().await,
                Manner::Abort => link.abort(),
                Manner::HalfOpen => self.world.leave_behind(link, half_open_for(&mut self.random)),
            }
        }
        .boxed()
    }
}
