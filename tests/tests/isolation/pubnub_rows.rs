//! The routes of the PubNub-compatible API, and what each needs.

use antiphon_access::pam::{Bits, Scopes};

use crate::pubnub_world::{Keysets, Names, with_auth};
use crate::told::Told;
use crate::world::Org;

/// A request for a route.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) pattern: &'static str,
    pub(crate) query: &'static str,
    pub(crate) body: &'static str,
    pub(crate) needs: Needs,
    /// The status for who may.
    pub(crate) answered: u16,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Needs {
    /// Everybody is answered the same.
    Nothing,
    /// A URL that was signed for it.
    Ticket,
    /// A signature by the secret key.
    Secret,
    /// Nothing, but what may not be read is left out.
    LeftOut,
    /// These permissions.
    All(&'static [(On, Bits)]),
}

/// What a permission is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum On {
    Channel(&'static str),
    Group(&'static str),
    User(&'static str),
}

use Needs::{All, LeftOut, Nothing, Secret, Ticket};
use On::{Channel, Group, User};

const ROOM: On = Channel("kept-room");
const ANN: On = User("kept-ann");

const READ: Needs = All(&[(ROOM, Bits::READ)]);
const WRITE: Needs = All(&[(ROOM, Bits::WRITE)]);
const DELETE: Needs = All(&[(ROOM, Bits::DELETE)]);
const GROUP: Needs = All(&[(Group("kept-grp"), Bits::MANAGE)]);
const OF_USER: Needs = All(&[(ANN, Bits::UPDATE), (ROOM, Bits::JOIN)]);

const HISTORY: &str = "/v3/history/sub-key/{sub}/channel/{channel}";
const HERE: &str = "/v2/presence/sub-key/{sub}/channel/{channels}";
const REGISTRATION: &str = "/v1/channel-registration/sub-key/{sub}/channel-group/{group}";
const GCM: &str = "/v1/push/sub-key/{sub}/devices/{device}";
const APNS2: &str = "/v2/push/sub-key/{sub}/devices-apns2/{device}";
const FILE: &str = "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}";
const PUBLISHED: &str = "/publish/{pub}/{sub}/0/{channel}/0/{*json}";
const MESSAGE_ACTION: &str = "/v1/message-actions/{sub}/channel/{channel}/message/{message}";

/// What takes something away comes last, and a poll once there is something, so that it does not wait.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("GET", "/time/0", "", "", Nothing, 200),
    row("HEAD", "/time/0", "", "", Nothing, 200),
    row("GET", "/v2/subscribe/{sub}/{channels}/0", "tt=0", "", READ, 200),
    row("GET", "/v2/subscribe/{sub}/{channels}/0", "tt=0&channel-group={group}", "", All(&[(ROOM, Bits::READ), (Group("kept-grp"), Bits::READ)]), 200),
    row("GET", PUBLISHED, "", "", WRITE, 200),
    row("GET", PUBLISHED, "store=0&norep=true", "", WRITE, 200),
    row("POST", "/publish/{pub}/{sub}/0/{channel}/0", "", "1", WRITE, 200),
    row("GET", "/v2/subscribe/{sub}/{channels}/0", "tt=1", "", READ, 200),
    row("GET", "/signal/{pub}/{sub}/0/{channel}/0/{*json}", "", "", WRITE, 200),
    row("POST", "/signal/{pub}/{sub}/0/{channel}/0", "", "1", WRITE, 200),
    row("GET", "/v2/presence/sub-key/{sub}", "", "", LeftOut, 200),
    row("GET", "/v2/presence/sub-key/{sub}/uuid/{uuid}", "", "", LeftOut, 200),
    row("GET", HERE, "state=1", "", READ, 200),
    row("GET", HERE, "disable_uuids=1", "", READ, 200),
    row("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/leave", "", "", READ, 200),
    row("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/heartbeat", "", "", READ, 200),
    row("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}", "", "", READ, 200),
    row("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}/data", "state=%7B%7D", "", READ, 200),
    row("GET", "/v1/channel-registration/sub-key/{sub}/channel-group", "", "", All(&[(Group(":"), Bits::MANAGE)]), 200),
    row("GET", REGISTRATION, "", "", GROUP, 200),
    row("GET", REGISTRATION, "add=more", "", GROUP, 200),
    row("GET", REGISTRATION, "remove=more", "", GROUP, 200),
    row("GET", "/v2/history/sub-key/{sub}/channel/{channel}", "", "", READ, 200),
    row("GET", "/v3/history/sub-key/{sub}/channel/{channels}", "", "", READ, 200),
    row("GET", "/v3/history/sub-key/{sub}/message-counts/{channels}", "timetoken=1", "", READ, 200),
    row("GET", "/v3/history-with-actions/sub-key/{sub}/channel/{channels}", "", "", READ, 200),
    row("GET", "/v1/message-actions/{sub}/channel/{channel}", "", "", READ, 200),
    row("POST", MESSAGE_ACTION, "", r#"{"type":"reaction","value":"new"}"#, WRITE, 200),
    row("GET", "/v2/objects/{sub}/uuids", "count=true", "", All(&[(User("*"), Bits::GET)]), 200),
    row("GET", "/v2/objects/{sub}/channels", "count=true", "", All(&[(Channel("*"), Bits::GET)]), 200),
    row("GET", "/v2/objects/{sub}/uuids/{id}", "", "", All(&[(ANN, Bits::GET)]), 200),
    row("PATCH", "/v2/objects/{sub}/uuids/{id}", "", r#"{"name":"new"}"#, All(&[(ANN, Bits::UPDATE)]), 200),
    row("GET", "/v2/objects/{sub}/channels/{id}", "", "", All(&[(ROOM, Bits::GET)]), 200),
    row("PATCH", "/v2/objects/{sub}/channels/{id}", "", r#"{"name":"new"}"#, All(&[(ROOM, Bits::UPDATE)]), 200),
    row("GET", "/v2/objects/{sub}/uuids/{id}/channels", "count=true", "", All(&[(ANN, Bits::GET)]), 200),
    row("PATCH", "/v2/objects/{sub}/uuids/{id}/channels", "", r#"{"set":[{"channel":{"id":"{channel}"}}]}"#, OF_USER, 200),
    row("GET", "/v2/objects/{sub}/channels/{id}/uuids", "count=true", "", All(&[(ROOM, Bits::GET)]), 200),
    row("PATCH", "/v2/objects/{sub}/channels/{id}/uuids", "", r#"{"set":[{"uuid":{"id":"{user}"}}]}"#, All(&[(ROOM, Bits::MANAGE)]), 200),
    row("POST", "/v1/files/{sub}/channels/{channel}/generate-upload-url", "", r#"{"name":"{*name}"}"#, WRITE, 200),
    row("GET", "/v1/files/{sub}/channels/{channel}/files", "", "", READ, 200),
    row("GET", FILE, "", "", READ, 307),
    row("HEAD", FILE, "", "", READ, 307),
    row("GET", "/v1/files/publish-file/{pub}/{sub}/0/{channel}/0/{*json}", "", "", WRITE, 200),
    row("POST", "/v1/files/{sub}/upload/{ticket}", "", "", Ticket, 204),
    row("GET", "/v1/files/{sub}/download/{ticket}", "", "", Ticket, 200),
    row("HEAD", "/v1/files/{sub}/download/{ticket}", "", "", Ticket, 200),
    row("GET", GCM, "type=gcm", "", LeftOut, 200),
    row("GET", GCM, "type=gcm&add={channel}", "", READ, 200),
    row("GET", GCM, "type=gcm&remove={channel}", "", READ, 200),
    row("GET", APNS2, "topic=app", "", LeftOut, 200),
    row("GET", APNS2, "topic=app&add={channel}", "", READ, 200),
    row("GET", APNS2, "topic=app&remove={channel}", "", READ, 200),
    row("POST", "/v3/pam/{sub}/grant", "", r#"{"ttl":5,"permissions":{"resources":{"channels":{"{channel}":1}}}}"#, Secret, 200),
    row("GET", "/v2/auth/grant/sub-key/{sub}", "auth=key&channel={channel}&r=1&ttl=5", "", Secret, 200),
    row("GET", "/v1/push/sub-key/{sub}/devices/{device}/remove", "type=gcm", "", LeftOut, 200),
    row("GET", "/v2/push/sub-key/{sub}/devices-apns2/{device}/remove", "topic=app", "", LeftOut, 200),
    row("DELETE", "/v1/message-actions/{sub}/channel/{channel}/message/{message}/action/{action}", "uuid={uuid}", "", DELETE, 200),
    row("DELETE", FILE, "", "", DELETE, 200),
    row("DELETE", HISTORY, "", "", DELETE, 200),
    row("DELETE", "/v2/objects/{sub}/uuids/{id}", "", "", All(&[(ANN, Bits::DELETE)]), 200),
    row("DELETE", "/v2/objects/{sub}/channels/{id}", "", "", DELETE, 200),
    row("GET", "/v1/channel-registration/sub-key/{sub}/channel-group/{group}/remove", "", "", GROUP, 200),
    row("DELETE", "/v3/pam/{sub}/grant/{token}", "", "", Secret, 200),
];

const fn row(
    method: &'static str,
    pattern: &'static str,
    query: &'static str,
    body: &'static str,
    needs: Needs,
    answered: u16,
) -> Row {
    Row { method, pattern, query, body, needs, answered }
}

impl Row {
    /// The target of a request for it in an org's keyset.
    pub(crate) fn target(&self, org: Org, names: &Names) -> String {
        let id = if self.pattern.contains("/files/") {
            "{file}"
        } else if self.pattern.contains("/uuids/{id}") {
            "{user}"
        } else {
            "{channel}"
        };
        let pattern = self.pattern.replace("{id}", id);
        let uuid = if self.query.contains("uuid=") { "" } else { "uuid=asker&" };
        names.fill(org, &format!("{pattern}?{uuid}{}", self.query)).replace("{ticket}", "e30.x")
    }

    pub(crate) fn body(&self, org: Org, names: &Names) -> Vec<u8> {
        names.fill(org, self.body).into_bytes()
    }

    /// Asks in an org's keyset, and shows this.
    pub(crate) async fn ask(&self, keysets: &Keysets, org: Org, names: &Names, auth: Option<&str>) -> Told {
        let target = with_auth(self.target(org, names).trim_end_matches('&'), auth);
        Told::by(keysets.call(self.method, &target, &self.body(org, names))).await
    }

    /// Asks with a signature by this key.
    pub(crate) async fn ask_signed(&self, keysets: &Keysets, org: Org, names: &Names, key: &str) -> Told {
        let body = self.body(org, names);
        let target = org.signed_with(key, self.method, &self.target(org, names), &body);
        Told::by(keysets.call(self.method, &target, &body)).await
    }

    /// How a failure calls it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}?{}", self.method, self.pattern, self.query)
    }
}

/// What a token says for a row, if each permission is first changed so.
pub(crate) fn scopes(needs: &[(On, Bits)], but: impl Fn(On, Bits) -> Bits) -> Scopes {
    let mut scopes = Scopes::default();
    for (on, bits) in needs {
        let (names, name) = match on {
            Channel(name) => (&mut scopes.channels, name),
            Group(name) => (&mut scopes.groups, name),
            User(name) => (&mut scopes.uuids, name),
        };
        names.insert((*name).into(), but(*on, *bits));
    }
    // A token has to grant something.
    scopes.channels.insert("elsewhere".into(), Bits::READ);
    scopes
}
