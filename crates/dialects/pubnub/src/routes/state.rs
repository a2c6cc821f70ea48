//! What members say of themselves on a channel.

use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::{ChannelId, RawJson};
use antiphon_node::PresenceFailed;
use serde_json::{Map, Value, json};

use super::asked::{Asked, Listed, invalid_state};
use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::presence::object;

/// `GET /v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}/data?state&channel-group`
pub(super) async fn set(request: Request) -> Answer {
    let asked = Asked::of(&request)?;
    asked.may_read(&request)?;
    let text = request.query.filled("state").ok_or_else(|| Refusal::bad("No state specified."))?;
    let state: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid_state())?;
    // As it is written elsewhere too: the same state once more is no change.
    let kept =
        RawJson::shallow(Value::Object(state.clone()).to_string().into()).map_err(|_| invalid_state())?;
    let member = member(&request)?;
    for place in asked.places(&request) {
        match request.node().set_state(&member, &place.channel, Some(kept.clone())) {
            Ok(()) => {}
            Err(PresenceFailed::Presence(_)) => {
                let (name, uuid) = (place.channel.name(), &member.identity.id);
                request.shared.states.keep(&member.org, name, uuid, kept.clone());
            }
            Err(error) => return Err(error.into()),
        }
    }
    answer::json(&json!({ "status": 200, "message": "OK", "payload": state, "service": "Presence" }))
}

/// `GET /v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}?channel-group`
pub(super) async fn of(request: Request) -> Answer {
    let asked = Asked::of(&request)?;
    asked.may_read(&request)?;
    let member = member(&request)?;
    let mut body =
        json!({ "status": 200, "message": "OK", "service": "Presence", "uuid": &*member.identity.id });
    if asked.listed == Listed::OneChannel {
        let place = asked.places(&request).into_iter().next();
        body["payload"] = match &place {
            Some(place) => state(&request, &place.channel, &member)?.unwrap_or_else(|| json!({})),
            None => json!({}),
        };
        body["channel"] = request.path.of("channels").trim_matches(',').into();
        return answer::json(&body);
    }
    let mut channels = Map::new();
    for place in asked.places(&request) {
        let state = state(&request, &place.channel, &member)?.unwrap_or_else(|| json!({}));
        channels.insert(place.channel.name().to_owned(), state);
    }
    body["payload"] = json!({ "channels": channels });
    answer::json(&body)
}

/// Whose state it is, which need not be the one who asks.
fn member(request: &Request) -> Result<Caller, Refusal> {
    Ok(request.keyset.caller(Some(request.path.of("uuid")))?)
}

fn state(request: &Request, channel: &Arc<ChannelId>, member: &Caller) -> Result<Option<Value>, Refusal> {
    let found = request.node().member(&request.caller, channel, &member.identity)?;
    let kept = || request.shared.states.of(&member.org, channel.name(), &member.identity.id);
    let state = match found {
        Some(member) => member.state,
        None => kept(),
    };
    Ok(state.and_then(|state| serde_json::from_str(&object(state.as_str())).ok()))
}
