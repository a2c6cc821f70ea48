//! Who is where.

use std::sync::Arc;

use antiphon_access::pam::{Bits, Resource};
use antiphon_hub::Member;
use antiphon_model::ChannelId;
use serde_json::{Map, Value, json};

use super::asked::{Asked, Listed};
use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::presence::object;

/// `GET /v2/presence/sub-key/{sub}/channel/{channels}?state&disable_uuids&channel-group`
///
/// One channel and no group is answered flat, everything else by channel: clients read what they asked for.
pub(super) async fn here_now(request: Request) -> Answer {
    let asked = Asked::of(&request)?;
    asked.may_read(&request)?;
    let mut left = request.settings().here_now_members_max;
    if asked.listed == Listed::OneChannel {
        let place = asked.places(&request).into_iter().next();
        let here = match place {
            Some(place) => here(&request, &place.channel, &mut left)?,
            None => Here::default(),
        };
        let mut body = json!({ "status": 200, "message": "OK", "service": "Presence" });
        here.write(&mut body);
        return answer::json(&body);
    }
    let mut channels = Map::new();
    let mut occupancy = 0;
    for place in asked.places(&request) {
        let here = here(&request, &place.channel, &mut left)?;
        occupancy += here.occupancy;
        let mut channel = json!({});
        here.write(&mut channel);
        channels.insert(place.channel.name().to_owned(), channel);
    }
    by_channel(channels, occupancy)
}

/// `GET /v2/presence/sub-key/{sub}`: every channel where somebody is, and that the client may read. Of others it is not told.
pub(super) async fn everywhere(request: Request) -> Answer {
    let mut occupied = request.node().occupied(&request.caller, request.settings().here_now_channels_max);
    occupied.retain(|(channel, _)| may_read(&request, channel));
    let mut left = request.settings().here_now_members_max;
    let mut channels = Map::new();
    let mut occupancy = 0;
    for (channel, _) in occupied {
        let here = here(&request, &channel, &mut left)?;
        occupancy += here.occupancy;
        let mut body = json!({});
        here.write(&mut body);
        channels.insert(channel.name().to_owned(), body);
    }
    by_channel(channels, occupancy)
}

/// `GET /v2/presence/sub-key/{sub}/uuid/{uuid}`: where one is, of the channels that the client may read.
pub(super) async fn where_now(request: Request) -> Answer {
    let who = request.keyset.caller(Some(request.path.of("uuid")))?;
    let max = request.settings().here_now_channels_max;
    let channels = request.node().channels_of(&request.caller, &who.identity, max);
    let readable = channels.iter().filter(|channel| may_read(&request, channel));
    let channels: Vec<&str> = readable.map(|channel| channel.name()).collect();
    let payload = json!({ "channels": channels });
    answer::json(&json!({ "status": 200, "message": "OK", "payload": payload, "service": "Presence" }))
}

/// Whether a channel may be named that the client did not name.
fn may_read(request: &Request, channel: &ChannelId) -> bool {
    request.permit.check(Resource::Channel(channel.name()), Bits::READ).is_ok()
}

/// Who is on a channel, as it is answered.
#[derive(Default)]
struct Here {
    occupancy: usize,
    /// None if they are not to be named.
    uuids: Option<Vec<Value>>,
}

impl Here {
    fn write(self, body: &mut Value) {
        body["occupancy"] = self.occupancy.into();
        if let Some(uuids) = self.uuids {
            body["uuids"] = uuids.into();
        }
    }
}

/// Who is on a channel; at most `left` are named, which are then fewer.
fn here(request: &Request, channel: &Arc<ChannelId>, left: &mut usize) -> Result<Here, Refusal> {
    let limit = if request.query.says_yes("disable_uuids") { 0 } else { *left };
    let (occupancy, members) = request.node().members(&request.caller, channel, limit)?;
    if request.query.says_yes("disable_uuids") {
        return Ok(Here { occupancy, uuids: None });
    }
    *left -= members.len();
    let with_state = request.query.says_yes("state");
    let uuids = members.iter().map(|member| named(member, with_state)).collect();
    Ok(Here { occupancy, uuids: Some(uuids) })
}

fn named(member: &Member, with_state: bool) -> Value {
    let uuid: &str = &member.identity.id;
    match (with_state, &member.state) {
        (false, _) => uuid.into(),
        (true, None) => json!({ "uuid": uuid }),
        (true, Some(state)) => {
            json!({ "uuid": uuid, "state": serde_json::from_str::<Value>(&object(state.as_str())).unwrap_or_default() })
        }
    }
}

fn by_channel(channels: Map<String, Value>, occupancy: usize) -> Answer {
    let payload =
        json!({ "total_channels": channels.len(), "total_occupancy": occupancy, "channels": channels });
    answer::json(&json!({ "status": 200, "message": "OK", "payload": payload, "service": "Presence" }))
}
