//! JSON that is deep, broken or strange, wherever JSON is taken.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{JSON, V1, answered, close_of, get, post};
use crate::config::{ADMIN_KEY, PUBLISH_KEY, SUBSCRIBE_KEY};
use crate::foe::Foe;
use crate::frame;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "deep-json",
        what: "JSON that is nested a hundred thousand levels deep, in every place that takes JSON",
        run: |ground| storm(ground, 26, 5, deep),
    },
    Attack {
        name: "broken-messages",
        what: "messages of antiphon.v1 that are none, and JSON with surprises",
        run: |ground| storm(ground, 12, 5, broken),
    },
    Attack {
        name: "deep-filters",
        what: "filter expressions that are deep or match for long",
        run: |ground| storm(ground, 9, 5, filter),
    },
];

const DEPTH: usize = 100_000;

/// Arrays within arrays, or objects within objects.
fn nested(depth: usize, number: usize) -> String {
    match number % 2 {
        0 => format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        _ => format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)),
    }
}

async fn deep(ground: Ground, number: usize) -> Round {
    let deep = nested(DEPTH, number);
    // What fits into a URL.
    let short = nested(4000, 0).replace('[', "%5B").replace(']', "%5D");
    let bearer = format!("{JSON}Authorization: Bearer {ADMIN_KEY}\r\n");
    let exp = format!("{JSON}Authorization: Bearer {}\r\n", ground.token);
    let place = number / 2 % 13;
    let request = match place {
        0 => post("/v1/channels/deep", JSON, deep.as_bytes()),
        1 => post("/v1/publications", JSON, format!(r#"[{{"channel":"deep","payload":{deep}}}]"#).as_bytes()),
        2 => post("/v1/channels/deep/broadcasts?timeout=10", JSON, deep.as_bytes()),
        3 => post("/v1/credentials", &bearer, format!(r#"{{"kind":"device","name":{deep}}}"#).as_bytes()),
        4 => {
            let body = format!(r#"{{"type":"user","username":"u","password":{deep}}}"#);
            post("/api/auth/login", JSON, body.as_bytes())
        }
        5 => {
            let body = format!(r#"{{"channel":"deep","name":"x","payload":{deep}}}"#);
            post("/api/networks/current/broadcasts?timeout=10", &exp, body.as_bytes())
        }
        6 => {
            post(&format!("/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/deep/0?uuid=foe"), JSON, deep.as_bytes())
        }
        7 => get(&format!("/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/deep/0/{short}?uuid=foe"), ""),
        8 => get(&format!("/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/deep/0/1?uuid=foe&meta={short}"), ""),
        9 => {
            let path = format!(
                "/v2/presence/sub-key/{SUBSCRIBE_KEY}/channel/deep/uuid/foe/data?uuid=foe&state={short}"
            );
            get(&path, "")
        }
        10 => return deep_v1(&ground, &deep, number).await,
        11 => return deep_socketio(&ground, &deep).await,
        _ => get(
            &format!("/v1/channels/deep?since=0&join=true&state={short}"),
            "Accept: text/event-stream\r\n",
        ),
    };
    let what = format!("deep JSON in place {place}");
    answered(&what, Foe::connect(ground.address).await?.ask(&request).await, &[400, 413, 414, 431, 429])
}

async fn deep_v1(ground: &Ground, deep: &str, number: usize) -> Round {
    let mut foe = Foe::websocket(ground.address, "/v1/events", V1).await?;
    let message = match number / 26 % 4 {
        0 => deep.to_owned(),
        1 => format!(r#"{{"type":"publish","id":1,"channel":"deep","payload":{deep}}}"#),
        2 => format!(r#"{{"type":"publish","id":1,"channel":"deep","payload":1,"meta":{deep}}}"#),
        _ => format!(r#"{{"type":"subscribe","id":1,"channels":{deep}}}"#),
    };
    foe.send(&frame::text(&message)).await;
    let answer = foe.text_with(r#""type":"error""#).await?;
    if answer.contains(r#""status":400"#) { Ok("antiphon.v1: 400".to_owned()) } else { Err(answer) }
}

async fn deep_socketio(ground: &Ground, deep: &str) -> Round {
    let mut foe = Foe::websocket(ground.address, "/socket.io/?EIO=4&transport=websocket", "").await?;
    foe.text_with("0{").await?;
    foe.send(&frame::text("40")).await;
    foe.text_with("40{").await?;
    foe.send(&frame::text(&format!(r#"421["publish","deep",{deep}]"#))).await;
    // It is no packet, and Socket.IO ends connections for that; or it is answered.
    match foe.text_with(r#""status":"error""#).await {
        Ok(answer) => Ok(answer.chars().take(20).collect()),
        Err(_) => close_of("a deep event", &foe.end().await, &[0, 1000, 1005, 1008]),
    }
}

async fn broken(ground: Ground, number: usize) -> Round {
    const MESSAGES: [&str; 12] = [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":1}"#,
        r#"{"type":"nothing"}"#,
        r#"{"type":"publish","type":"subscribe"}"#,
        r#"{"type":"publish","id":1e999,"channel":"a","payload":1}"#,
        r#"{"type":"publish","channel":"\ud800","payload":1}"#,
        r#"{"type":"subscribe","channels":"a"}"#,
        r#"{"type":"reply","channel":"a","to":"-1","payload":1}"#,
        "\u{feff}{}",
    ];
    let message = frame::text(MESSAGES[number % MESSAGES.len()]);
    let mut foe = Foe::websocket(ground.address, "/v1/events", V1).await?;
    foe.send(&message.repeat(150)).await;
    close_of(MESSAGES[number % MESSAGES.len()], &foe.end().await, &[1008])
}

async fn filter(ground: Ground, number: usize) -> Round {
    let long = "a".repeat(3000);
    let (what, expression, due): (&str, String, &[u16]) = match number % 9 {
        0 => ("open parentheses", "(".repeat(20_000), &[400, 481, 414]),
        1 => ("parentheses", format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)), &[400, 481, 414]),
        2 => ("nots", "!".repeat(20_000), &[400, 481, 414]),
        3 => ("minuses", format!("{}1", "-".repeat(20_000)), &[400, 481, 414]),
        4 => ("a chain", format!("1{}", "==1".repeat(6_000)), &[200, 400, 481, 414]),
        5 => ("fields", format!("data{} == 1", "[a]".repeat(6_000)), &[200, 400, 481, 414]),
        6 => ("stars", format!("data.x LIKE \"{}b\"", "*a".repeat(1000)), &[200, 400, 481, 414]),
        7 => ("an open string", format!("\"{long}"), &[400, 481]),
        _ => ("a number", format!("1{} > 1", "0".repeat(3000)), &[200, 400, 481]),
    };
    let escape = |byte: u8| format!("%{byte:02X}");
    let escaped: String = expression.bytes().map(escape).collect();
    let escaped =
        if escaped.len() > 50_000 { expression.replace('"', "%22").replace(' ', "%20") } else { escaped };
    let path = format!("/v2/subscribe/{SUBSCRIBE_KEY}/deep/0?tt=0&uuid=foe&filter-expr={escaped}");
    let mut foe = Foe::connect(ground.address).await?;
    let answer = answered(what, foe.ask(&get(&path, "")).await, due)?;
    if number % 9 == 6 && answer == "200" {
        // The filter is asked about a text that nearly matches it.
        let payload = format!(r#"{{"x":"{}"}}"#, "a".repeat(5000));
        let published = Foe::connect(ground.address)
            .await?
            .ask(&post("/v1/channels/deep", JSON, payload.as_bytes()))
            .await;
        answered("a publish", published, &[201, 429])?;
        let path = path.replace("tt=0", "tt=1").replace("uuid=foe", "uuid=foe&tr=1&timeout=1");
        foe.send(&get(&path, "")).await;
        // It waits, or has an answer: it must not take the worker's time, which the crowd would tell of.
        foe.end_within(Duration::from_millis(200)).await;
    }
    Ok(answer)
}
