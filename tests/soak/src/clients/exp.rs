use std::sync::Arc;

use antiphon_tests::encoded;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::native;
use super::wire::{Way, Wire};
use crate::client::{Client, Heard, Manner, Note, Said, Trouble, half_open_for};
use crate::credentials::{DEVICE_SECRET, DEVICES, ORG, login};
use crate::hearing::Joined;
use crate::random::Random;
use crate::world::World;

/// A device of the EXP network: it logs in, listens by a socket, and broadcasts by HTTP. What it misses it is not sent.
pub(super) struct ExpClient {
    world: Arc<World>,
    random: Random,
    uuid: String,
    token: Option<String>,
    wire: Option<Wire>,
}

impl ExpClient {
    pub(super) fn new(world: &Arc<World>, random: Random) -> ExpClient {
        ExpClient { world: Arc::clone(world), random, uuid: String::new(), token: None, wire: None }
    }

    fn wire(&mut self) -> Result<&mut Wire, Trouble> {
        self.wire.as_mut().ok_or_else(|| Trouble::Lost("not connected".into()))
    }

    /// Logs in, or asks for another token with the one that it has.
    async fn log_in(&mut self) -> Result<String, Trouble> {
        if let Some(token) = self.token.clone()
            && self.random.chance(40)
        {
            let answer =
                self.world.api.with_token(&token).post("/api/auth/token").json(&json!({})).try_send().await?;
            if answer.status == 200 {
                self.world.count("tokens refreshed");
                return Ok(answer.json()["token"].as_str().unwrap_or_default().to_owned());
            }
        }
        self.world.count("logins");
        login(&self.world.api, &self.uuid, DEVICE_SECRET).await
    }

    /// Broadcasts, and gives what was responded.
    async fn broadcast(&self, channel: &str, payload: &Value, timeout: u32) -> Result<Value, Trouble> {
        let api = self.world.api.with_token(self.token.as_deref().unwrap_or_default());
        let body = json!({"name": "said", "channel": {"name": channel}, "payload": payload});
        let path = format!("/api/networks/current/broadcasts?timeout={timeout}");
        native::fine(&api.post(&path).json(&body).try_send().await?)
    }

    fn hear(&self, packet: &str) -> Result<Heard, Trouble> {
        let event: Value =
            packet.strip_prefix('2').and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if event[0] != "broadcast" {
            return Err(Trouble::Fault(format!("what is {packet:?}?")));
        }
        let broadcast = &event[1];
        if !broadcast["payload"]["ask"].is_null() {
            let response = json!({"id": broadcast["id"], "channel": broadcast["channel"], "payload": {"from": self.uuid}});
            let api = self.world.api.with_token(self.token.as_deref().unwrap_or_default());
            let world = Arc::clone(&self.world);
            // By itself: what was heard must not be forgotten when this is given up.
            tokio::spawn(async move {
                match api.post("/api/networks/current/responses").json(&response).try_send().await {
                    Ok(answer) if answer.status == 200 => world.count("replies given"),
                    Ok(answer) if !answer.status.is_server_error() => world.fault("exp", answer.text()),
                    _ => {}
                }
            });
        }
        Ok(Heard::payload(&broadcast["payload"]))
    }
}

/// How a channel is called in the EXP network.
pub(super) fn channel_id(name: &str) -> String {
    STANDARD.encode(json!([ORG, name, 0, 0]).to_string())
}

/// Opens the socket of a token, and listens to these channels.
pub(super) async fn listen(
    world: &World,
    token: &str,
    way: Way,
    channels: &[String],
) -> Result<Wire, Trouble> {
    let mut wire = Wire::open(&world.api, &format!("&token={}", encoded(token)), way, 3).await?;
    let packet = wire.next().await?;
    if packet != "0" {
        return Err(Trouble::Fault(format!("{packet} instead of a connection")));
    }
    let ids: Vec<_> = channels.iter().map(|channel| channel_id(channel)).collect();
    wire.send(&format!("2{}", json!(["subscribe", ids]))).await?;
    Ok(wire)
}

impl Client for ExpClient {
    fn forget(&mut self, _: &str) {
        self.uuid = format!("device-{}", self.random.below(DEVICES));
        self.token = None;
    }

    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>> {
        async move {
            let token = self.log_in().await?;
            let way = *self.random.pick(&[Way::Socket, Way::Polling, Way::Upgrade]);
            let wire = listen(&self.world, &token, way, channels).await?;
            self.token = Some(token);
            self.wire = Some(wire);
            loop {
                let packet = self.wire()?.next().await?;
                if packet.starts_with(r#"2["subscribed""#) {
                    break;
                }
                // What it listened to before the connection broke off is its own again at once.
                self.hear(&packet)?;
            }
            if way == Way::Upgrade {
                self.wire()?.upgrade().await?;
                self.world.count("upgrades");
            }
            Ok(Joined::Anew)
        }
        .boxed()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>> {
        async move {
            let packet = self.wire()?.next().await?;
            Ok(vec![self.hear(&packet)?])
        }
        .boxed()
    }

    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>> {
        async move {
            self.broadcast(&note.channel, &note.payload(), 20).await?;
            Ok(Said::Taken)
        }
        .boxed()
    }

    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let responses = self.broadcast(&channels[0], &json!({"ask": 4}), 300).await?;
            self.world.count("broadcasts of the EXP network");
            self.world.add("responses collected", responses.as_array().map_or(0, Vec::len) as u64);
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
