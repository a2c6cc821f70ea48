use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Heard, Listener, Target, not_connected};
use crate::{EventReader, Lost, Position};

/// Server-sent events, as `EventSource` hears them.
pub(super) struct SseListener {
    target: Target,
    last_id: String,
    events: Option<EventReader>,
}

impl SseListener {
    pub(super) fn new(target: &Target) -> SseListener {
        SseListener { target: target.clone(), last_id: String::new(), events: None }
    }
}

impl Listener for SseListener {
    fn connect(&mut self, since: Position) -> BoxFuture<'_, Result<(), Lost>> {
        async move {
            // The URL stays the same for an `EventSource`; what it knows better is in the header.
            let call =
                self.target.api.get(&self.target.path("since=0")).header("accept", "text/event-stream");
            let id = if self.last_id.is_empty() { since.to_string() } else { self.last_id.clone() };
            self.events = Some(EventReader::new(call.header("last-event-id", &id).try_stream().await?));
            Ok(())
        }
        .boxed()
    }

    fn hear(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Lost>> {
        async move {
            let events = self.events.as_mut().ok_or_else(not_connected)?;
            let event = events.try_next().await?.ok_or_else(|| Lost("the stream ended".into()))?;
            self.last_id.clone_from(&events.last_id);
            Ok(vec![match event.name.as_str() {
                "antiphon.gap" => Heard::Gap,
                "antiphon.close" => Heard::Closing(event.data),
                _ => {
                    let payload = serde_json::from_str(&event.data).unwrap_or(Value::String(event.data));
                    Heard::Message { position: event.id.parse().ok(), payload }
                }
            }])
        }
        .boxed()
    }
}
