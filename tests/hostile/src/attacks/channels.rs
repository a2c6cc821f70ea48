//! Channel names that are strange, channels without number, and presence that comes and goes.

use serde_json::json;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{JSON, V1, answered, get, post};
use crate::config::{ORG, PUBLISH_KEY, SUBSCRIBE_KEY};
use crate::foe::Foe;
use crate::frame;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "strange-names",
        what: "channel names of control characters, right-to-left marks, halves of surrogates, paths",
        run: |ground| storm(ground, 8, 2, names),
    },
    Attack {
        name: "channel-flood",
        what: "publishing on a new channel with each request",
        run: |ground| storm(ground, 4, 0, flood),
    },
    Attack {
        name: "presence-churn",
        what: "joining and leaving as fast as it goes, under ever other names",
        run: |ground| storm(ground, 8, 1, presence),
    },
];

const NAMES: [&str; 14] = [
    "\0",
    "a\0b",
    "\r\n",
    "\u{1b}[2J",
    "\u{202e}moor",
    "\u{feff}",
    "\u{d7ff}",
    "😀😀😀",
    "../../etc/passwd",
    "*",
    "a.*",
    "%00",
    "\u{85}",
    "é\u{301}\u{301}\u{301}",
];

async fn names(ground: Ground, number: usize) -> Round {
    let name = NAMES[number % NAMES.len()];
    let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut foe = Foe::connect(ground.address).await?;
    // It is taken as a name or refused; either must be so without harm.
    let either: &[u16] = &[200, 201, 400, 403, 404, 429];
    let what = |door: &str| format!("the name {name:?} {door}");
    match number / NAMES.len() % 6 {
        0 => answered(
            &what("in a path"),
            foe.ask(&post(&format!("/v1/channels/{encoded}"), JSON, b"1")).await,
            either,
        ),
        1 => {
            foe.upgrade("/v1/events", V1).await?;
            let subscribe = json!({"type": "subscribe", "id": 1, "channels": [name]});
            foe.send(&frame::text(&subscribe.to_string())).await;
            foe.text_with(r#""id":1"#).await.map(|answer| answer.chars().take(13).collect())
        }
        2 => {
            let mut foe = super::socketio::connected(&ground).await?;
            foe.send(&frame::text(&format!("421{}", json!(["subscribe", name])))).await;
            foe.text_with("431[").await.map(|answer| answer.chars().take(20).collect())
        }
        3 => {
            let path = format!("/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/{encoded}/0/1?uuid=foe");
            answered(&what("of PubNub"), foe.ask(&get(&path, "")).await, either)
        }
        4 => {
            let body = json!({"name": "x", "channel": {"name": name}, "payload": 1}).to_string();
            let headers = format!("{JSON}Authorization: Bearer {}\r\n", ground.token);
            let request = post("/api/networks/current/broadcasts?timeout=1", &headers, body.as_bytes());
            answered(&what("of EXP"), foe.ask(&request).await, either)
        }
        _ => {
            use base64::Engine as _;
            let path = format!("/socket.io/?EIO=3&transport=websocket&token={}", ground.token);
            foe.upgrade(&path, "").await?;
            foe.text_with("40").await?;
            let id = base64::engine::general_purpose::STANDARD.encode(json!([ORG, name, 0, 0]).to_string());
            foe.send(&frame::text(&format!("42{}", json!(["subscribe", [id, "", "!", name]])))).await;
            foe.text_with(r#"42["subscribed""#).await.map(|answer| answer.chars().take(15).collect())
        }
    }
}

async fn flood(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    for at in 0..200 {
        let path = format!("/v1/channels/flood-{number}-{at}?store=false");
        answered("a new channel", foe.ask(&post(&path, JSON, b"1")).await, &[201, 429, 503])?;
    }
    Ok("200 channels".to_owned())
}

async fn presence(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    match number % 3 {
        0 => {
            let path = format!("/v1/events?identity=ghost-{number}");
            foe.upgrade(&path, V1).await?;
            for id in 0..20 {
                let kind = if id % 2 == 0 { "subscribe" } else { "unsubscribe" };
                let channel = if id % 2 == 0 {
                    json!({"channel": "party", "join": true, "state": {"n": id}})
                } else {
                    json!("party")
                };
                foe.send(&frame::text(&json!({"type": kind, "id": id, "channels": [channel]}).to_string()))
                    .await;
            }
            foe.text_with(r#""id":19"#).await?;
        }
        1 => {
            let path = format!("/v1/channels/party/presence?identity=ghost-{number}&ttl=1s");
            let put =
                format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n{JSON}\r\n{{}}");
            answered("a presence", foe.ask(put.as_bytes()).await, &[200, 409, 429, 503])?;
        }
        _ => {
            let base = format!("/v2/presence/sub-key/{SUBSCRIBE_KEY}/channel/party");
            answered(
                "a heartbeat",
                foe.ask(&get(&format!("{base}/heartbeat?uuid=ghost-{number}&heartbeat=20"), "")).await,
                &[200, 429, 503],
            )?;
            answered(
                "a leave",
                foe.ask(&get(&format!("{base}/leave?uuid=ghost-{number}"), "")).await,
                &[200, 429, 503],
            )?;
        }
    }
    Ok("came and went".to_owned())
}
