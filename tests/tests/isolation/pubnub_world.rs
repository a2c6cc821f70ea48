//! Keysets of PubNub with something in them, and the tokens of those who ask.

use antiphon_access::pam::{Bits, Scopes, TokenGrant};
use antiphon_access::{Access, OrgSettings};
use antiphon_model::Timestamp;
use antiphon_tests::{Call, Server, encoded};
use http::Method;
use serde_json::{Value, json};

use crate::told::Told;
use crate::world::{ACME, GLOBEX, GONE, KEPT, Org, in_secs};

/// A keyset without an access manager: whoever knows its keys may listen and publish.
pub(crate) const PLAIN: Org = Org("plain");

/// Another one.
pub(crate) const BLANK: Org = Org("blank");

pub(crate) const ALL: [Org; 4] = [ACME, GLOBEX, PLAIN, BLANK];

const KEYSET: &str = r#"
[[org]]
name = "{org}"
publish_key = "pub-{org}"
subscribe_key = "sub-{org}"
secret_key = "sec-of-the-keyset-{org}"
access_manager = {manager}
"#;

/// What stands in paths, of what there is or of what there is not. All of a kind have the same length.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) channel: &'static str,
    pub(crate) group: &'static str,
    pub(crate) user: &'static str,
    pub(crate) device: String,
    pub(crate) file: String,
    pub(crate) file_name: &'static str,
    pub(crate) message: String,
    pub(crate) action: String,
    pub(crate) token: String,
}

impl Names {
    pub(crate) fn all(&self) -> Vec<&str> {
        let named = [self.channel, self.group, self.user, self.file_name];
        let counted = [&*self.device, &self.file, &self.message, &self.action, &self.token];
        named.into_iter().chain(counted).collect()
    }

    /// A pattern of a route with these names in it, as a request of this org's keyset.
    pub(crate) fn fill(&self, org: Org, pattern: &str) -> String {
        let mut filled = pattern.to_owned();
        for (name, value) in [
            ("{sub}", &*org.subscribe_key()),
            ("{pub}", &org.publish_key()),
            ("{channel}", self.channel),
            ("{channels}", self.channel),
            ("{group}", self.group),
            ("{uuid}", self.user),
            ("{user}", self.user),
            ("{device}", &self.device),
            ("{file}", &self.file),
            ("{*name}", self.file_name),
            ("{message}", &self.message),
            ("{action}", &self.action),
            ("{token}", &self.token),
            ("{*json}", "1"),
        ] {
            filled = filled.replace(name, value);
        }
        filled
    }
}

/// The server.
pub(crate) struct Keysets {
    pub(crate) server: Server,
    access: Access,
}

impl Keysets {
    pub(crate) async fn start() -> Keysets {
        let manages = |org: Org| org == ACME || org == GLOBEX;
        let config = |org: Org| {
            KEYSET.replace("{org}", org.0).replace("{manager}", if manages(org) { "true" } else { "false" })
        };
        let server = Server::start(&ALL.map(config).concat()).await;
        let settings: Vec<OrgSettings> = ALL
            .iter()
            .map(|org| {
                let settings = json!({
                    "name": org.0, "publish_key": org.publish_key(), "subscribe_key": org.subscribe_key(),
                    "secret_key": org.secret_key(), "access_manager": manages(*org),
                });
                serde_json::from_value(settings).unwrap()
            })
            .collect();
        Keysets { server, access: Access::load(settings).unwrap() }
    }

    /// A request as it is, signed or not.
    pub(crate) fn call(&self, method: &str, target: &str, body: &[u8]) -> Call {
        let method: Method = method.parse().unwrap();
        let call = self.server.api().call(method, target);
        if body.is_empty() { call } else { call.body("application/json", body.to_vec()) }
    }

    /// Asks as the org's own servers do, and gives the JSON of an answer that is 200.
    pub(crate) async fn signed(&self, org: Org, method: &str, target: &str, body: &Value) -> Value {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let target = org.signed_with(&org.secret_key(), method, target, &body);
        self.call(method, &target, &body).send().await.expect(200).json()
    }

    /// A token that the org's servers have granted at a time so long ago.
    pub(crate) fn token_of(&self, org: Org, resources: Scopes, secs_ago: u64, uuid: Option<&str>) -> String {
        let keyset = self.access.keyset(&org.subscribe_key()).unwrap();
        let uuid = uuid.map(Box::from);
        let grant = TokenGrant { ttl_minutes: 10, resources, uuid, ..TokenGrant::default() };
        let at = Timestamp((in_secs(0) - secs_ago) * Timestamp::PER_SECOND);
        self.access.grant_token(&keyset, &grant, at).unwrap()
    }

    /// A token for everything that has a name here.
    pub(crate) fn token_for_all(&self, org: Org, secs_ago: u64, uuid: Option<&str>) -> String {
        let mut all = Scopes::default();
        for name in [KEPT, GONE, "*"] {
            all.channels.insert(name.into(), Bits::ALL);
        }
        for name in ["kept-grp", "gone-grp", ":"] {
            all.groups.insert(name.into(), Bits::ALL);
        }
        for name in ["kept-ann", "gone-ann", "*"] {
            all.uuids.insert(name.into(), Bits::ALL);
        }
        self.token_of(org, all, secs_ago, uuid)
    }

    /// Puts something of everything into an org, and says what it is called.
    pub(crate) async fn furnish(&self, org: Org) -> Names {
        let mut names = Names {
            channel: KEPT,
            group: "kept-grp",
            user: "kept-ann",
            device: "a1".repeat(32),
            file: String::new(),
            file_name: "kept.txt",
            message: String::new(),
            action: String::new(),
            token: self.token_for_all(org, 1, None),
        };
        let ask = async |names: &Names, method: &str, pattern: &str, body: Value| {
            self.signed(org, method, &names.fill(org, pattern), &body).await
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let sent =
            ask(&names, "GET", "/publish/{pub}/{sub}/0/{channel}/0/{*json}?uuid=kept-ann", json!(null)).await;
        names.message = text(&sent[2]);
        let action = "/v1/message-actions/{sub}/channel/{channel}/message/{message}?uuid=kept-ann";
        let added = ask(&names, "POST", action, json!({"type": "reaction", "value": "kept"})).await;
        names.action = text(&added["data"]["actionTimetoken"]);
        for (method, pattern, body) in [
            (
                "GET",
                "/v1/channel-registration/sub-key/{sub}/channel-group/{group}?add={channel}",
                json!(null),
            ),
            ("PATCH", "/v2/objects/{sub}/uuids/{user}", json!({"name": "kept"})),
            ("PATCH", "/v2/objects/{sub}/channels/{channel}", json!({"name": "kept"})),
            ("PATCH", "/v2/objects/{sub}/uuids/{user}/channels", json!({"set": [{"channel": {"id": KEPT}}]})),
            (
                "GET",
                "/v2/presence/sub-key/{sub}/channel/{channel}/heartbeat?uuid=kept-ann&heartbeat=300",
                json!(null),
            ),
            (
                "GET",
                "/v2/presence/sub-key/{sub}/channel/{channel}/uuid/{user}/data?state=%7B%22kept%22%3A1%7D",
                json!(null),
            ),
            ("GET", "/v1/push/sub-key/{sub}/devices/{device}?type=gcm&add={channel}", json!(null)),
            ("GET", "/v2/push/sub-key/{sub}/devices-apns2/{device}?topic=app&add={channel}", json!(null)),
        ] {
            ask(&names, method, pattern, body).await;
        }
        let new = "/v1/files/{sub}/channels/{channel}/generate-upload-url";
        let new = ask(&names, "POST", new, json!({"name": "kept.txt"})).await;
        names.file = text(&new["data"]["id"]);
        let uploaded = self.upload(&ticket_of(&text(&new["file_upload_request"]["url"]))).await;
        assert_eq!(uploaded.status, 204, "{uploaded:?}");
        names
    }

    /// Names of what there is nowhere.
    pub(crate) fn gone(&self, kept: &Names) -> Names {
        let earlier = |digits: &str| (digits.parse::<u64>().unwrap() - 7).to_string();
        let mut file = kept.file.clone();
        let last = if file.ends_with('0') { "1" } else { "0" };
        file.replace_range(file.len() - 1.., last);
        // One that nobody has signed.
        let mut token = kept.token.clone();
        token.replace_range(60..61, if &token[60..61] == "A" { "B" } else { "A" });
        Names {
            channel: GONE,
            group: "gone-grp",
            user: "gone-ann",
            device: "b2".repeat(32),
            file,
            file_name: "gone.txt",
            message: earlier(&kept.message),
            action: earlier(&kept.action),
            token,
        }
    }

    /// Uploads to a path that has a ticket.
    pub(crate) async fn upload(&self, path: &str) -> Told {
        let form =
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nkept\r\n--b--\r\n";
        let call = self.server.api().post(path).body("multipart/form-data; boundary=b", form);
        Told::by(call).await
    }

    /// Everything that there is in an org, as its own servers see it.
    pub(crate) async fn contents(&self, org: Org, names: &Names) -> Value {
        let mut contents = json!({});
        for pattern in [
            "/v3/history/sub-key/{sub}/channel/{channel}",
            "/v1/message-actions/{sub}/channel/{channel}",
            "/v1/channel-registration/sub-key/{sub}/channel-group",
            "/v1/channel-registration/sub-key/{sub}/channel-group/{group}",
            "/v2/objects/{sub}/uuids?include=custom",
            "/v2/objects/{sub}/channels?include=custom",
            "/v2/objects/{sub}/uuids/{user}/channels",
            "/v2/presence/sub-key/{sub}?state=1",
            "/v1/files/{sub}/channels/{channel}/files",
            "/v1/push/sub-key/{sub}/devices/{device}?type=gcm",
            "/v2/push/sub-key/{sub}/devices-apns2/{device}?topic=app",
        ] {
            contents[pattern] = self.signed(org, "GET", &names.fill(org, pattern), &json!(null)).await;
        }
        contents
    }
}

/// The path of a URL of the server's.
pub(crate) fn ticket_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap();
    rest[rest.find('/').unwrap()..].to_owned()
}

/// The same with what a client shows.
pub(crate) fn with_auth(target: &str, auth: Option<&str>) -> String {
    match auth {
        None => target.to_owned(),
        Some(auth) => format!("{target}&auth={}", encoded(auth)),
    }
}
