//! The native protocol over HTTP: every operation of the OpenAPI document, in every way in which it can be asked for.

use std::collections::BTreeSet;

use antiphon_tests::{V1, WebSocket};
use serde_json::{Value, json};

use crate::native_rows::{Names, ROWS, Row, Takes};
use crate::told::{Told, assert_same};
use crate::world::{ACME, GLOBEX, GONE, KEPT, Who, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_every_operation() {
    let world = World::start().await;
    let document = world.server.api().get("/v1/openapi.json").send().await.expect(200).json();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete", "options", "head", "patch", "trace"] {
            if item.get(method).is_some() {
                operations.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    let rows = ROWS.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(operations, rows);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_is_refused_and_learns_nothing() {
    let world = World::start().await;
    let before = world.contents(ACME).await;
    for row in ROWS {
        let refused = Who::STRANGERS.into_iter().chain(row.needs.iter().map(|needed| Who::Without(needed)));
        for who in refused.chain([Who::Elsewhere, Who::Foreign]) {
            let token = who.token(row.needs);
            let api = world.api(token.as_deref());
            let (kept, gone) = (Names::kept(&world), Names::gone(&world));
            let mut told = row.ask(&api, &kept).await;
            check(row, who, &told);
            let what = format!("{} as {who:?}", row.name());
            assert!(token.is_none_or(|token| !told.body.contains(&token)), "{what}: {told:?}");
            let mut nothing = row.ask(&api, &gone).await;
            if told.json()["id"].is_string() {
                // A digest of the name.
                (told, nothing) = (told.shape(), nothing.shape());
            }
            assert_same(&what, (told, &kept.all()), (nothing, &gone.all()));
        }
    }
    assert_eq!(world.contents(ACME).await, before, "what was refused was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_is_answered() {
    let world = World::start().await;
    for row in ROWS {
        world.furnish().await;
        let token = Who::Permitted.token(row.needs);
        let told = row.ask(&world.api(token.as_deref()), &Names::kept(&world)).await;
        assert_eq!(told.status, row.answered, "{}: {}", row.name(), told.body);
        if row.takes == Takes::Batch {
            assert!(told.json()["results"][0]["position"].is_string(), "{}: {}", row.name(), told.body);
        }
    }
    assert_eq!(world.contents(GLOBEX).await["/v1/credentials"]["credentials"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_may_listen_is_not_counted_where_it_may_not_be() {
    let world = World::start().await;
    let before = world.contents(ACME).await;
    let token = Who::Without("presence").token(&[]).unwrap();
    for channel in [KEPT, GONE] {
        let query = format!("join=true&token={token}");
        let path = format!("/v1/channels/{channel}?{query}");
        let mut raw = WebSocket::connect(world.server.address(), &path, None, &[]).await.unwrap();
        let closed = raw.closed().await;
        assert_eq!(closed.code, Some(1008), "{closed:?}");
        assert!(closed.reason.contains("presence") && closed.reason.contains(channel), "{closed:?}");
        let api = world.api(Some(&token));
        let mut client = V1::connect(&api, &format!("channel={channel}&join=true")).await;
        let answer = client.next().await;
        let error = &answer["error"];
        assert_eq!(
            (&error["permission"], &error["channel"]),
            (&json!("presence"), &json!(channel)),
            "{answer}"
        );
    }
    assert_eq!(world.contents(ACME).await, before);
}

/// Holds what somebody was told who may not against what he should be told.
fn check(row: &Row, who: Who, told: &Told) {
    let what = format!("{} as {who:?}: {told:?}", row.name());
    let (status, kind) = match who {
        _ if row.needs.is_empty() => (row.answered, None),
        Who::Foreign | Who::Permitted => (row.foreign, None),
        Who::Without(_) | Who::Elsewhere if row.takes == Takes::Batch => (200, Some("not-permitted")),
        Who::Without(_) | Who::Elsewhere => (403, Some("not-permitted")),
        _ => (401, Some("unauthorized")),
    };
    assert_eq!(told.status, status, "{what}");
    let Some(kind) = kind else { return };
    if row.takes == Takes::Head {
        assert_eq!(told.body, "", "{what}");
        return;
    }
    let problem = match (row.takes, status) {
        (Takes::Batch, 200) => told.json()["results"][0]["error"].clone(),
        _ => told.json(),
    };
    is_problem(&problem, who, kind, row.needs, &what);
}

/// Checks a refusal's document, in whatever dialect it came.
pub(crate) fn is_problem(problem: &Value, who: Who, kind: &str, needs: &[&str], what: &str) {
    assert_eq!(problem["type"], format!("urn:antiphon:problem:{kind}"), "{what}");
    let channel = &problem["channel"];
    match who {
        // Only who is an admin publishes on system channels.
        Who::Without("admin") | Who::Elsewhere if needs == ["admin"] && *channel == KEPT => {
            assert_eq!(problem["permission"], "publish", "{what}");
        }
        Who::Without(permission) => assert_eq!(problem["permission"], permission, "{what}"),
        Who::Elsewhere => {
            assert!(needs.iter().any(|needed| problem["permission"] == *needed), "{what}");
        }
        _ => return,
    }
    assert!(*channel == KEPT || channel.is_null() && needs == ["admin"], "{what}");
}
