//! Being present, by subscribing or by saying so.

use std::time::Duration;

use antiphon_hub::PresenceError;
use antiphon_model::RawJson;
use antiphon_node::PresenceFailed;
use tokio::time::sleep;

use super::asked::{Asked, Place, States};
use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;

/// How long the heartbeat of somebody new waits. Clients send it at once with a subscribe, which is to be first: they hear of
/// themselves only what comes after it.
const SUBSCRIBE_FIRST: Duration = Duration::from_millis(100);

/// `GET /v2/presence/sub-key/{sub}/channel/{channels}/heartbeat?heartbeat&state&channel-group`
pub(super) async fn heartbeat(request: Request) -> Answer {
    request.needs_uuid()?;
    let asked = Asked::of(&request)?;
    asked.may_read(&request)?;
    let states = States::of(&request)?;
    let places = asked.places(&request);
    if is_new(&request, &places)? {
        sleep(SUBSCRIBE_FIRST).await;
    }
    beat(&request, &places, &states)?;
    Ok(answer::written(r#"{"status":200,"message":"OK","service":"Presence"}"#))
}

/// `GET …/channel/{channels}/leave?channel-group`
pub(super) async fn leave(request: Request) -> Answer {
    request.needs_uuid()?;
    let asked = Asked::of(&request)?;
    asked.may_read(&request)?;
    for place in asked.places(&request) {
        request.node().depart(&request.caller, &place.channel)?;
    }
    Ok(answer::written(r#"{"status":200,"message":"OK","action":"leave","service":"Presence"}"#))
}

/// Whether who asks is not present yet somewhere.
pub(super) fn is_new(request: &Request, places: &[Place]) -> Result<bool, Refusal> {
    let identity = &request.caller.identity;
    for place in places {
        if request.node().member(&request.caller, &place.channel, identity)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts who asks as present at these places, for as long as he says. Who says no name is nowhere.
///
/// # Errors
/// A state is too long. Channels that count nobody, or nobody more, are passed over.
pub(super) fn beat(request: &Request, places: &[Place], states: &States) -> Result<(), Refusal> {
    if request.uuid.is_none() {
        return Ok(());
    }
    let time = time(request);
    for place in places {
        let (org, name) = (&request.keyset.org, place.channel.name());
        let kept = request.shared.states.take(org, name, &request.caller.identity.id);
        beat_at(request, place, time, states.at(place).or(kept))?;
    }
    Ok(())
}

fn beat_at(request: &Request, place: &Place, time: Duration, state: Option<RawJson>) -> Result<(), Refusal> {
    match request.node().heartbeat(&request.caller, &place.channel, time, state) {
        Ok(()) => Ok(()),
        Err(PresenceFailed::Presence(error)) => {
            debug_assert_ne!(error, PresenceError::NotPresent);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// How long a heartbeat counts.
fn time(request: &Request) -> Duration {
    let settings = request.settings();
    let asked = request.query.number("heartbeat").filter(|secs| *secs > 0);
    asked.map_or(settings.presence_timeout_default, Duration::from_secs).min(settings.presence_timeout_max)
}
