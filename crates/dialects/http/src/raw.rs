//! The raw WebSocket: what is sent is published, what is heard are payloads. No envelope, no acknowledgements.

use std::sync::Arc;

use antiphon_hub::{ReplyEvent, Since};
use antiphon_model::{ChannelId, Draft, Payload, Storing};
use antiphon_net::{Client, Close, ListenError, Listening, MessageKind, WebSocketSession};
use antiphon_node::{PublishError, Receipt};
use bytes::Bytes;

use crate::codes::{close_after_join, close_after_listen, close_after_publish};
use crate::formats;
use crate::routes::listen::wants_of;
use crate::wire::listen::Listen;

/// Whether a client gets what it publishes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

/// A raw WebSocket connection.
pub(crate) struct RawSession {
    /// What to listen to, until it does.
    listen: Option<Box<Listen>>,
    /// Where it publishes: the first channel that it listens to.
    channel: Arc<ChannelId>,
    echo: Echo,
    storing: Storing,
}

impl RawSession {
    /// A session that will listen to this. None if it names no channel.
    pub(crate) fn new(listen: Listen) -> Option<RawSession> {
        Some(RawSession {
            channel: Arc::clone(listen.channels.first()?),
            echo: if listen.echo { Echo::On } else { Echo::Off },
            storing: listen.storing,
            listen: Some(Box::new(listen)),
        })
    }

    fn draft(&self, kind: MessageKind, data: &[u8], client: &Client) -> Draft {
        let bytes = Bytes::copy_from_slice(data);
        let payload = match kind {
            MessageKind::Text => Payload::from_text(bytes),
            MessageKind::Binary => Payload::Binary(bytes),
        };
        Draft {
            storing: self.storing,
            except: (self.echo == Echo::Off).then(|| client.session()),
            ..Draft::new(Arc::clone(&self.channel), payload)
        }
    }
}

impl WebSocketSession for RawSession {
    fn handle_open(&mut self, client: &Client) {
        let Some(listen) = self.listen.take() else { return };
        let wants = wants_of(&listen, listen.since.map_or(Since::Now, Since::After), &formats::RAW);
        if let Some(begun) = client.try_listen(&wants) {
            if let Some(first) = begun.as_ref().ok().and_then(|listening| listening.channels.first()) {
                // The same, as others here have it.
                self.channel = Arc::clone(&first.channel);
            }
            return begin(client, &listen, begun);
        }
        let begins = client.clone();
        client.spawn(async move {
            let begun = begins.listen(wants).await;
            begin(&begins, &listen, begun);
        });
    }

    fn handle_message(&mut self, kind: MessageKind, data: &[u8], client: &Client) {
        let draft = self.draft(kind, data, client);
        if let Err(error) = client.publish(draft, 0) {
            end(client, close_after_publish(error));
        }
    }

    fn handle_published(&mut self, _: u64, result: Result<Receipt, PublishError>, client: &Client) {
        if let Err(error) = result {
            end(client, close_after_publish(error));
        }
    }

    fn handle_reply(&mut self, _: u64, _: ReplyEvent, _: &Client) {}
}

fn begin(client: &Client, listen: &Listen, begun: Result<Listening, ListenError>) {
    let listening = match begun {
        Ok(listening) => listening,
        Err(error) => return client.close(close_after_listen(&error)),
    };
    client.send_publications(&listening);
    if !listen.join {
        return;
    }
    for channel in &listen.channels {
        if let Err(error) = client.join(channel, listen.state.clone()) {
            return client.close(close_after_join(&error));
        }
    }
}

fn end(client: &Client, close: Option<Close>) {
    if let Some(close) = close {
        client.close(close);
    }
}
