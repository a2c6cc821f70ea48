//! Ten thousand subscriptions where a thousand are allowed, in each dialect.

use serde_json::{Value, json};

use crate::attack::{Attack, Round, storm};
use crate::attacks::{V1, answered, close_of, get};
use crate::config::{ORG, SUBSCRIBE_KEY};
use crate::foe::Foe;
use crate::frame;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "subscriptions-v1",
        what: "ten thousand subscriptions over antiphon.v1",
        run: |ground| storm(ground, 3, 50, over_v1),
    },
    Attack {
        name: "subscriptions-url",
        what: "ten thousand channels in a URL: SSE, raw WebSocket, PubNub",
        run: |ground| storm(ground, 6, 20, in_url),
    },
    Attack {
        name: "subscriptions-socketio",
        what: "ten thousand subscriptions over Socket.IO",
        run: |ground| storm(ground, 3, 50, over_socketio),
    },
    Attack {
        name: "subscriptions-exp",
        what: "ten thousand subscriptions over the socket of EXP",
        run: |ground| storm(ground, 3, 50, over_exp),
    },
    Attack {
        name: "channel-groups",
        what: "channel groups with more channels than they may have, and more groups than a request may name",
        run: |ground| storm(ground, 3, 20, groups),
    },
];

/// As many as the issue of it says.
const MANY: usize = 10_000;
/// How many a session may have.
const ALLOWED: usize = 1000;

async fn over_v1(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::websocket(ground.address, "/v1/events", V1).await?;
    let mut taken = 0;
    for batch in 0..MANY / 500 {
        let channels: Vec<String> =
            (0..500).map(|at| format!("many-{number}-{}", batch * 500 + at)).collect();
        let subscribe = json!({"type": "subscribe", "id": batch, "channels": channels});
        foe.send(&frame::text(&subscribe.to_string())).await;
        let answer = foe.text_with(&format!(r#""id":{batch}"#)).await?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        match answer["type"].as_str() {
            Some("ok") => taken += 500,
            _ if taken < ALLOWED => return Err(format!("after {taken} subscriptions: {answer}")),
            _ => {}
        }
    }
    if taken > ALLOWED {
        Err(format!("{taken} subscriptions were taken"))
    } else {
        Ok(format!("{taken} taken"))
    }
}

async fn in_url(ground: Ground, number: usize) -> Round {
    let names = |mark: &str| (0..MANY).map(|at| format!("c{at}")).collect::<Vec<_>>().join(mark);
    let few = |mark: &str| (0..2500).map(|at| format!("c{at}")).collect::<Vec<_>>().join(mark);
    let (path, headers) = match number % 6 {
        0 => (format!("/v1/events?channel={}", names("&channel=")), "Accept: text/event-stream\r\n"),
        1 => (format!("/v1/events?channel={}", few("&channel=")), "Accept: text/event-stream\r\n"),
        2 => (format!("/v1/events?channel={}", few("&channel=")), "Accept: application/x-ndjson\r\n"),
        3 => (
            format!("/v1/events?channel={}", few("&channel=")),
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
        4 => (format!("/v2/subscribe/{SUBSCRIBE_KEY}/{}/0?tt=0&uuid=foe", names(",")), ""),
        _ => (format!("/v2/subscribe/{SUBSCRIBE_KEY}/{}/0?tt=0&uuid=foe", few(",")), ""),
    };
    let answer = Foe::connect(ground.address).await?.ask(&get(&path, headers)).await;
    answered(&format!("many channels in URL {}", number % 6), answer, &[400, 413, 414, 431, 429, 503])
}

async fn over_socketio(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::websocket(ground.address, "/socket.io/?EIO=4&transport=websocket", "").await?;
    foe.text_with("0{").await?;
    foe.send(&frame::text("40")).await;
    foe.text_with("40{").await?;
    let mut taken = 0;
    for batch in 0..MANY / 500 {
        let channels: Vec<String> =
            (0..500).map(|at| format!("many-{number}-{}", batch * 500 + at)).collect();
        foe.send(&frame::text(&format!("42{batch}{}", json!(["subscribe", channels])))).await;
        let answer = foe.text_with(&format!("43{batch}[")).await?;
        if answer.contains(r#""status":"ok""#) {
            taken += 500;
        } else if taken < ALLOWED {
            return Err(format!("after {taken} subscriptions: {answer}"));
        }
    }
    if taken > ALLOWED {
        Err(format!("{taken} subscriptions were taken"))
    } else {
        Ok(format!("{taken} taken"))
    }
}

async fn over_exp(ground: Ground, number: usize) -> Round {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let path = format!("/socket.io/?EIO=3&transport=websocket&token={}", ground.token);
    let mut foe = Foe::websocket(ground.address, &path, "").await?;
    foe.text_with("40").await?;
    let mut taken = 0;
    for batch in 0..MANY / 1000 {
        let id = |at: usize| {
            STANDARD.encode(json!([ORG, format!("many-{number}-{}", batch * 1000 + at), 0, 0]).to_string())
        };
        let ids: Vec<String> = (0..1000).map(id).collect();
        if !foe.send(&frame::text(&format!("42{}", json!(["subscribe", ids])))).await {
            break;
        }
        match foe.text_with(r#"42["subscribed""#).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(answer.trim_start_matches("42")).unwrap_or_default();
                taken += answer[1].as_array().map_or(0, Vec::len);
            }
            Err(_) => {
                return close_of("ten thousand subscriptions", &foe.end().await, &[0, 1000, 1008, 1013]);
            }
        }
    }
    if taken > ALLOWED {
        Err(format!("{taken} subscriptions were taken"))
    } else {
        Ok(format!("{taken} taken"))
    }
}

async fn groups(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let group = format!("/v1/channel-registration/sub-key/{SUBSCRIBE_KEY}/channel-group/g{}", number % 3);
    let mut refused = 0;
    for batch in 0..8 {
        let names: Vec<String> = (0..500).map(|at| format!("g{}", batch * 500 + at)).collect();
        let (status, body) = foe.ask(&get(&format!("{group}?uuid=foe&add={}", names.join(",")), "")).await?;
        match status {
            200 => {}
            400 | 403 | 413 | 429 | 503 => refused += 1,
            _ => return Err(format!("adding to a group: {status} {body}")),
        }
    }
    let many: Vec<String> = (0..2500).map(|at| format!("x{at}")).collect();
    let path = format!("/v2/subscribe/{SUBSCRIBE_KEY}/,/0?tt=0&uuid=foe&channel-group={}", many.join(","));
    answered("many groups", foe.ask(&get(&path, "")).await, &[400, 414, 413, 429])?;
    answered("removing the group", foe.ask(&get(&format!("{group}/remove?uuid=foe"), "")).await, &[200])?;
    if refused == 0 { Err("4000 channels fit into a group".to_owned()) } else { Ok("refused".to_owned()) }
}
