use antiphon_tests::{Api, Lost, Position, encoded, position};
use serde_json::Value;

use crate::ledger::Message;

/// A message in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) position: Position,
    pub(crate) message: Message,
}

/// All that a channel keeps, oldest first.
///
/// # Panics
/// It cannot be read, positions do not rise, or there is a gap.
pub(crate) async fn history(api: &Api, channel: &str) -> Vec<Kept> {
    match try_history(api, channel).await {
        Ok(kept) => kept,
        Err(Lost(why)) => panic!("the history of {channel} cannot be read: {why}"),
    }
}

/// What all of these channels keep.
pub(crate) async fn histories(api: &Api, channels: &[&str]) -> Vec<Kept> {
    let mut all = Vec::new();
    for channel in channels {
        all.extend(history(api, channel).await);
    }
    all
}

async fn try_history(api: &Api, channel: &str) -> Result<Vec<Kept>, Lost> {
    let mut all = Vec::new();
    let mut since = 0;
    loop {
        let path = format!("/v1/channels/{}?since={since}&limit=1000", encoded(channel));
        let answer = api.get(&path).try_send().await?;
        if answer.status != 200 {
            return Err(Lost(answer.text()));
        }
        let page = answer.json();
        assert_eq!(page["gap"], false, "{channel} has a gap after {since}");
        let messages = page["messages"].as_array().expect("a page has messages");
        if messages.is_empty() {
            return Ok(all);
        }
        for one in messages {
            let at = position(&one["position"]);
            assert!(at > since, "{channel}: {at} came after {since}");
            since = at;
            all.extend(message_of(&one["payload"]).map(|message| Kept { position: at, message }));
        }
    }
}

/// The message that a payload is, if it is one of a load.
pub(crate) fn message_of(payload: &Value) -> Option<Message> {
    Some((payload["publisher"].as_str()?.to_owned(), payload["number"].as_u64()?))
}
