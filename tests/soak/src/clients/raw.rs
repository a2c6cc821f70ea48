use std::sync::Arc;

use antiphon_tests::{Frame, WebSocket, encoded};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::native;
use crate::client::{Client, Heard, Manner, Note, Said, Trouble, half_open_for};
use crate::credentials::KEY;
use crate::hearing::Joined;
use crate::random::Random;
use crate::world::World;

/// A raw WebSocket on one channel. It is told neither positions nor that something was taken.
pub(super) struct RawClient {
    world: Arc<World>,
    random: Random,
    name: String,
    channel: String,
    socket: Option<WebSocket>,
}

impl RawClient {
    pub(super) fn new(world: &Arc<World>, random: Random) -> RawClient {
        let (name, channel) = (String::new(), String::new());
        RawClient { world: Arc::clone(world), random, name, channel, socket: None }
    }

    fn socket(&mut self) -> Result<&mut WebSocket, Trouble> {
        self.socket.as_mut().ok_or_else(|| Trouble::Lost("not connected".into()))
    }
}

impl Client for RawClient {
    fn listens_to(&self, channel: &str) -> bool {
        // One alone: the others are given away for it.
        channel.starts_with("keep.") || channel.starts_with("passing.")
    }

    fn forget(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.channel.clear();
    }

    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>> {
        async move {
            self.channel.clone_from(&channels[0]);
            // Payloads alone come from one channel, so whoever wants several asks for whole messages' payloads.
            let query: Vec<_> =
                channels.iter().map(|channel| format!("channel={}", encoded(channel))).collect();
            let identity = encoded(&self.name);
            let path = format!("/v1/events?{}&identity={identity}&token={KEY}", query.join("&"));
            self.socket = Some(WebSocket::connect(self.world.api.address(), &path, None, &[]).await?);
            Ok(Joined::Anew)
        }
        .boxed()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>> {
        async move {
            match self.socket()?.try_next().await {
                Ok(Frame::Text(text)) => {
                    let said: Value = serde_json::from_str(&text).unwrap_or_default();
                    // On several channels whole messages come.
                    let payload = if said["payload"].is_null() { &said } else { &said["payload"] };
                    Ok(vec![Heard::payload(payload)])
                }
                Ok(Frame::Binary(_)) => Ok(vec![Heard::Other("binary messages heard")]),
                Err(closed) => Err(Trouble::Lost(format!("{closed:?}"))),
            }
        }
        .boxed()
    }

    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>> {
        async move {
            // It publishes on its first channel alone; elsewhere it takes `POST`.
            if note.channel != self.channel {
                let identity = self.name.clone();
                return native::post(&self.world, &mut None, note, &identity).await;
            }
            self.socket()?.send_text(note.payload().to_string()).await?;
            Ok(Said::Untold)
        }
        .boxed()
    }

    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move { native::chore(&self.world, &mut self.random, &channels[0]).await }.boxed()
    }

    fn leave(&mut self, manner: Manner) -> BoxFuture<'_, ()> {
        async move {
            let Some(socket) = self.socket.take() else { return };
            match manner {
                Manner::Clean => socket.close().await,
                Manner::Abort => socket.abort(),
                Manner::HalfOpen => self.world.leave_behind(socket, half_open_for(&mut self.random)),
            }
        }
        .boxed()
    }
}
