use std::sync::Arc;
use std::time::Duration;

use antiphon_access::pam::Bits;
use antiphon_model::{ChannelId, Draft, Kind, Payload, Position, RawJson, Storing};
use bytes::Bytes;

use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::names::{PRESENCE_SUFFIX, channel, wildcard_prefix};

/// `GET /publish/{pub}/{sub}/0/{channel}/0/{json}`
pub(super) async fn by_get(request: Request) -> Answer {
    let json = request.path.of("json").to_owned();
    message(&request, json.into()).await
}

/// `POST /publish/{pub}/{sub}/0/{channel}/0`
pub(super) async fn by_post(request: Request) -> Answer {
    let json = request.body.clone();
    message(&request, json).await
}

/// `GET /signal/{pub}/{sub}/0/{channel}/0/{json}`
pub(super) async fn signal(request: Request) -> Answer {
    let json = request.path.of("json").to_owned();
    send_signal(&request, json.into()).await
}

/// `POST /signal/{pub}/{sub}/0/{channel}/0`
pub(super) async fn signal_by_post(request: Request) -> Answer {
    let json = request.body.clone();
    send_signal(&request, json).await
}

async fn message(request: &Request, json: Bytes) -> Answer {
    let channel = target(request)?;
    let max = request.settings().message_bytes_max;
    let mut draft = Draft::new(channel, payload(json, max, "Message Too Large")?);
    options(request, &mut draft)?;
    if is_fired(request) {
        return sent(request.shared.ticks.next(request.worker.now().wall));
    }
    sent(publish(request, draft).await?)
}

/// Whether a message is neither stored nor handed on: where it comes from, functions alone would be given it.
fn is_fired(request: &Request) -> bool {
    request.query.says_no("store") && request.query.says_yes("norep")
}

async fn send_signal(request: &Request, json: Bytes) -> Answer {
    let channel = target(request)?;
    let max = request.settings().signal_bytes_max;
    let mut draft = Draft::new(channel, payload(json, max, "Signal size too large")?);
    draft.kind = Kind::Signal;
    draft.storing = Storing::Never;
    sent(publish(request, draft).await?)
}

/// The channel of the path, if the request has the publish key and may write there.
///
/// # Errors
/// The key is another one, nothing can be published on that name, or the request may not.
pub(super) fn target(request: &Request) -> Result<Arc<ChannelId>, Refusal> {
    let (access, now) = (request.node().access(), request.worker.now().monotonic);
    let is_its = request.path.of("pub") == &*request.keyset.publish_key;
    let look = || if is_its { Ok(()) } else { Err(Refusal::bad("Invalid Key").for_a_guess()) };
    access.attempt(request.caller.network, now, look)?;
    let name = request.path.of("channel");
    // These are names of what is subscribed to, not of a channel.
    let is_none = name.contains(',') || name.ends_with(PRESENCE_SUFFIX) || wildcard_prefix(name).is_some();
    let channel = if is_none { None } else { channel(name).ok() };
    let channel = channel.ok_or_else(|| Refusal::bad("Invalid Channel"))?;
    request.may_on([name], Bits::WRITE)?;
    Ok(channel)
}

/// A payload of JSON.
///
/// # Errors
/// It is too long, or not JSON.
pub(super) fn payload(json: Bytes, bytes_max: usize, too_large: &'static str) -> Result<Payload, Refusal> {
    if json.len() > bytes_max {
        return Err(Refusal::bad(too_large));
    }
    RawJson::new(json).map(Payload::Json).map_err(|_| Refusal::bad("Invalid JSON"))
}

/// What a query says about a publication: `store`, `ttl` in hours, and `meta`.
///
/// # Errors
/// The meta is not JSON.
pub(super) fn options(request: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    if request.query.says_no("store") {
        draft.storing = Storing::Never;
    }
    // 0 is for ever, or for as long as the channel's rule says.
    let hours = request.query.number("ttl").filter(|hours| *hours > 0);
    draft.ttl = hours.map(|hours| Duration::from_secs(hours.saturating_mul(3600)));
    let meta = request.query.filled("meta").filter(|meta| meta.trim() != "null");
    let meta = meta.map(|meta| RawJson::new(Bytes::copy_from_slice(meta.as_bytes()))).transpose();
    draft.meta = meta.map_err(|_| Refusal::bad("Invalid JSON"))?;
    Ok(())
}

/// Publishes, and waits until it is stored if it is to be.
///
/// # Errors
/// The caller may not, a limit is passed, or it is not stored.
pub(super) async fn publish(request: &Request, draft: Draft) -> Result<Position, Refusal> {
    Ok(request.node().publish_and_wait(&request.caller, draft).await?.position)
}

/// `[1,"Sent","<timetoken>"]`
pub(super) fn sent(position: Position) -> Answer {
    Ok(answer::written(format!("[1,\"Sent\",\"{position}\"]")))
}
