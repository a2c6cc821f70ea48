//! Replies to broadcasts that nobody made, or that somebody else made.

use serde_json::json;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{JSON, V1, answered, post};
use crate::foe::Foe;
use crate::frame;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "unasked-replies",
        what: "replies to broadcasts that are not there, in each dialect",
        run: |ground| storm(ground, 8, 2, unasked),
    },
    Attack {
        name: "reply-flood",
        what: "more replies to a broadcast than are taken, and more broadcasts than may collect",
        run: |ground| storm(ground, 4, 20, flood),
    },
];

async fn unasked(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let position = ["1", "17325678901234567", "9223372036854775807", "0"][number / 4 % 4];
    match number % 4 {
        0 => {
            let path = format!("/v1/channels/square/broadcasts/{position}/replies");
            answered("a reply", foe.ask(&post(&path, JSON, b"1")).await, &[400, 404, 429])
        }
        1 => {
            foe.upgrade("/v1/events", V1).await?;
            let reply = json!({"type": "reply", "id": 1, "channel": "square", "to": position, "payload": 1});
            foe.send(&frame::text(&reply.to_string())).await;
            let answer = foe.text_with(r#""id":1"#).await?;
            if answer.contains("nobody-collects") || answer.contains("invalid-parameter") {
                Ok("nobody collects".to_owned())
            } else {
                Err(answer)
            }
        }
        2 => {
            let body = json!({"id": position, "channel": {"name": "square"}, "payload": 1}).to_string();
            let headers = format!("{JSON}Authorization: Bearer {}\r\n", ground.token);
            let (status, body) =
                foe.ask(&post("/api/networks/current/responses", &headers, body.as_bytes())).await?;
            match status {
                400 | 404 | 429 => Ok(status.to_string()),
                200 if body.contains(r#""collected":false"#) => Ok("collected: false".to_owned()),
                _ => Err(format!("a response: {status} {body}")),
            }
        }
        _ => {
            let body = json!({"id": "\u{0}", "channel": [["town"]], "payload": {"a": []}}).to_string();
            let headers = format!("{JSON}Authorization: Bearer {}\r\n", ground.token);
            let answer = foe.ask(&post("/api/networks/current/responses", &headers, body.as_bytes())).await;
            answered("a response that is none", answer, &[400, 404, 429])
        }
    }
}

async fn flood(ground: Ground, number: usize) -> Round {
    let channel = format!("ask-{number}");
    let mut asker = Foe::websocket(ground.address, "/v1/events", V1).await?;
    if number.is_multiple_of(2) {
        for id in 0..300 {
            let broadcast =
                json!({"type": "broadcast", "id": id, "channel": channel, "payload": 1, "timeout": 200});
            asker.send(&frame::text(&broadcast.to_string())).await;
        }
        // A hundred of a connection collect at a time.
        asker.text_with(r#""type":"error""#).await?;
        return Ok("too many broadcasts".to_owned());
    }
    asker
        .send(&frame::text(
            &json!({"type": "broadcast", "id": 1, "channel": channel, "payload": 1, "timeout": 1000})
                .to_string(),
        ))
        .await;
    let opened = asker.text_with(r#""id":1"#).await?;
    let position =
        opened.split(r#""position":""#).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let mut foe = Foe::websocket(ground.address, "/v1/events", V1).await?;
    let reply = |id: usize| {
        frame::text(&json!({"type": "reply", "id": id, "channel": channel, "to": position, "payload": "x".repeat(100)}).to_string())
    };
    for id in 0..ground.pick(2_000, 12_000) {
        if !foe.send(&reply(id)).await {
            break;
        }
    }
    // The asker need not read; who replies is told of each.
    Ok(foe.text_with(r#""id":0"#).await?.chars().take(12).collect())
}
