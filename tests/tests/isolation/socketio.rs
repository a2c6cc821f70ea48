//! Socket.IO: every built-in event of `/`, connecting to it in both revisions, and the dashboard's namespace.

use std::collections::BTreeSet;

use antiphon_tests::encoded;
use serde_json::{Value, json};

use crate::native::is_problem;
use crate::native_rows::Names;
use crate::packets::{Packets, Revision, connected};
use crate::told::{Told, assert_same};
use crate::world::{ACME, DASHBOARD, GLOBEX, KEPT, Who, World};

/// An event that a client emits, with its argument.
struct Row {
    event: &'static str,
    argument: &'static str,
    needs: &'static [&'static str],
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("subscribe", r#""{channel}""#, &["subscribe"]),
    row("subscribe", r#"[{"channel":"{channel}","since":"0"},"elsewhere.1"]"#, &["subscribe"]),
    row("subscribe", r#"{"channel":"{channel}","presence":true}"#, &["subscribe", "presence"]),
    row("subscribe", r#"{"channel":"{channel}","join":true,"state":1}"#, &["subscribe", "presence"]),
    row("unsubscribe", r#""{channel}""#, &[]),
    row("publish", r#"{"channel":"{channel}","payload":1}"#, &["publish"]),
    row("publish", r#"{"channel":"{channel}","arguments":[1,2],"store":false}"#, &["publish"]),
    row("publish", r#"{"channel":"{channel}","payload":1,"system":true}"#, &["admin"]),
    row("broadcast", r#"{"channel":"{channel}","payload":1,"timeout":1}"#, &["publish"]),
    row("history", r#""{channel}""#, &["history"]),
    row("history", r#"{"channel":"{channel}","since":"0"}"#, &["subscribe"]),
    row("presence", r#""{channel}""#, &["presence"]),
];

const fn row(event: &'static str, argument: &'static str, needs: &'static [&'static str]) -> Row {
    Row { event, argument, needs }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_every_event() {
    let world = World::start().await;
    let mut client = connected(world.server.address(), &ACME.admin()).await;
    let answer = client.ask("what", &Value::Null).await;
    let detail = answer["error"]["detail"].as_str().unwrap();
    // "there are a, b and c"
    let (_, known) = detail.split_once("there are ").unwrap_or_else(|| panic!("{detail}"));
    let known: BTreeSet<&str> = known.split([',', ' ']).filter(|word| !["", "and"].contains(word)).collect();
    assert_eq!(known, ROWS.iter().map(|row| row.event).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_is_refused_and_learns_nothing() {
    let world = World::start().await;
    let before = world.contents(ACME).await;
    for row in ROWS {
        let refused = row.needs.iter().map(|needed| Who::Without(needed));
        for who in refused.chain([Who::Elsewhere, Who::Foreign]) {
            let token = who.token(row.needs).unwrap();
            let (kept, gone) = (Names::kept(&world), Names::gone(&world));
            let answer = ask(&world, row, &token, &kept).await;
            let what = format!("{} {} as {who:?}: {answer}", row.event, row.argument);
            if row.needs.is_empty() || who == Who::Foreign {
                assert_eq!(answer["status"], "ok", "{what}");
            } else {
                assert_eq!(
                    (&answer["status"], &answer["error"]["status"]),
                    (&json!("error"), &json!(403)),
                    "{what}"
                );
                is_problem(&answer["error"], who, "not-permitted", row.needs, &what);
            }
            let nothing = Told::message(&ask(&world, row, &token, &gone).await);
            assert_same(&what, (Told::message(&answer), &kept.all()), (nothing, &gone.all()));
        }
    }
    assert_eq!(world.contents(ACME).await, before, "what was refused was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_is_answered() {
    let world = World::start().await;
    for row in ROWS {
        let channels = if row.argument.contains("elsewhere") { "*" } else { KEPT };
        let answer = ask(&world, row, &ACME.user(row.needs, channels), &Names::kept(&world)).await;
        assert_eq!(answer["status"], "ok", "{} {}: {answer}", row.event, row.argument);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_not_connected_whichever_way_they_show_what_they_have() {
    let world = World::start().await;
    let address = world.server.address();
    for who in Who::STRANGERS {
        let token = who.token(&[]).unwrap_or_default();
        let query = format!("&token={}", encoded(&token));
        let by_auth = (Revision::V4, String::new(), json!({"token": token}));
        let by_query = (Revision::V4, query.clone(), json!({}));
        for (revision, query, auth) in [by_auth, by_query] {
            let mut client = Packets::open(address, revision, &query).await.unwrap();
            let answer = client.connect("/", &auth).await;
            let refusal = answer.strip_prefix("44").unwrap_or_else(|| panic!("{who:?}: {answer}"));
            let refusal: Value = serde_json::from_str(refusal).unwrap();
            is_problem(&refusal["data"], who, "unauthorized", &[], &answer);
            assert!(token.is_empty() || !answer.contains(&token), "{answer}");
        }
        // Of the earlier revision: the handshake is refused, or the namespace.
        match Packets::open(address, Revision::V3, &query).await {
            Err(refused) => assert_eq!(refused.status.map(|status| status.as_u16()), Some(401), "{who:?}"),
            Ok(mut client) => {
                let answer = client.next().await;
                let refusal = answer.strip_prefix("44").unwrap_or_else(|| panic!("{who:?}: {answer}"));
                is_problem(&serde_json::from_str(refusal).unwrap(), who, "unauthorized", &[], &answer);
            }
        }
    }
    let query = format!("&token={}", encoded(&ACME.user(&["subscribe"], "*")));
    let mut client = Packets::open(address, Revision::V3, &query).await.unwrap();
    assert_eq!(client.next().await, "40");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_is_for_whoever_has_its_password() {
    let world = World::start().await;
    let address = world.server.address();
    for auth in [
        json!({}),
        json!({"token": ACME.admin()}),
        json!({"token": GLOBEX.admin(), "username": "admin"}),
        json!({"username": "admin", "password": "guessed"}),
        json!({"username": "nobody", "password": DASHBOARD}),
        json!({"sessionId": "guessed"}),
        json!({"username": "admin", "password": "", "sessionId": ""}),
    ] {
        let mut client = Packets::open(address, Revision::V4, "").await.unwrap();
        let answer = client.connect("/admin", &auth).await;
        assert_eq!(answer, r#"44/admin,{"message":"invalid credentials"}"#, "{auth}");
    }
    let mut client = Packets::open(address, Revision::V4, "").await.unwrap();
    let answer = client.connect("/admin", &json!({"username": "admin", "password": DASHBOARD})).await;
    assert!(answer.starts_with("40/admin,{"), "{answer}");
    // Namespaces that are a room of acme's or nothing are the same nothing.
    let mut client = connected(address, &GLOBEX.admin()).await;
    for namespace in [format!("/{KEPT}"), "/gone".to_owned(), format!("/{KEPT}#1")] {
        let answer = client.connect(&namespace, &json!({"token": GLOBEX.admin()})).await;
        assert_eq!(answer, format!(r#"44{namespace},{{"message":"Invalid namespace"}}"#));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_comes_back_as_somebody_else() {
    let world = World::start().await;
    let address = world.server.address();
    let mut client = Packets::open(address, Revision::V4, "").await.unwrap();
    let answer = client.connect("/", &json!({"token": ACME.user(&["subscribe"], "*")})).await;
    let session: Value = serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
    client.ask("subscribe", &json!(KEPT)).await;
    world.admin(ACME).post(&format!("/v1/channels/{KEPT}")).json(&json!("seen")).send().await.expect(201);
    let event = client.next().await;
    let offset =
        serde_json::from_str::<Vec<Value>>(event.strip_prefix("42").unwrap()).unwrap().pop().unwrap();
    let guessed = json!("x".repeat(session["pid"].as_str().unwrap().len()));
    drop(client);
    world.admin(ACME).post(&format!("/v1/channels/{KEPT}")).json(&json!("missed")).send().await.expect(201);

    let mut told = Vec::new();
    let another = ACME.signs(&json!({"org": "acme", "sub": "bob", "exp": crate::world::in_secs(60),
        "permissions": [{"channels": ["*"], "allow": ["subscribe"]}]}));
    for (token, pid) in [
        (GLOBEX.user(&["subscribe"], "*"), &session["pid"]),
        (GLOBEX.user(&["subscribe"], "*"), &guessed),
        (another.clone(), &session["pid"]),
        (another, &guessed),
    ] {
        let mut thief = Packets::open(address, Revision::V4, "").await.unwrap();
        let answer = thief.connect("/", &json!({"token": token, "pid": pid, "offset": offset})).await;
        let answer: Value = serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
        assert_ne!(answer["sid"], session["sid"]);
        assert_ne!(answer["pid"], session["pid"]);
        // What comes first is the answer to what it asks: nothing of what was missed.
        thief.send(r#"421["unsubscribe","elsewhere"]"#.to_owned()).await;
        told.push((answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), thief.next().await));
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    // And nobody has taken it from who it belongs to.
    let mut owner = Packets::open(address, Revision::V4, "").await.unwrap();
    let auth = json!({"token": ACME.user(&["subscribe"], "*"), "pid": session["pid"], "offset": offset});
    let missed = owner.connect("/", &auth).await;
    assert!(missed.starts_with(r#"42["message","missed""#), "{missed}");
    let answer = owner.next().await;
    assert!(answer.contains(session["sid"].as_str().unwrap()), "{answer}");
}

async fn ask(world: &World, row: &Row, token: &str, names: &Names) -> Value {
    let mut client = connected(world.server.address(), token).await;
    let argument = row.argument.replace("{channel}", names.channel);
    client.ask(row.event, &serde_json::from_str(&argument).unwrap()).await
}
