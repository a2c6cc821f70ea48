//! Every route asks for permission: the table says for what, and has to have each of them.

use std::time::Duration;

use antiphon_access::pam::{Bits, Scopes};
use serde_json::json;

use crate::client::Response;
use crate::signing::{now, signed, signed_with, token, token_at};
use crate::{Running, Setup, encoded};

/// What a request needs.
enum Needs {
    /// Nothing: everybody is answered the same.
    Nothing,
    /// A URL that was signed for it.
    Ticket,
    /// The secret key.
    Secret,
    /// Nothing, but what is on this channel is left out for who may not read it.
    LeftOut(&'static str),
    /// Nothing, but what is on channels that who asks may not read stays as it is.
    PassedOver,
    /// All of these permissions.
    All(&'static [(On, Bits)]),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    Channel(&'static str),
    Group(&'static str),
    Uuid(&'static str),
}

use Needs::{All, LeftOut, Nothing, PassedOver, Secret, Ticket};
use On::{Channel, Group, Uuid};

const READ: Needs = All(&[(Channel("room"), Bits::READ)]);
const WRITE: Needs = All(&[(Channel("room"), Bits::WRITE)]);
const DELETE: Needs = All(&[(Channel("room"), Bits::DELETE)]);
const GROUP: Needs = All(&[(Group("grp"), Bits::MANAGE)]);

const TABLE: &[(&str, &str, Needs)] = &[
    ("GET", "/time/0", Nothing),
    ("HEAD", "/time/0", Nothing),
    ("GET", "/v2/subscribe/{sub}/{channels}/0", READ),
    ("GET", "/publish/{pub}/{sub}/0/{channel}/0/{*json}", WRITE),
    ("POST", "/publish/{pub}/{sub}/0/{channel}/0", WRITE),
    ("GET", "/signal/{pub}/{sub}/0/{channel}/0/{*json}", WRITE),
    ("POST", "/signal/{pub}/{sub}/0/{channel}/0", WRITE),
    ("GET", "/v2/presence/sub-key/{sub}", LeftOut("room")),
    ("GET", "/v2/presence/sub-key/{sub}/uuid/{uuid}", LeftOut("room")),
    ("GET", "/v2/presence/sub-key/{sub}/channel/{channels}", READ),
    ("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/leave", READ),
    ("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/heartbeat", READ),
    ("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}", READ),
    ("GET", "/v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}/data", READ),
    ("GET", "/v1/channel-registration/sub-key/{sub}/channel-group", All(&[(Group(":"), Bits::MANAGE)])),
    ("GET", "/v1/channel-registration/sub-key/{sub}/channel-group/{group}", GROUP),
    ("GET", "/v1/channel-registration/sub-key/{sub}/channel-group/{group}/remove", GROUP),
    ("GET", "/v2/history/sub-key/{sub}/channel/{channel}", READ),
    ("GET", "/v3/history/sub-key/{sub}/channel/{channels}", READ),
    ("DELETE", "/v3/history/sub-key/{sub}/channel/{channel}", DELETE),
    ("GET", "/v3/history/sub-key/{sub}/message-counts/{channels}", READ),
    ("GET", "/v3/history-with-actions/sub-key/{sub}/channel/{channels}", READ),
    ("GET", "/v1/message-actions/{sub}/channel/{channel}", READ),
    ("POST", "/v1/message-actions/{sub}/channel/{channel}/message/{message}", WRITE),
    ("DELETE", "/v1/message-actions/{sub}/channel/{channel}/message/{message}/action/{action}", DELETE),
    ("GET", "/v2/objects/{sub}/uuids", All(&[(Uuid("*"), Bits::GET)])),
    ("GET", "/v2/objects/{sub}/channels", All(&[(Channel("*"), Bits::GET)])),
    ("GET", "/v2/objects/{sub}/uuids/{id}", All(&[(Uuid("ann"), Bits::GET)])),
    ("PATCH", "/v2/objects/{sub}/uuids/{id}", All(&[(Uuid("ann"), Bits::UPDATE)])),
    ("DELETE", "/v2/objects/{sub}/uuids/{id}", All(&[(Uuid("ann"), Bits::DELETE)])),
    ("GET", "/v2/objects/{sub}/channels/{id}", All(&[(Channel("room"), Bits::GET)])),
    ("PATCH", "/v2/objects/{sub}/channels/{id}", All(&[(Channel("room"), Bits::UPDATE)])),
    ("DELETE", "/v2/objects/{sub}/channels/{id}", DELETE),
    ("GET", "/v2/objects/{sub}/uuids/{id}/channels", All(&[(Uuid("ann"), Bits::GET)])),
    (
        "PATCH",
        "/v2/objects/{sub}/uuids/{id}/channels",
        All(&[(Uuid("ann"), Bits::UPDATE), (Channel("room"), Bits::JOIN)]),
    ),
    ("GET", "/v2/objects/{sub}/channels/{id}/uuids", All(&[(Channel("room"), Bits::GET)])),
    ("PATCH", "/v2/objects/{sub}/channels/{id}/uuids", All(&[(Channel("room"), Bits::MANAGE)])),
    ("POST", "/v1/files/{sub}/channels/{channel}/generate-upload-url", WRITE),
    ("GET", "/v1/files/{sub}/channels/{channel}/files", READ),
    ("GET", "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}", READ),
    ("HEAD", "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}", READ),
    ("DELETE", "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}", DELETE),
    ("GET", "/v1/files/publish-file/{pub}/{sub}/0/{channel}/0/{*json}", WRITE),
    ("POST", "/v1/files/{sub}/upload/{ticket}", Ticket),
    ("GET", "/v1/files/{sub}/download/{ticket}", Ticket),
    ("HEAD", "/v1/files/{sub}/download/{ticket}", Ticket),
    ("GET", "/v1/push/sub-key/{sub}/devices/{device}", LeftOut("room")),
    ("GET", "/v1/push/sub-key/{sub}/devices/{device}/remove", PassedOver),
    ("GET", "/v2/push/sub-key/{sub}/devices-apns2/{device}", LeftOut("room")),
    ("GET", "/v2/push/sub-key/{sub}/devices-apns2/{device}/remove", PassedOver),
    ("POST", "/v3/pam/{sub}/grant", Secret),
    ("DELETE", "/v3/pam/{sub}/grant/{token}", Secret),
    ("GET", "/v2/auth/grant/sub-key/{sub}", Secret),
];

/// A device of every gateway.
fn device() -> String {
    "0123456789abcdef".repeat(4)
}

/// The target of a request for a route, and its body.
fn request(pattern: &str) -> (String, Vec<u8>) {
    let id = if pattern.contains("/files/") {
        "x"
    } else if pattern.contains("/uuids/{id}") {
        "ann"
    } else {
        "room"
    };
    let mut target = pattern.replace("{sub}", "sub-guarded").replace("{pub}", "pub-guarded");
    for (name, value) in [
        ("{channel}", "room"),
        ("{channels}", "room"),
        ("{group}", "grp"),
        ("{uuid}", "ann"),
        ("{*json}", "1"),
        ("{message}", "17000000000000000"),
        ("{action}", "17000000000000001"),
        ("{id}", id),
        ("{*name}", "n"),
        ("{ticket}", "e30.x"),
        ("{device}", &device()),
        ("{token}", "x"),
    ] {
        target = target.replace(name, value);
    }
    assert!(!target.contains('{'), "{target}");
    target.push_str("?uuid=ann&tt=0&timetoken=1&type=gcm&topic=app&state=%7B%7D&ttl=5&r=1");
    let membership = json!({"set": [{"channel": {"id": "room"}}]});
    let member = json!({"set": [{"uuid": {"id": "ann"}}]});
    let body = match pattern {
        "/v2/objects/{sub}/uuids/{id}/channels" => membership,
        "/v2/objects/{sub}/channels/{id}/uuids" => member,
        "/v3/pam/{sub}/grant" => json!({"ttl": 5, "permissions": {"resources": {"channels": {"room": 1}}}}),
        "/publish/{pub}/{sub}/0/{channel}/0" | "/signal/{pub}/{sub}/0/{channel}/0" => json!("hi"),
        _ => json!({"type": "reaction", "value": "x", "name": "n"}),
    };
    (target, body.to_string().into_bytes())
}

fn scopes(needs: &[(On, Bits)], but: impl Fn(On, Bits) -> Bits) -> Scopes {
    let mut scopes = Scopes::default();
    for (on, bits) in needs {
        let (names, name) = match on {
            Channel(name) => (&mut scopes.channels, name),
            Group(name) => (&mut scopes.groups, name),
            Uuid(name) => (&mut scopes.uuids, name),
        };
        names.insert((*name).into(), but(*on, *bits));
    }
    // A token has to grant something.
    scopes.channels.insert("elsewhere".into(), Bits::READ);
    scopes
}

/// All bits but these.
fn without(bits: Bits) -> Bits {
    Bits::from_bits(u64::from(Bits::ALL.bits() & !bits.bits())).unwrap()
}

/// A server, with somebody present and devices registered again and again: what nobody knows of is denied to nobody.
struct Guarded(Running, #[allow(dead_code)] tempfile::TempDir);

impl Guarded {
    fn start() -> Guarded {
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("files");
        Guarded(Setup::new(|settings| settings.files_dir = Some(files)).start(), dir)
    }

    fn prepare(&self) {
        for target in [
            "/v2/presence/sub-key/sub-guarded/channel/room/heartbeat?uuid=ann".to_owned(),
            format!("/v1/push/sub-key/sub-guarded/devices/{}?add=room&type=gcm&uuid=ann", device()),
            format!("/v2/push/sub-key/sub-guarded/devices-apns2/{}?add=room&topic=app&uuid=ann", device()),
        ] {
            let response = self.0.request("GET", &signed(&self.0, "GET", &target, b""), b"");
            assert_eq!(response.status, 200, "{target}: {response:?}");
        }
    }

    fn status(&self, method: &str, pattern: &str, auth: Option<&str>) -> u16 {
        self.ask(method, pattern, auth).status
    }

    /// The answer to a request that shows this.
    fn ask(&self, method: &str, pattern: &str, auth: Option<&str>) -> Response {
        self.prepare();
        let (mut target, body) = request(pattern);
        if let Some(auth) = auth {
            target.push_str(&format!("&auth={}", encoded(auth)));
        }
        self.0.request(method, &target, &body)
    }
}

#[test]
fn the_table_has_every_route() {
    let table: Vec<_> = TABLE.iter().map(|(method, pattern, _)| (*method, *pattern)).collect();
    for route in antiphon_pubnub::PubNub::routes() {
        assert!(table.contains(&route), "nothing says what {route:?} needs");
    }
    assert_eq!(antiphon_pubnub::PubNub::routes().count(), table.len());
}

#[test]
fn nobody_does_anything_without_permission() {
    let server = Guarded::start();
    let everything = || {
        scopes(
            &[(Channel("room"), Bits::ALL), (Group("grp"), Bits::ALL), (Uuid("ann"), Bits::ALL)],
            |_, bits| bits,
        )
    };
    let at = now(&server.0);
    let expired = token_at(&server.0, "sub-guarded", everything(), at.earlier_by(Duration::from_secs(61)));
    let of_another = token_at(&server.0, "sub-other", everything(), at);
    let elsewhere = token(&server.0, scopes(&[], |_, bits| bits));
    let revoked = token(&server.0, everything());
    let target =
        signed(&server.0, "DELETE", &format!("/v3/pam/sub-guarded/grant/{}", encoded(&revoked)), b"");
    assert_eq!(server.0.request("DELETE", &target, b"").status, 200);
    let mut changed = token(&server.0, everything());
    changed.replace_range(60..61, if &changed[60..61] == "A" { "B" } else { "A" });
    for (method, pattern, needs) in TABLE {
        let expected = if matches!(needs, Nothing) { 200 } else { 403 };
        for (what, auth) in [
            ("nothing", None),
            ("an auth key", Some("key")),
            ("a token for something else", Some(&*elsewhere)),
            ("an expired token", Some(&expired)),
            ("a revoked token", Some(&revoked)),
            ("a token of another keyset", Some(&of_another)),
            ("a changed token", Some(&changed)),
        ] {
            let response = server.ask(method, pattern, auth);
            let is_a_token = !["nothing", "an auth key", "a token for something else"].contains(&what);
            match needs {
                LeftOut(name) if !is_a_token => {
                    assert_eq!(response.status, 200, "{method} {pattern} with {what}");
                    assert!(!response.text().contains(name), "{method} {pattern} with {what}: {response:?}");
                }
                PassedOver if !is_a_token => {
                    assert_eq!(response.status, 200, "{method} {pattern} with {what}");
                    let (devices, _) = request(pattern.trim_end_matches("/remove"));
                    let left = server.0.request("GET", &signed(&server.0, "GET", &devices, b""), b"");
                    assert!(left.text().contains("room"), "{method} {pattern} with {what}: {left:?}");
                }
                _ => assert_eq!(response.status, expected, "{method} {pattern} with {what}"),
            }
        }
        let (target, body) = request(pattern);
        let target = signed_with(&server.0, "sec-wrong", method, &target, &body);
        assert_eq!(
            server.0.request(method, &target, &body).status,
            expected,
            "{method} {pattern} signed wrongly"
        );
    }
    server.0.stop();
}

#[test]
fn each_does_what_it_may() {
    let server = Guarded::start();
    for (method, pattern, needs) in TABLE {
        let allowed = |status: u16, what: &str| {
            assert!(status != 403 && status < 500, "{method} {pattern} with {what}: {status}");
        };
        if !matches!(needs, Ticket) {
            server.prepare();
            let (target, body) = request(pattern);
            let target = signed(&server.0, method, &target, &body);
            allowed(server.0.request(method, &target, &body).status, "a signature");
        }
        let needs = match needs {
            All(needs) => *needs,
            LeftOut(name) => {
                let token = token(&server.0, scopes(&[(Channel(name), Bits::READ)], |_, bits| bits));
                let response = server.ask(method, pattern, Some(&token));
                assert!(response.text().contains(name), "{method} {pattern}: {response:?}");
                continue;
            }
            _ => continue,
        };
        let enough = token(&server.0, scopes(needs, |_, bits| bits));
        allowed(server.status(method, pattern, Some(&enough)), "no more than it needs");
        for missing in needs {
            let but = |on, bits| if (on, bits) == *missing { without(bits) } else { Bits::ALL };
            let auth = token(&server.0, scopes(needs, but));
            assert_eq!(
                server.status(method, pattern, Some(&auth)),
                403,
                "{method} {pattern} without {missing:?}"
            );
        }
    }
    server.0.stop();
}
