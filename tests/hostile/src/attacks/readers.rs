//! Those who listen and never read, while much is published.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{V1, close_of, get, post};
use crate::config::SUBSCRIBE_KEY;
use crate::foe::{End, Foe};
use crate::frame::{self, BINARY};
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "never-read-websocket",
        what: "WebSocket listeners of a busy channel that never read: raw, antiphon.v1, Socket.IO",
        run: |ground| storm(ground, 3, 20, websocket),
    },
    Attack {
        name: "never-read-stream",
        what: "SSE and NDJSON listeners of a busy channel that never read",
        run: |ground| storm(ground, 2, 20, stream),
    },
    Attack {
        name: "never-read-poll",
        what: "long polls and polls of much history, whose answers nobody reads",
        run: |ground| storm(ground, 6, 20, poll),
    },
    Attack {
        name: "publish-to-itself",
        what: "publishing to a channel that it listens to, without reading",
        run: |ground| storm(ground, 3, 20, to_itself),
    },
];

const MESSAGE_BYTES: usize = 64 << 10;

/// Publishes until more has been published than outbox and kernels keep for somebody who does not read.
async fn publish_much(ground: &Ground, channel: &str) -> Result<(), String> {
    let mut publisher = Foe::connect(ground.address).await?;
    let message = post(
        &format!("/v1/channels/{channel}"),
        "Content-Type: application/octet-stream\r\n",
        &[b'x'; MESSAGE_BYTES],
    );
    // The outbox has 1 MiB, and a kernel keeps up to 4 MiB in a socket.
    for _ in 0..160 {
        let (status, body) = publisher.ask(&message).await?;
        if !matches!(status, 201 | 429 | 503) {
            return Err(format!("a publish: {status} {body}"));
        }
    }
    Ok(())
}

async fn websocket(ground: Ground, number: usize) -> Round {
    let channel = format!("flood-ws-{number}");
    let mut foe = Foe::connect_narrow(ground.address).await?;
    match number % 3 {
        0 => foe.upgrade(&format!("/v1/channels/{channel}"), "").await?,
        1 => foe.upgrade(&format!("/v1/channels/{channel}"), V1).await?,
        _ => {
            foe.upgrade("/socket.io/?EIO=4&transport=websocket", "").await?;
            foe.text_with("0{").await?;
            foe.send(&frame::text("40")).await;
            foe.text_with("40{").await?;
            foe.send(&frame::text(&format!(r#"420["subscribe","{channel}"]"#))).await;
            foe.text_with("430[").await?;
        }
    }
    publish_much(&ground, &channel).await?;
    // When it reads at last it finds the beginning, and how it ended, if there was room for that.
    let end = foe.end().await;
    let read = foe.unread().len();
    if read > 100 * MESSAGE_BYTES {
        return Err(format!("{} MiB were kept for a reader that does not read", read >> 20));
    }
    close_of("a WebSocket that does not read", &end, &[1013, 1000, 1005, 0])
}

async fn stream(ground: Ground, number: usize) -> Round {
    let channel = format!("flood-stream-{number}");
    let accept = ["text/event-stream", "application/x-ndjson"][number % 2];
    let mut foe = Foe::connect_narrow(ground.address).await?;
    foe.send(&get(&format!("/v1/channels/{channel}"), &format!("Accept: {accept}\r\n"))).await;
    let head = foe.head().await?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head);
    }
    publish_much(&ground, &channel).await?;
    let end = foe.end().await;
    let rest = foe.unread();
    let read = rest.len();
    if read > 160 * MESSAGE_BYTES {
        return Err(format!("{} MiB were kept for a reader that does not read", read >> 20));
    }
    let says_why = rest.windows(5).any(|five| five == b"close");
    match end {
        End::Silent if says_why => Ok(format!("{accept}: closed with a reason")),
        End::Silent => Ok(format!("{accept}: closed")),
        other => Err(format!("{accept}: {other}")),
    }
}

async fn poll(ground: Ground, number: usize) -> Round {
    let channel = format!("flood-poll-{}", number % 6);
    let big = post(
        &format!("/v1/channels/{channel}"),
        "Content-Type: application/octet-stream\r\n",
        &[b'x'; 512 << 10],
    );
    let mut publisher = Foe::connect(ground.address).await?;
    for _ in 0..4 {
        publisher.ask(&big).await?;
    }
    let paths = [
        format!("/v1/channels/{channel}?limit=100"),
        format!("/v1/channels/{channel}?since=0&wait=20s"),
        format!("/v2/subscribe/{SUBSCRIBE_KEY}/{channel}/0?tt=1&tr=1&uuid=foe-{number}"),
    ];
    let mut foe = Foe::connect_narrow(ground.address).await?;
    // Several at once, so that more waits than kernels keep.
    foe.send(get(&paths[number % 3], "").repeat(20).as_slice()).await;
    // What is waiting for it is bounded by one answer; the crowd and the server's memory tell.
    tokio::time::sleep(Duration::from_millis(300)).await;
    foe.reset();
    Ok("left alone".to_owned())
}

async fn to_itself(ground: Ground, number: usize) -> Round {
    let channel = format!("flood-self-{number}");
    let mut foe = Foe::connect_narrow(ground.address).await?;
    let message = match number % 3 {
        0 => {
            foe.upgrade(&format!("/v1/channels/{channel}"), "").await?;
            frame::frame(BINARY, &[b'x'; MESSAGE_BYTES])
        }
        1 => {
            foe.upgrade(&format!("/v1/channels/{channel}"), V1).await?;
            let payload = "x".repeat(MESSAGE_BYTES);
            frame::text(&format!(r#"{{"type":"publish","channel":"{channel}","payload":"{payload}"}}"#))
        }
        _ => {
            foe.upgrade("/socket.io/?EIO=4&transport=websocket", "").await?;
            foe.text_with("0{").await?;
            foe.send(&frame::text("40")).await;
            foe.text_with("40{").await?;
            foe.send(&frame::text(&format!(r#"420["subscribe","{channel}"]"#))).await;
            foe.text_with("430[").await?;
            frame::text(&format!(r#"42["publish","{channel}","{}"]"#, "x".repeat(MESSAGE_BYTES)))
        }
    };
    // What comes once the server is about to close is thrown away.
    foe.flood(&message, 24 << 20, Duration::from_secs(3)).await;
    close_of("publishing without reading", &foe.end().await, &[1013, 1000, 1005, 0])
}
