//! The subprotocol `antiphon.v1`: every type of message that the server knows.

use std::collections::BTreeSet;

use antiphon_tests::V1;
use serde_json::{Value, json};

use crate::native::is_problem;
use crate::native_rows::Names;
use crate::told::{Told, assert_same};
use crate::world::{ACME, CLIENT, GLOBEX, KEPT, Who, World};

/// A message.
struct Row {
    kind: &'static str,
    /// The rest of its members.
    message: &'static str,
    needs: &'static [&'static str],
    /// What another org's identity is answered, which is in its own org: empty for `ok`, else the problem.
    foreign: &'static str,
}

/// Who joins stays for a while, so a state is set before.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("state", r#""channel":"{channel}","state":{"mood":"fine"}"#, &["presence"], "conflict"),
    row("subscribe", r#""channels":["{channel}"]"#, &["subscribe"], ""),
    row("subscribe", r#""channels":[{"channel":"{channel}","since":"0"},"elsewhere.1"]"#, &["subscribe"], ""),
    row("subscribe", r#""channels":[{"channel":"{channel}","presence":true}]"#, &["subscribe", "presence"], ""),
    row("subscribe", r#""channels":[{"channel":"{channel}","join":true,"state":1}]"#, &["subscribe", "presence"], ""),
    row("unsubscribe", r#""channels":["{channel}"]"#, &[], ""),
    row("publish", r#""channel":"{channel}","payload":1"#, &["publish"], ""),
    row("publish", r#""channel":"{channel}","payload":1,"kind":"signal","store":false"#, &["publish"], ""),
    row("publish", r#""channel":"{channel}","payload":1,"idempotency_key":"one""#, &["publish"], ""),
    row("publish", r#""channel":"{channel}","payload":1,"system":true"#, &["admin"], ""),
    row("broadcast", r#""channel":"{channel}","payload":1,"timeout":1"#, &["publish"], ""),
    row("reply", r#""channel":"{channel}","to":"{position}","payload":1"#, &["subscribe"], "nobody-collects"),
    row("presence", r#""channel":"{channel}""#, &["presence"], ""),
    row("history", r#""channel":"{channel}""#, &["history"], ""),
    row("history", r#""channel":"{channel}","since":"0","limit":7"#, &["subscribe"], ""),
    row("authenticate", r#""token":"{token}""#, &[], ""),
    row("ping", r#""x":1"#, &[], ""),
];

const fn row(
    kind: &'static str,
    message: &'static str,
    needs: &'static [&'static str],
    foreign: &'static str,
) -> Row {
    Row { kind, message, needs, foreign }
}

impl Row {
    fn message(&self, names: &Names, token: &str) -> Value {
        let filled = self.message.replace("{channel}", names.channel).replace("{position}", &names.position);
        let text = format!("{{\"type\":\"{}\",{}}}", self.kind, filled.replace("{token}", token));
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_every_type() {
    let world = World::start().await;
    let mut client = V1::connect(&world.admin(ACME), "").await;
    let answer = client.try_ask(json!({"type": "what"})).await.unwrap();
    let detail = answer["error"]["detail"].as_str().unwrap();
    // "type: is a, b, c or d"
    let (_, known) = detail.split_once("type: is ").unwrap_or_else(|| panic!("{detail}"));
    let known: BTreeSet<&str> = known.split([',', ' ']).filter(|word| !["", "or"].contains(word)).collect();
    assert_eq!(known, ROWS.iter().map(|row| row.kind).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_is_refused_and_learns_nothing() {
    let world = World::start().await;
    for who in Who::STRANGERS {
        let refused = V1::try_connect(&world.api(who.token(&[]).as_deref()), "").await.err();
        let refused = refused.unwrap_or_else(|| panic!("{who:?} is connected"));
        assert_eq!(refused.status.map(|status| status.as_u16()), Some(401), "{who:?}: {refused:?}");
        is_problem(&refused.problem, who, "unauthorized", &[], &format!("{who:?}"));
    }
    let before = world.contents(ACME).await;
    for row in ROWS {
        let refused = row.needs.iter().map(|needed| Who::Without(needed));
        for who in refused.chain([Who::Elsewhere, Who::Foreign]) {
            let token = who.token(row.needs).unwrap();
            let (kept, gone) = (Names::kept(&world), Names::gone(&world));
            let answer = ask(&world, row, &token, &kept).await;
            check(row, who, &answer);
            let nothing = Told::message(&ask(&world, row, &token, &gone).await);
            let what = format!("{} {} as {who:?}", row.kind, row.message);
            assert_same(&what, (Told::message(&answer), &kept.all()), (nothing, &gone.all()));
        }
    }
    assert_eq!(world.contents(ACME).await, before, "what was refused was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_is_answered() {
    let world = World::start().await;
    for row in ROWS {
        let mut token = Who::Permitted.token(row.needs).unwrap();
        if row.message.contains("elsewhere") {
            token = ACME.user(row.needs, "*");
        }
        let answer = ask(&world, row, &token, &Names::kept(&world)).await;
        let expected = if row.kind == "ping" { "pong" } else { "ok" };
        assert_eq!(answer["type"], expected, "{} {}: {answer}", row.kind, row.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_not_handed_to_anybody_else() {
    let world = World::start().await;
    let mut client = V1::connect(&world.api(Some(&ACME.user(&CLIENT, "*"))), "").await;
    client.subscribe(json!(KEPT)).await;
    let bob = json!({"org": "acme", "sub": "bob", "exp": crate::world::in_secs(60)});
    let tokens = [
        (Who::Guesser.token(&[]).unwrap(), "unauthorized"),
        (Who::Forger.token(&[]).unwrap(), "unauthorized"),
        (Who::Late.token(&[]).unwrap(), "unauthorized"),
        (GLOBEX.user(&CLIENT, "*"), "not-permitted"),
        (GLOBEX.admin(), "not-permitted"),
        (ACME.signs(&bob), "not-permitted"),
        (ACME.admin(), "not-permitted"),
        // His own, but not enough to listen where he listens.
        (ACME.user(&["publish"], "*"), "not-permitted"),
        (ACME.user(&CLIENT, "elsewhere.*"), "not-permitted"),
    ];
    for (token, kind) in tokens {
        let answer = client.try_ask(json!({"type": "authenticate", "token": token})).await.unwrap();
        assert_eq!(answer["error"]["type"], format!("urn:antiphon:problem:{kind}"), "{token}: {answer}");
        assert!(!answer.to_string().contains(&token), "{answer}");
        // The credential from before counts as it did.
        client.ask(json!({"type": "presence", "channel": KEPT})).await;
    }
}

async fn ask(world: &World, row: &Row, token: &str, names: &Names) -> Value {
    let mut client = V1::connect(&world.api(Some(token)), "").await;
    client.try_ask(row.message(names, token)).await.unwrap()
}

fn check(row: &Row, who: Who, answer: &Value) {
    let what = format!("{} {} as {who:?}: {answer}", row.kind, row.message);
    let kind = match who {
        _ if row.needs.is_empty() => "",
        Who::Foreign => row.foreign,
        _ => "not-permitted",
    };
    if kind.is_empty() {
        assert!(answer["type"] == "ok" || answer["type"] == "pong", "{what}");
        return;
    }
    let status = match kind {
        "nobody-collects" => 404,
        "conflict" => 409,
        _ => 403,
    };
    assert_eq!((&answer["type"], &answer["error"]["status"]), (&json!("error"), &json!(status)), "{what}");
    is_problem(&answer["error"], who, kind, row.needs, &what);
}
