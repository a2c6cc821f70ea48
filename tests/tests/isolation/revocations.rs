//! Revoking: each org its own tokens and identities.

use serde_json::{Value, json};

use crate::told::{Told, assert_same};
use crate::world::{ACME, CLIENT, GLOBEX, KEPT, Org, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_revokes_what_is_another_org_s() {
    let world = World::start().await;
    let revoke =
        async |org: Org, what: &Value| Told::by(world.admin(org).post("/v1/revocations").json(what)).await;
    let works = async |token: &str| {
        world.api(Some(token)).get(&format!("/v1/channels/{KEPT}")).send().await.status.as_u16()
    };
    let token = ACME.user(&CLIENT, "*");
    // Not its own, whether it is good in another org, or nowhere.
    let mut nobody_s = token.clone();
    let at = token.len() - 10;
    nobody_s.replace_range(at..=at, if &token[at..=at] == "A" { "B" } else { "A" });
    let (there, nowhere) =
        (revoke(GLOBEX, &json!({"token": token})).await, revoke(GLOBEX, &json!({"token": nobody_s})).await);
    assert!((400..500).contains(&there.status), "{there:?}");
    assert!(!there.body.contains(&token), "{there:?}");
    assert_same("a token", (there, &[&token]), (nowhere, &[&nobody_s]));
    assert_eq!(works(&token).await, 200);
    // Of the same name there and here.
    assert_eq!(revoke(GLOBEX, &json!({"identity": "ann"})).await.status, 201);
    assert_eq!(works(&token).await, 200);
    let listed = world.admin(ACME).get("/v1/revocations").send().await.expect(200).json();
    assert_eq!(listed, json!({"revocations": []}));
    assert_eq!(revoke(ACME, &json!({"token": token})).await.status, 201);
    assert_eq!(works(&token).await, 401);
}
