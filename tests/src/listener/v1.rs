use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::{Heard, Listener, Target, message, not_connected};
use crate::{Lost, Position, V1};

/// The subprotocol `antiphon.v1`.
pub(super) struct V1Listener {
    target: Target,
    client: Option<V1>,
}

impl V1Listener {
    pub(super) fn new(target: &Target) -> V1Listener {
        V1Listener { target: target.clone(), client: None }
    }
}

impl Listener for V1Listener {
    fn connect(&mut self, since: Position) -> BoxFuture<'_, Result<(), Lost>> {
        async move {
            let connected = V1::try_connect(&self.target.api, "").await;
            let mut client = connected.map_err(|refused| Lost(format!("{refused:?}")))?;
            let channel = json!({"channel": self.target.channel, "since": since.to_string()});
            let answer = client.try_ask(json!({"type": "subscribe", "channels": [channel]})).await?;
            if answer["type"] != "ok" {
                return Err(Lost(answer.to_string()));
            }
            self.client = Some(client);
            Ok(())
        }
        .boxed()
    }

    fn hear(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Lost>> {
        async move {
            let client = self.client.as_mut().ok_or_else(not_connected)?;
            let said = match client.try_next().await {
                Ok(said) => said,
                Err(closed) => {
                    // A socket that is kept keeps the server waiting for its end.
                    self.client = None;
                    return Err(Lost(format!("{closed:?}")));
                }
            };
            Ok(vec![match said["type"].as_str() {
                Some("message") => message(&said),
                Some("gap") => Heard::Gap,
                Some("close") => Heard::Closing(said["reason"].to_string()),
                _ => panic!("unasked for: {said}"),
            }])
        }
        .boxed()
    }
}
