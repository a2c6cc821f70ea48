//! Connections that come and go, and those that only stay.

use std::time::Duration;

use crate::attack::{Attack, Findings, Round, storm};
use crate::attacks::{V1, status_of};
use crate::foe::Foe;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "connect-churn",
        what: "connections that are reset at once, or after a request",
        run: |ground| storm(ground, 6, 0, connections),
    },
    Attack {
        name: "websocket-churn",
        what: "WebSockets that are opened, subscribe, and are reset",
        run: |ground| storm(ground, 6, 0, websockets),
    },
    Attack {
        name: "idle",
        what: "ten thousand connections that say nothing",
        run: |ground| {
            let foes = ground.pick(600, 10_000);
            Box::pin(idle(ground, foes))
        },
    },
];

async fn connections(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    match number % 4 {
        0 => foe.reset(),
        1 => drop(foe),
        2 => {
            foe.send(b"GET /v1/channels/square?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            foe.reset();
        }
        _ => {
            foe.send(
                b"GET /v1/channels/square HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
            )
            .await;
            foe.reset();
        }
    }
    Ok("gone".to_owned())
}

async fn websockets(ground: Ground, number: usize) -> Round {
    let foe = match number % 3 {
        0 => Foe::websocket(ground.address, "/v1/channels/square", V1).await?,
        1 => Foe::websocket(ground.address, "/v1/channels/square?join=true&identity=churn", "").await?,
        _ => super::socketio::connected(&ground).await?,
    };
    match number / 3 % 2 {
        0 => foe.reset(),
        _ => drop(foe),
    }
    Ok("gone".to_owned())
}

/// All connect, a few at a time so that the kernel's queue of those who wait has room, and then say nothing.
async fn idle(ground: Ground, foes: usize) -> Findings {
    let mut connected = Vec::with_capacity(foes);
    for at in 0..foes {
        if let Ok(foe) = Foe::connect(ground.address).await {
            connected.push(foe);
        }
        if at % 200 == 199 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let most = ground.after(ground.waits().handshake) + Duration::from_secs(5);
    let mut findings = Findings::default();
    let until = tokio::time::Instant::now() + most;
    for mut foe in connected {
        let left = until.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_millis(1));
        findings.note(status_of("idle", &foe.end_within(left).await, &[408, 0]));
    }
    findings
}
