//! What somebody learns of orgs and keys who has shown nothing that is right.

use antiphon_tests::{Server, WebSocket};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use crate::told::{Told, assert_same};
use crate::world::{ACME, CLIENT, GLOBEX, KEPT, Org, World, in_secs};

/// A JWT that a stranger has signed himself.
fn forged(org: &str, algorithm: &str, key_id: Option<&str>) -> String {
    let claims = json!({"org": org, "sub": "ann", "exp": in_secs(60)});
    let mut header = Header::new(algorithm.parse().unwrap());
    header.kid = key_id.map(str::to_owned);
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(b"a-secret-of-a-stranger-of-32-bytes"))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_learns_which_orgs_there_are_by_tokens_of_his_own() {
    let world = World::start().await;
    for (algorithm, key_id) in
        [("HS256", None), ("HS256", Some("one")), ("HS384", None), ("HS512", Some("one"))]
    {
        let ask = async |org: &str| {
            let api = world.api(Some(&forged(org, algorithm, key_id)));
            Told::by(api.get(&format!("/v1/channels/{KEPT}"))).await
        };
        let (there, nowhere) = (ask("acme").await, ask("nobody").await);
        assert_eq!(there.status, 401);
        assert_same(&format!("an org's name, by {algorithm}"), (there, &[]), (nowhere, &[]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_nearly_right_is_as_wrong_as_any() {
    let world = World::start().await;
    let ask = async |token: &str| Told::by(world.api(Some(token)).get(&format!("/v1/channels/{KEPT}"))).await;
    let wrong = ask("quite-another-key").await;
    for nearly in ["acme-admin-kez", "acme-admin-ke", "acme-admin-key1", "ACME-ADMIN-KEY", "acme"] {
        let told = ask(nearly).await;
        assert_eq!(told.status, 401);
        assert_same(nearly, (told, &[]), (wrong.clone(), &[]));
    }
    // Nor is a good token that was changed told from one that never was any.
    let good = ACME.user(&CLIENT, "*");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let changed = format!("{signed}.{first}{}", &signature[1..]);
    let other = GLOBEX.user(&CLIENT, "*");
    let swapped = format!("{signed}.{}", other.rsplit_once('.').unwrap().1);
    assert_same("a signature", (ask(&changed).await, &[]), (ask(&swapped).await, &[]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_one_org_do_nothing_in_another() {
    let page = |org: &str| format!("https://{org}.example");
    let config = |org: Org| {
        let name = format!("name = \"{}\"\n", org.0);
        org.config().replace(&name, &format!("{name}allowed_origins = [\"{}\"]\n", page(org.0)))
    };
    let server = Server::start(&[config(ACME), config(GLOBEX)].concat()).await;
    let body = json!({"channel": {"name": KEPT}, "payload": 1});
    for (origin, allowed) in [(page("acme"), true), (page("globex"), false), (page("nobody"), false)] {
        let api = server.api().with_token(&ACME.user(&CLIENT, "*"));
        let calls = [
            api.get(&format!("/v1/channels/{KEPT}")),
            api.post(&format!("/v1/channels/{KEPT}")).json(&json!(1)),
            api.post("/api/networks/current/broadcasts?timeout=1").json(&body),
        ];
        for call in calls {
            let told = Told::by(call.header("origin", &origin)).await;
            assert_eq!(told.status == 403, !allowed, "{origin}: {told:?}");
            assert_eq!(told.body.contains("origin-refused"), !allowed, "{origin}: {told:?}");
        }
        let path = format!("/v1/channels/{KEPT}?token={}", ACME.user(&CLIENT, "*"));
        for protocol in [None, Some("antiphon.v1")] {
            let headers = [("origin", &*origin)];
            let told = Told::handshake(WebSocket::connect(server.address(), &path, protocol, &headers).await);
            assert_eq!(told.status, if allowed { 101 } else { 403 }, "{origin}: {told:?}");
        }
    }
}
