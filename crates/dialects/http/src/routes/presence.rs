use std::time::Duration;

use antiphon_hub::Member;
use http::StatusCode;

use super::{Answer, Request, json};
use crate::wire::json::{write_line, write_string};
use crate::wire::media;
use antiphon_net::request::RequestBody;

/// How many members an answer has at most.
pub(crate) const MEMBERS_MAX: usize = 1000;

/// For how long `PUT` makes present if it does not say.
const TTL_DEFAULT: Duration = Duration::from_secs(30);

/// Shorter makes no sense over HTTP.
const TTL_MIN: Duration = Duration::from_secs(1);

/// `GET /v1/channels/{channel}/presence`
pub(crate) fn members(request: &Request, name: &str) -> Answer {
    let channel = request.channel(name)?;
    let limit = request.query().number("limit", 1..=MEMBERS_MAX)?.unwrap_or(MEMBERS_MAX);
    let (occupancy, members) = request.node().members(&request.caller, &channel, limit)?;
    Ok(json(StatusCode::OK, members_json(occupancy, &members)))
}

/// `PUT /v1/channels/{channel}/presence`
pub(crate) async fn join(request: Request, name: &str, body: &mut RequestBody) -> Answer {
    let channel = request.channel(name)?;
    let ttl_max = Duration::from_secs(request.settings.presence_ttl_secs_max);
    let ttl = request.query().duration("ttl")?.unwrap_or(TTL_DEFAULT).min(ttl_max).max(TTL_MIN);
    let body = body.read(request.limits().presence_state_bytes_max).await?;
    let state = if body.is_empty() { None } else { Some(media::json(body)?) };
    request.node().heartbeat(&request.caller, &channel, ttl, state)?;
    Ok(json(StatusCode::OK, "{}"))
}

/// `DELETE /v1/channels/{channel}/presence`
pub(crate) fn leave(request: &Request, name: &str) -> Answer {
    let channel = request.channel(name)?;
    request.node().depart(&request.caller, &channel)?;
    Ok(json(StatusCode::OK, "{}"))
}

/// `{"occupancy":2,"members":[…]}`
fn members_json(occupancy: usize, members: &[Member]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    write_members(occupancy, members, &mut out);
    out.push(b'}');
    out
}

/// Writes `"occupancy":2,"members":[{"identity":"alice","state":{…},"sessions":1}]`.
pub(crate) fn write_members(occupancy: usize, members: &[Member], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\"occupancy\":{occupancy},\"members\":[").as_bytes());
    for (index, member) in members.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"identity\":" } else { b"{\"identity\":" });
        write_string(&member.identity.id, out);
        if let Some(state) = &member.state {
            out.extend_from_slice(b",\"state\":");
            write_line(state.as_bytes(), out);
        }
        out.extend_from_slice(format!(",\"sessions\":{}}}", member.sessions).as_bytes());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{Identity, IdentityKind, RawJson};
    use std::sync::Arc;

    #[test]
    fn members_by_example() {
        let member = |id: &str, state: Option<&'static str>| Member {
            identity: Arc::new(Identity::new(IdentityKind::User, id)),
            state: state.map(RawJson::from_serializer),
            sessions: 1,
        };
        let members = [member("a\"b", Some("{\n}")), member("c", None)];
        assert_eq!(
            String::from_utf8(members_json(3, &members)).unwrap(),
            r#"{"occupancy":3,"members":[{"identity":"a\"b","state":{},"sessions":1},{"identity":"c","sessions":1}]}"#
        );
        assert_eq!(members_json(0, &[]), br#"{"occupancy":0,"members":[]}"#);
    }
}
