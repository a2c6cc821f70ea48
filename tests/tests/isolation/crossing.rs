//! Two orgs with a channel of the same name: what is done in one is not heard, seen or counted in the other, whichever dialects are spoken.

use antiphon_tests::{Server, V1, within};
use serde_json::{Value, json};

use crate::ears::{self, CHANNEL};
use crate::exp::session;
use crate::mouths::{Heard, MOUTHS, mark, signed};
use crate::packets::connected;
use crate::world::{ACME, GLOBEX, Org};

async fn start(more: &str) -> Server {
    Server::start(&[more.to_owned(), ACME.config(), GLOBEX.config()].concat()).await
}

/// The other one.
fn other(org: Org) -> Org {
    if org == ACME { GLOBEX } else { ACME }
}

/// What everything of an org has in it.
fn sign_of(org: Org) -> String {
    format!("of-{}", org.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_what_is_published_in_another_org() {
    hear("workers = 2\n").await;
    // Where all are on one worker, they share what it has.
    hear("workers = 1\n").await;
}

async fn hear(config: &str) {
    let server = start(config).await;
    let mut ears = ears::all(&server, ACME).await;
    ears.extend(ears::all(&server, GLOBEX).await);
    for mouth in MOUTHS {
        for org in [ACME, GLOBEX] {
            (mouth.speak)(&server, org, &mark(org, mouth.name)).await;
        }
    }
    for org in [ACME, GLOBEX] {
        (MOUTHS[0].speak)(&server, org, &mark(org, "the-end")).await;
    }
    for ear in &mut ears {
        ear.until(&mark(ear.org, "the-end")).await;
        let foreign = sign_of(other(ear.org));
        for text in &ear.told {
            assert!(!text.contains(&foreign), "{} of {:?} hears {text}", ear.name, ear.org);
        }
        for mouth in MOUTHS.iter().filter(|mouth| mouth.heard == Heard::ByAll) {
            let mark = mark(ear.org, mouth.name);
            assert!(
                ear.told.iter().any(|text| text.contains(&mark)),
                "{} does not hear {mark}: {:?}",
                ear.name,
                ear.told
            );
        }
    }
    // So that silence means something: each is heard by somebody.
    for mouth in MOUTHS {
        let mark = mark(ACME, mouth.name);
        let heard = ears.iter().flat_map(|ear| &ear.told).any(|text| text.contains(&mark));
        assert!(heard, "nobody hears {mark}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_or_counts_what_there_is_in_another_org() {
    let server = start("").await;
    for mouth in MOUTHS {
        // In one org more often: counts have to differ.
        (mouth.speak)(&server, ACME, &mark(ACME, mouth.name)).await;
        (mouth.speak)(&server, GLOBEX, &mark(GLOBEX, mouth.name)).await;
        (mouth.speak)(&server, GLOBEX, &mark(GLOBEX, &format!("{}-again", mouth.name))).await;
    }
    let mut counts = Vec::new();
    for org in [ACME, GLOBEX] {
        let seen = seen(&server, org).await;
        for (what, seen) in &seen {
            let text = seen.to_string();
            assert!(!text.contains(&sign_of(other(org))), "{org:?} sees by {what}: {text}");
            assert!(
                text.contains(&sign_of(org)) || !text.contains("of-"),
                "{org:?} sees nothing by {what}: {text}"
            );
        }
        let count = |what: &str| seen.iter().find(|(name, _)| *name == what).unwrap().1.clone();
        counts.push((
            count("native presence")["occupancy"].clone(),
            count("here-now")["total_occupancy"].clone(),
            count("here-now everywhere")["payload"]["total_occupancy"].clone(),
            count("message counts")["channels"][CHANNEL].clone(),
        ));
    }
    let (of_acme, of_globex) = (&counts[0], &counts[1]);
    assert_ne!(of_acme.0, of_globex.0);
    assert_ne!(of_acme.3, of_globex.3);
    assert_eq!((&of_acme.0, &of_globex.0), (&json!(2), &json!(4)), "{counts:?}");
}

/// All that an org's own people see of the channel.
async fn seen(server: &Server, org: Org) -> Vec<(&'static str, Value)> {
    let api = server.api().with_token(&org.admin());
    let mut seen = Vec::new();
    for (what, path) in [
        ("native history", format!("/v1/channels/{CHANNEL}?limit=1000")),
        ("native recovery", format!("/v1/channels/{CHANNEL}?since=0&limit=1000&presence=true")),
        ("native presence", format!("/v1/channels/{CHANNEL}/presence")),
        ("credentials", "/v1/credentials".to_owned()),
    ] {
        seen.push((what, api.get(&path).send().await.expect(200).json()));
    }
    let mut v1 = V1::connect(&api, "").await;
    let mut io = connected(server.address(), &org.admin()).await;
    for kind in ["history", "presence"] {
        seen.push((kind, v1.ask(json!({"type": kind, "channel": CHANNEL})).await));
        seen.push((kind, io.ask(kind, &json!(CHANNEL)).await));
    }
    let sub = org.subscribe_key();
    let who = mark(org, "heartbeat");
    for (what, path) in [
        ("history v2", format!("/v2/history/sub-key/{sub}/channel/{CHANNEL}")),
        ("history v3", format!("/v3/history/sub-key/{sub}/channel/{CHANNEL}?include_uuid=true")),
        ("history with actions", format!("/v3/history-with-actions/sub-key/{sub}/channel/{CHANNEL}")),
        ("message counts", format!("/v3/history/sub-key/{sub}/message-counts/{CHANNEL}?timetoken=1")),
        ("actions", format!("/v1/message-actions/{sub}/channel/{CHANNEL}")),
        ("here-now", format!("/v2/presence/sub-key/{sub}/channel/{CHANNEL}%2Cnowhere?state=1")),
        ("here-now everywhere", format!("/v2/presence/sub-key/{sub}?state=1")),
        ("where-now", format!("/v2/presence/sub-key/{sub}/uuid/{who}")),
        ("state", format!("/v2/presence/sub-key/{sub}/channel/{CHANNEL}/uuid/{who}")),
        ("objects", format!("/v2/objects/{sub}/channels?count=true")),
        ("subscribe", format!("/v2/subscribe/{sub}/{CHANNEL}/0?tt=1")),
    ] {
        let mut told = signed(server, org, "GET", &path, &Value::Null).await;
        if what == "here-now" {
            told = told["payload"].take();
        }
        seen.push((what, told));
    }
    // A foreign member is nowhere, and has no state.
    let foreign = mark(other(org), "heartbeat");
    let nowhere = format!("/v2/presence/sub-key/{sub}/uuid/{foreign}");
    let told = signed(server, org, "GET", &nowhere, &Value::Null).await;
    assert_eq!(told["payload"], json!({"channels": []}), "{told}");
    let state = format!("/v2/presence/sub-key/{sub}/channel/{CHANNEL}/uuid/{foreign}");
    let told = signed(server, org, "GET", &state, &Value::Null).await;
    assert_eq!(told["payload"], json!({}), "{told}");
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_replies_to_what_another_org_asks() {
    let server = start("").await;
    let [acme, globex] = [ACME, GLOBEX].map(|org| server.api().with_token(&org.admin()));
    let mut asking = V1::connect(&acme, "").await;
    let asked =
        json!({"type": "broadcast", "channel": CHANNEL, "payload": "who?", "timeout": "60s", "until": 5});
    let position = asking.ask(asked).await["position"].as_str().unwrap().to_owned();
    let reply = format!("/v1/channels/{CHANNEL}/broadcasts/{position}/replies");
    let message = json!({"type": "reply", "channel": CHANNEL, "to": position, "payload": "of-globex"});
    let response = json!({"id": position, "channel": {"name": CHANNEL}, "payload": "of-globex"});
    const RESPONSES: &str = "/api/networks/current/responses";

    globex.post(&reply).json(&json!("of-globex")).send().await.problem(404);
    let mut outsider = V1::connect(&globex, "").await;
    assert_eq!(outsider.try_ask(message.clone()).await.unwrap()["error"]["status"], 404);
    for token in [GLOBEX.admin(), session(&server.api(), GLOBEX).await] {
        let told = server.api().with_token(&token).post(RESPONSES).json(&response).send().await.expect(200);
        assert_eq!(told.json(), json!({"collected": false}));
    }
    // Socket.IO acknowledges by a number that is the position. Of another org, or of who does not listen there, it is nothing.
    let number = position.parse::<u64>().unwrap() - 17_672_256_000_000_000;
    for (token, listens_to) in [(GLOBEX.admin(), CHANNEL), (ACME.admin(), "elsewhere")] {
        let mut io = connected(server.address(), &token).await;
        io.ask("subscribe", &json!(listens_to)).await;
        io.send(format!(r#"43{number}["of-globex"]"#)).await;
        // By then it has been looked at.
        io.ask("presence", &json!(listens_to)).await;
    }
    // Nor is a reply taken on another channel than the one that was asked on, of whoever may listen to the one and not to the other.
    let elsewhere = server.api().with_token(&ACME.user(&["subscribe"], "elsewhere"));
    elsewhere.post(&reply).json(&json!("of-globex")).send().await.problem(403);
    let path = format!("/v1/channels/elsewhere/broadcasts/{position}/replies");
    elsewhere.post(&path).json(&json!("of-globex")).send().await.problem(404);

    acme.post(&reply).json(&json!("of-acme")).send().await.expect(202);
    let mut io = connected(server.address(), &ACME.admin()).await;
    io.ask(
        "subscribe",
        &json!({"channel": CHANNEL, "since": (position.parse::<u64>().unwrap() - 1).to_string()}),
    )
    .await;
    io.send(format!(r#"43{number}["of-acme"]"#)).await;
    let mut insider = V1::connect(&acme, "").await;
    let mut message = message;
    message["payload"] = json!("of-acme");
    insider.ask(message).await;
    let mut response = response;
    response["payload"] = json!("of-acme");
    for token in [ACME.admin(), session(&server.api(), ACME).await] {
        let told = server.api().with_token(&token).post(RESPONSES).json(&response).send().await.expect(200);
        assert_eq!(told.json(), json!({}));
    }
    let collected = async {
        let mut replies = Vec::new();
        loop {
            let message = asking.next().await;
            match message["type"].as_str() {
                Some("reply") => replies.push(message["payload"].clone()),
                Some("replies_end") => return replies,
                _ => panic!("{message}"),
            }
        }
    };
    assert_eq!(within("the replies", collected).await, vec![json!("of-acme"); 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_org_uses_up_another_still_has() {
    let limits = r#"
[org.limits]
publish_rate_per_identity = { per_second = 0.01, burst = 2 }
connections_per_identity_max = 2
"#;
    let config = [ACME.config(), limits.to_owned(), GLOBEX.config(), limits.to_owned()].concat();
    let server = Server::start(&config).await;
    let mut held = Vec::new();
    // Of the same name in both.
    for org in [ACME, GLOBEX] {
        let api = server.api().with_token(&org.user(&["publish", "subscribe"], "*"));
        for status in [201, 201, 429] {
            api.post(&format!("/v1/channels/{CHANNEL}")).json(&json!(1)).send().await.expect(status);
        }
        for _ in 0..2 {
            held.push(V1::connect(&api, "").await);
        }
        let refused = V1::try_connect(&api, "").await.err().unwrap();
        assert_eq!(refused.status.map(|status| status.as_u16()), Some(429), "{org:?}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_used_up_in_one_org_and_on_one_channel_alone() {
    let server = start("").await;
    let publish = async |org: Org, channel: &str, identity: &str| -> Value {
        let api = server.api().with_token(&org.admin());
        let call =
            api.post(&format!("/v1/channels/{channel}?identity={identity}")).header("idempotency-key", "one");
        call.json(&json!(1)).send().await.expect(201).json()
    };
    let first = publish(ACME, CHANNEL, "ann").await;
    assert_eq!(publish(ACME, CHANNEL, "ann").await, first);
    for other in [
        publish(GLOBEX, CHANNEL, "ann").await,
        publish(ACME, "other", "ann").await,
        publish(ACME, CHANNEL, "bob").await,
    ] {
        assert_ne!(other["position"], first["position"]);
    }
}
