//! The EXP network: its four requests, and the socket of its SDKs.

use antiphon_tests::{Api, Call, encoded};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::packets::{Packets, Revision, exp_socket};
use crate::told::{Told, assert_same};
use crate::world::{ACME, CLIENT, GLOBEX, GONE, KEPT, Org, Who, World, in_secs};

const LOGIN: &str = "/api/auth/login";
const TOKEN: &str = "/api/auth/token";
const BROADCASTS: &str = "/api/networks/current/broadcasts?timeout=1";
const RESPONSES: &str = "/api/networks/current/responses";

/// What a device signs to log in.
fn signed(uuid: &str, secret: &str, exp: u64) -> String {
    let claims = json!({"type": "device", "uuid": uuid, "exp": exp});
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// The answer to a login of an org's device.
pub(crate) async fn login(api: &Api, org: Org) -> Value {
    let token = signed(&format!("of-{}", org.0), &format!("{}-secret-of-its-own-device", org.0), in_secs(60));
    api.post(LOGIN).json(&json!({ "token": token })).send().await.expect(200).json()
}

/// A session token of an org's device.
pub(crate) async fn session(api: &Api, org: Org) -> String {
    login(api, org).await["token"].as_str().unwrap().to_owned()
}

/// A channel's id, as SDKs make it.
pub(crate) fn id(org: &str, channel: &str) -> String {
    STANDARD.encode(json!([org, channel, 0, 0]).to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Checks EXP's form of a refusal.
fn is_refused(told: &Told, status: u16, code: &str, what: &str) {
    assert_eq!(told.status, status, "{what}: {told:?}");
    let error = told.json();
    assert_eq!((&error["code"], &error["status"]), (&json!(code), &json!(status)), "{what}: {error}");
    assert!(error["message"].is_string(), "{what}: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_logs_in_by_what_is_not_his() {
    let world = World::start().await;
    let api = world.server.api();
    let ask = async |body: &Value| Told::by(api.post(LOGIN).json(body)).await;
    let soon = in_secs(60);
    let device = |uuid: &str, secret: &str| json!({"token": signed(uuid, secret, soon)});
    let user = |name: &str, password: &str, organization: Option<&str>| json!({"username": name, "password": password, "organization": organization});
    for (what, there, not_there) in [
        (
            "a device, and one that nobody has",
            device("of-acme", "globex-secret-of-the-door"),
            device("of-none", "globex-secret-of-the-door"),
        ),
        (
            "a device of one org by the secret of another's",
            device("of-acme", "globex-secret-of-its-own-device"),
            device("of-none", "globex-secret-of-its-own-device"),
        ),
        (
            "a user's name, and one that nobody has",
            user("ann@example.com", "guessed it", None),
            user("bob@example.com", "guessed it", None),
        ),
        (
            "a user of an org, and of none",
            user("ann@example.com", "guessed it", Some("acme")),
            user("ann@example.com", "guessed it", Some("none")),
        ),
        (
            "a password in another org, and in none",
            user("ann@example.com", "password of ann at acme", Some("globex")),
            user("ann@example.com", "password of ann at acme", Some("nobody")),
        ),
    ] {
        let (told, nothing) = (ask(&there).await, ask(&not_there).await);
        is_refused(&told, 401, "unauthorized", what);
        assert_same(what, (told, &[]), (nothing, &[]));
    }
    let late = json!({"token": signed("of-acme", "acme-secret-of-its-own-device", in_secs(0) - 120)});
    is_refused(&ask(&late).await, 401, "unauthorized", "an expired login");
    for nothing in [json!({}), json!({"username": "ann@example.com"}), json!(null)] {
        is_refused(&ask(&nothing).await, 400, "invalid-body", "no login at all");
    }
    // The same uuid, in each org another: the secret says which.
    for org in [ACME, GLOBEX] {
        let answer = ask(&device("door", &format!("{}-secret-of-the-door", org.0))).await;
        assert_eq!((answer.status, &answer.json()["identity"]["organization"]), (200, &json!(org.0)));
        let password = format!("password of ann at {}", org.0);
        let answer = ask(&user("ann@example.com", &password, Some(org.0))).await;
        assert_eq!((answer.status, &answer.json()["identity"]["organization"]), (200, &json!(org.0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_for_who_has_it() {
    let world = World::start().await;
    let api = world.server.api();
    let logged_in = login(&api, ACME).await;
    let (good, restricted) = (text(&logged_in["token"]), text(&logged_in["restrictedToken"]));
    let mut changed = good.clone();
    changed.replace_range(60..61, if &changed[60..61] == "A" { "B" } else { "A" });
    let refused = Who::STRANGERS.map(|who| (format!("{who:?}"), who.token(&[])));
    let more = [
        ("a restricted token", restricted.clone()),
        ("a changed token", changed.clone()),
        ("an API key", ACME.admin()),
        ("a JWT", ACME.user(&CLIENT, "*")),
    ];
    let more = more.map(|(what, token)| (what.to_owned(), Some(token)));
    for (what, token) in refused.into_iter().chain(more) {
        let told = Told::by(world.api(token.as_deref()).post(TOKEN)).await;
        is_refused(&told, 401, "unauthorized", &what);
        assert!(token.is_none_or(|token| !told.body.contains(&token)), "{what}");
    }
    let again = api.with_token(&good).post(TOKEN).send().await.expect(200).json();
    assert_eq!(again["identity"]["organization"], "acme");

    // Who may only listen broadcasts nowhere, and who is not there any more does nothing.
    let body = json!({"name": "x", "channel": {"name": KEPT}, "payload": 1});
    let told = Told::by(api.with_token(&restricted).post(BROADCASTS).json(&body)).await;
    is_refused(&told, 403, "not-permitted", "a restricted token");
    let login = json!({"token": signed("spare", "acme-secret-of-the-spare", in_secs(60))});
    let spare = text(&api.post(LOGIN).json(&login).send().await.expect(200).json()["token"]);
    world.admin(ACME).delete("/v1/credentials/device/spare").send().await.expect(200);
    for (path, token) in [(TOKEN, &spare), (BROADCASTS, &spare), (BROADCASTS, &changed)] {
        let told = Told::by(api.with_token(token).post(path).json(&body)).await;
        is_refused(&told, 401, "unauthorized", path);
    }
    is_refused(&Told::by(api.post(LOGIN).json(&login)).await, 401, "unauthorized", "a revoked device");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_broadcasts_or_responds_who_may_not() {
    let world = World::start().await;
    let before = world.contents(ACME).await;
    let foreign = session(&world.server.api(), GLOBEX).await;
    // An id says the org, an object does not.
    type Named = fn(&str) -> Value;
    let named: [Named; 2] = [|name| json!({"name": name}), |name| json!(id("acme", name))];
    for (path, needs, answered_abroad) in
        [(BROADCASTS, &["publish"][..], json!([])), (RESPONSES, &["subscribe"], json!({"collected": false}))]
    {
        let call = |token: Option<&str>, channel: Value, position: &str| -> Call {
            world.api(token).post(path).json(&json!({"channel": channel, "payload": 1, "id": position}))
        };
        for (name, says_the_org) in named.iter().zip([false, true]) {
            for who in
                Who::STRANGERS.into_iter().chain([Who::Without(needs[0]), Who::Elsewhere, Who::Foreign])
            {
                let token = if who == Who::Foreign { Some(foreign.clone()) } else { who.token(needs) };
                let position = &*world.broadcast;
                let told = Told::by(call(token.as_deref(), name(KEPT), position)).await;
                let what = format!("{path} on {} as {who:?}", name(KEPT));
                match who {
                    Who::Foreign if !says_the_org => {
                        assert_eq!((told.status, told.json()), (200, answered_abroad.clone()), "{what}");
                    }
                    Who::Foreign | Who::Without(_) | Who::Elsewhere => {
                        is_refused(&told, 403, "not-permitted", &what);
                        if who != Who::Foreign {
                            assert_eq!(told.json()["permission"], needs[0], "{what}");
                        }
                    }
                    _ => is_refused(&told, 401, "unauthorized", &what),
                }
                let nowhere = (position.parse::<u64>().unwrap() - 7).to_string();
                let nothing = Told::by(call(token.as_deref(), name(GONE), &nowhere)).await;
                assert_same(&what, (told, &[KEPT]), (nothing, &[GONE]));
                // Of an org that there is, and of one that there is not.
                if who == Who::Foreign && says_the_org {
                    let there = Told::by(call(token.as_deref(), json!(id("acme", KEPT)), position)).await;
                    let nothing = Told::by(call(token.as_deref(), json!(id("none", KEPT)), position)).await;
                    assert_same(&what, (there, &[]), (nothing, &[]));
                }
            }
        }
    }
    assert_eq!(world.contents(ACME).await, before, "what was refused was done");
    for (path, permission) in [(BROADCASTS, "publish"), (RESPONSES, "subscribe")] {
        let api = world.server.api().with_token(&ACME.user(&[permission], KEPT));
        let body = json!({"channel": id("acme", KEPT), "payload": 1, "id": world.broadcast});
        let answer = api.post(path).json(&body).send().await.expect(200).json();
        assert_ne!(answer["collected"], false);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_listened_to_is_given_back_to_it_alone() {
    let world = World::start().await;
    let (address, api) = (world.server.address(), world.server.api());
    let door = async |org: Org| {
        let token = signed("door", &format!("{}-secret-of-the-door", org.0), in_secs(60));
        text(&api.post(LOGIN).json(&json!({ "token": token })).send().await.expect(200).json()["token"])
    };
    let (of_acme, again, of_globex) = (door(ACME).await, door(ACME).await, door(GLOBEX).await);
    let mut client = exp_socket(address, &of_acme).await;
    let ids = [id("acme", KEPT)];
    client.send(format!("42{}", json!(["subscribe", ids]))).await;
    assert_eq!(client.next().await, format!("42{}", json!(["subscribed", ids])));
    drop(client);
    // The same uuid: in another org, and with another session of the same org.
    let mut others = [exp_socket(address, &of_globex).await, exp_socket(address, &again).await];
    let mut owner = exp_socket(address, &of_acme).await;
    for org in [ACME, GLOBEX] {
        world
            .admin(org)
            .post(&format!("/v1/channels/{KEPT}"))
            .json(&json!("given back"))
            .send()
            .await
            .expect(201);
    }
    let heard = owner.next().await;
    assert!(heard.contains("given back") && heard.contains(&ids[0]), "{heard}");
    for other in &mut others {
        other.send(format!("42{}", json!(["subscribe", []]))).await;
        assert_eq!(other.next().await, r#"42["subscribed",[]]"#);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_is_for_who_has_a_session_and_hears_what_he_may() {
    let world = World::start().await;
    let (address, api) = (world.server.address(), world.server.api());
    let logged_in = login(&api, ACME).await;
    let mut changed = text(&logged_in["token"]);
    changed.replace_range(60..61, if &changed[60..61] == "A" { "B" } else { "A" });
    let query = format!("&token={}", encoded(&changed));
    let refused = Packets::open(address, Revision::V3, &query).await.err().unwrap();
    assert_eq!(refused.status.map(|status| status.as_u16()), Some(401), "{refused:?}");

    let ids = [id("acme", KEPT), id("acme", GONE), id("globex", KEPT), id("globex", GONE), id("none", KEPT)];
    let pairing = json!({"token": jsonwebtoken::encode(
        &Header::default(),
        &json!({"type": "device", "uuid": "new", "exp": in_secs(60), "allowPairing": true}),
        &EncodingKey::from_secret(b"a-secret-of-nobody"),
    ).unwrap()});
    let pairing = api.post(LOGIN).json(&pairing).send().await.expect(200).json();
    assert_eq!(pairing["identity"]["isPairing"], true);
    for (what, token, granted) in [
        ("a device", text(&logged_in["token"]), &ids[..2]),
        ("who may only listen", text(&logged_in["restrictedToken"]), &ids[..2]),
        ("another org's device", session(&api, GLOBEX).await, &ids[2..4]),
        ("a device that is pairing", text(&pairing["token"]), &[]),
    ] {
        let mut client = exp_socket(address, &token).await;
        client.send(format!("42{}", json!(["subscribe", ids]))).await;
        assert_eq!(client.next().await, format!("42{}", json!(["subscribed", granted])), "{what}");
    }
    let body = json!({"channel": {"name": KEPT}, "payload": 1});
    let told = Told::by(api.with_token(&text(&pairing["token"])).post(BROADCASTS).json(&body)).await;
    is_refused(&told, 403, "not-permitted", "a device that is pairing");
}
