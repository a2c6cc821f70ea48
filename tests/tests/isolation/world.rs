//! A server with two orgs that have the same of everything, and the credentials of those who ask.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon_tests::{Api, Server, V1, eventually};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto};
use serde_json::{Value, json};

/// The org where something is.
pub(crate) const ACME: Org = Org("acme");

/// Another one, whose clients may everything there.
pub(crate) const GLOBEX: Org = Org("globex");

/// What the tests look for, in [`ACME`] alone. As long as [`GONE`], so that lengths say nothing in a comparison either.
pub(crate) const KEPT: &str = "kept-room";

/// What nobody has ever named.
pub(crate) const GONE: &str = "gone-room";

/// All that a client can be permitted.
pub(crate) const CLIENT: [&str; 4] = ["publish", "subscribe", "history", "presence"];

/// The dashboard's password.
pub(crate) const DASHBOARD: &str = "password of the dashboard";

const CONFIG: &str = r#"
[socketio.recovery]
enabled = true

[socketio.admin]
enabled = true
mode = "development"
auth = { username = "admin", password_hash = "$2b$04$abcdefghijklmnopqrstuuv7LzYXcqpViFjy/gjXtGQNpF8WNt2Y." }
"#;

const ORG: &str = r#"
[[org]]
name = "{org}"
publish_key = "pub-{org}"
subscribe_key = "sub-{org}"
secret_key = "sec-of-the-keyset-{org}"
access_manager = true

[[org.key]]
key = "{org}-admin-key"
allow = ["admin"]

[[org.jwt]]
algorithm = "HS256"
secret = "{org}-secret-that-only-these-tests-know"

[[org.device]]
uuid = "door"
secret = "{org}-secret-of-the-door"

[[org.device]]
uuid = "of-{org}"
secret = "{org}-secret-of-its-own-device"

[[org.consumer_app]]
uuid = "door"
api_key = "{org}-key-of-the-app"

[[org.user]]
username = "ann@example.com"
password = "password of ann at {org}"
"#;

/// An org, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Org(pub(crate) &'static str);

impl Org {
    /// What it is in the configuration.
    pub(crate) fn config(self) -> String {
        ORG.replace("{org}", self.0)
    }

    /// A JWT that its signer has signed, whatever it says.
    pub(crate) fn signs(self, claims: &Value) -> String {
        let secret = format!("{}-secret-that-only-these-tests-know", self.0);
        jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes()))
            .unwrap()
    }

    /// A JWT of `ann` in this org, who may this on these channels.
    pub(crate) fn user(self, allow: &[&str], channels: &str) -> String {
        self.signs(&self.claims(allow, channels))
    }

    /// A key that may everything in it.
    pub(crate) fn admin(self) -> String {
        format!("{}-admin-key", self.0)
    }

    pub(crate) fn publish_key(self) -> String {
        format!("pub-{}", self.0)
    }

    pub(crate) fn subscribe_key(self) -> String {
        format!("sub-{}", self.0)
    }

    pub(crate) fn secret_key(self) -> String {
        format!("sec-of-the-keyset-{}", self.0)
    }

    /// A path with its query, signed with a secret key as a request of this org's keyset, by the second version of signatures.
    pub(crate) fn signed_with(self, secret_key: &str, method: &str, target: &str, body: &[u8]) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let timestamp = format!("timestamp={}", in_secs(0));
        let mut parameters: Vec<&str> = query.split('&').filter(|one| !one.is_empty()).collect();
        parameters.push(&timestamp);
        parameters.sort_unstable();
        let query = parameters.join("&");
        let mut message = format!("{method}\n{}\n{path}\n{query}\n", self.publish_key()).into_bytes();
        message.extend_from_slice(body);
        format!("{path}?{query}&signature=v2.{}", hs256(secret_key, &message))
    }

    fn claims(self, allow: &[&str], channels: &str) -> Value {
        let permissions = json!([{"channels": [channels], "allow": allow}]);
        json!({"org": self.0, "sub": "ann", "exp": in_secs(600), "permissions": permissions})
    }
}

/// Who asks, of those who show a JWT: what belongs to [`ACME`] is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody: there is no credential.
    Nobody,
    /// Who has made a key up.
    Guesser,
    /// Another org's signer has signed that it is of this one.
    Forger,
    /// A credential that was good a minute ago.
    Late,
    /// One of the org who may all but this.
    Without(&'static str),
    /// One of the org who may everything, on other channels.
    Elsewhere,
    /// One of another org who may everything there.
    Foreign,
    /// One of the org who may this, and no more.
    Permitted,
}

impl Who {
    /// Those who have not shown who they are.
    pub(crate) const STRANGERS: [Who; 4] = [Who::Nobody, Who::Guesser, Who::Forger, Who::Late];

    /// The credential, for something that needs these permissions on [`KEPT`].
    pub(crate) fn token(self, needs: &[&str]) -> Option<String> {
        let channels = if needs.contains(&"admin") { "*" } else { KEPT };
        Some(match self {
            Who::Nobody => return None,
            Who::Guesser => "acme-admin-kez".to_owned(),
            Who::Forger => GLOBEX.signs(&ACME.claims(&["admin"], "*")),
            Who::Late => {
                let mut claims = ACME.claims(&["admin"], "*");
                claims["exp"] = in_secs(0).saturating_sub(60).into();
                ACME.signs(&claims)
            }
            Who::Without(permission) => {
                let rest: Vec<&str> = CLIENT.into_iter().filter(|one| *one != permission).collect();
                ACME.user(&rest, "*")
            }
            Who::Elsewhere => ACME.user(&["admin"], "elsewhere.*"),
            Who::Foreign => GLOBEX.user(&["admin"], "*"),
            Who::Permitted => ACME.user(needs, channels),
        })
    }
}

/// The server, and what is in [`ACME`].
pub(crate) struct World {
    pub(crate) server: Server,
    /// Where a broadcast on [`KEPT`] stands that collects replies for as long as this is there.
    pub(crate) broadcast: String,
    _collector: V1,
}

impl World {
    /// Starts it: on [`KEPT`] there are messages, a broadcast that is under way, and somebody present; a device `spare` can log in.
    pub(crate) async fn start() -> World {
        let server = Server::start(&[CONFIG, &ACME.config(), &GLOBEX.config()].concat()).await;
        let admin = server.api().with_token(&ACME.admin());
        let mut collector = V1::connect(&admin, "identity=collector").await;
        admin.post(&format!("/v1/channels/{KEPT}")).json(&json!("of acme")).send().await.expect(201);
        let broadcast = json!({"type": "broadcast", "channel": KEPT, "payload": "who?", "timeout": "60s"});
        let broadcast = collector.ask(broadcast).await["position"].as_str().unwrap().to_owned();
        let world = World { server, broadcast, _collector: collector };
        world.furnish().await;
        // It is acknowledged before it is stored.
        eventually("the broadcast is in the history", async || {
            let contents = world.contents(ACME).await;
            let messages = contents[&format!("/v1/channels/{KEPT}")]["messages"].as_array().map(Vec::len);
            (messages == Some(2)).then_some(())
        })
        .await;
        world
    }

    /// Makes again what a request may have taken away.
    pub(crate) async fn furnish(&self) {
        let admin = self.admin(ACME);
        let ann = self.server.api().with_token(&ACME.user(&CLIENT, "*"));
        ann.put(&format!("/v1/channels/{KEPT}/presence?ttl=1h")).send().await.expect(200);
        let spare = json!({"kind": "device", "name": "spare", "secret": "acme-secret-of-the-spare"});
        admin.post("/v1/credentials?replace=true").json(&spare).send().await.expect(201);
    }

    /// Who may everything in an org.
    pub(crate) fn admin(&self, org: Org) -> Api {
        self.server.api().with_token(&org.admin())
    }

    /// A client that shows this, or nothing.
    pub(crate) fn api(&self, token: Option<&str>) -> Api {
        let api = self.server.api();
        token.map_or(api.clone(), |token| api.with_token(token))
    }

    /// What there is in an org, as its own administrator sees it.
    pub(crate) async fn contents(&self, org: Org) -> Value {
        let admin = self.admin(org);
        let mut contents = json!({});
        for path in [
            format!("/v1/channels/{KEPT}"),
            format!("/v1/channels/{KEPT}/presence"),
            format!("/v1/channels/{GONE}"),
            "/v1/credentials".to_owned(),
            "/v1/revocations".to_owned(),
        ] {
            contents[&path] = admin.get(&path).send().await.expect(200).json();
        }
        contents
    }
}

/// The time so many seconds from here, in seconds since 1970.
pub(crate) fn in_secs(secs: u64) -> u64 {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(secs)).as_secs()
}

/// HMAC with SHA-256, in base64url.
pub(crate) fn hs256(secret: &str, message: &[u8]) -> String {
    crypto::sign(message, &EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256).unwrap()
}
