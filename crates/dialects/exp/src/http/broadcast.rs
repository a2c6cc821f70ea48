use std::sync::Arc;
use std::time::Duration;

use antiphon_access::Caller;
use antiphon_hub::ReplyError;
use antiphon_model::{ChannelId, Draft, Position};
use antiphon_net::Worker;
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_net::request::query::InvalidParameter;
use antiphon_net::request::{RequestBody, event_name};
use antiphon_node::ReplyFailed;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Answer, Asking, json};
use crate::wire::broadcast::{self, Broadcast, Response, parse};
use crate::wire::channel::{ChannelArgument, ID_BYTES_MAX};
use crate::wire::payload;

/// How long a body may be beside its payload: the channel's id, the event name with every character escaped, and some more.
const BESIDE_PAYLOAD_BYTES_MAX: usize = 2 * ID_BYTES_MAX;

/// How long an answer waits at most for workers to deliver what it is about.
const DELIVERY_MAX: Duration = Duration::from_secs(1);

/// `POST /api/networks/current/broadcasts?timeout=`
pub(super) async fn broadcast(asking: Asking<'_>, body: &mut RequestBody) -> Answer {
    let caller = asking.identify()?;
    let settings = &asking.shared.settings;
    let time = asking.query().one("timeout")?;
    let time = broadcast::timeout(time.as_deref(), settings.timeout_default, settings.timeout_max);
    let draft = draft(&caller, &read(&caller, body).await?)?;
    let worker = asking.worker;
    let collected = worker.node().broadcast_and_collect(&caller, draft, time, None).await?;
    delivered(&worker).await;
    Ok(json(payload::responses(&collected.replies)))
}

/// `POST /api/networks/current/responses`
pub(super) async fn respond(asking: Asking<'_>, body: &mut RequestBody) -> Answer {
    let caller = asking.identify()?;
    let body = read(&caller, body).await?;
    let response: Response<'_> = parse(&body)?;
    let channel = channel(&caller, &response.channel)?;
    let position: Position =
        response.id.parse().map_err(|_| InvalidParameter::new("id", "is the id of a broadcast"))?;
    let payload = read_payload(response.payload)?;
    match asking.worker.node().reply(&caller, position, &channel, payload) {
        Ok(()) => Ok(json("{}")),
        // No error to clients: programs that use the SDK seldom expect one here, and Node ends those that do not.
        Err(ReplyFailed::Reply(ReplyError::NobodyCollects | ReplyError::TooMany)) => {
            Ok(json(r#"{"collected":false}"#))
        }
        Err(error) => Err(error.into()),
    }
}

async fn read(caller: &Caller, body: &mut RequestBody) -> Result<Bytes, Problem> {
    body.read(caller.limits.payload_bytes_max.saturating_add(BESIDE_PAYLOAD_BYTES_MAX)).await
}

fn draft(caller: &Caller, body: &[u8]) -> Result<Draft, Problem> {
    let said: Broadcast<'_> = parse(body)?;
    let channel = channel(caller, &said.channel)?;
    let name = said.name.map(|name| event_name(&name, &caller.limits)).transpose();
    let name = name.map_err(|reason| InvalidParameter::new("name", reason))?;
    Ok(Draft { name, ..Draft::new(Arc::new(channel), read_payload(said.payload)?) })
}

fn channel(caller: &Caller, argument: &ChannelArgument<'_>) -> Result<ChannelId, Problem> {
    Ok(argument.resolve()?.within(&caller.org)?)
}

fn read_payload(json: Option<&serde_json::value::RawValue>) -> Result<antiphon_model::Payload, Problem> {
    payload::read(json)
        .map_err(|error| Problem::new(ProblemKind::InvalidBody, format!("the payload {error}")))
}

/// Waits until every worker has given its listeners what was published before: the publisher's own socket, which may be on any of
/// them, has it before its request is answered.
async fn delivered(worker: &Worker) {
    let workers = worker.workers();
    let each = workers.ids().map(|id| {
        let (sender, receiver) = oneshot::channel();
        workers.run(id, move |_| _ = sender.send(()));
        receiver
    });
    // A worker that is that late has fallen behind: then the answer does not wait for it.
    let _ = timeout(DELIVERY_MAX, join_all(each)).await;
}
