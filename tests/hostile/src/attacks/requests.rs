//! Bodies and targets of requests: slow, huge, in odd pieces.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{answered, get, status_of};
use crate::foe::{End, Foe};
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "slow-body",
        what: "a byte of a body now and then",
        run: |ground| {
            let foes = ground.pick(30, 200);
            storm(ground, foes, 5, slow_body)
        },
    },
    Attack {
        name: "huge-body",
        what: "bodies that are too long, said or unsaid, and chunks with endless extensions",
        run: |ground| storm(ground, 10, 20, huge_body),
    },
    Attack {
        name: "odd-targets",
        what: "paths and queries that are long, not UTF-8, or climb",
        run: |ground| storm(ground, 12, 2, odd_target),
    },
];

/// Who takes a body: a path with what it needs.
const TAKERS: [&str; 5] = [
    "/v1/channels/room",
    "/v1/publications",
    "/api/auth/login",
    "/socket.io/?EIO=4&transport=polling",
    "/publish/pub-town/sub-town/0/room/0?uuid=foe",
];

async fn slow_body(ground: Ground, number: usize) -> Round {
    let path = TAKERS[number % TAKERS.len()];
    let mut foe = Foe::connect(ground.address).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
    );
    foe.send(head.as_bytes()).await;
    // Of a body that it refuses Engine.IO reads on for five seconds, so that the client sees why.
    let most = ground.after(if path.starts_with("/socket.io/") { 5000 } else { 1000 });
    foe.trickle(b" ", Duration::from_millis(50), most).await;
    let end = foe.end_within(Duration::from_secs(1)).await;
    // A refusal for another reason comes when the body's time is over as well.
    status_of(&format!("a slow body of {path}"), &end, &[400, 401, 403, 408, 0])
}

async fn huge_body(ground: Ground, number: usize) -> Round {
    let path = TAKERS[number % TAKERS.len()];
    let mut foe = Foe::connect(ground.address).await?;
    let head = |rest: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{rest}\r\n\r\n")
            .into_bytes()
    };
    let stall = Duration::from_secs(3);
    let (what, sent) = match number / TAKERS.len() % 4 {
        0 => {
            foe.send(&head("Content-Length: 99999999999")).await;
            ("said", foe.flood(&[b' '; 1 << 16], 64 << 20, stall).await)
        }
        1 => {
            foe.send(&head("Transfer-Encoding: chunked")).await;
            let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
            ("unsaid", foe.flood(&chunk, 128 << 20, stall).await)
        }
        2 => {
            foe.send(&head("Transfer-Encoding: chunked")).await;
            foe.send(b"1;").await;
            ("an endless extension", foe.flood(&[b'e'; 1 << 14], 32 << 20, stall).await)
        }
        _ => {
            foe.send(&head("Transfer-Encoding: chunked\r\nTrailer: x")).await;
            foe.send(b"0\r\n").await;
            ("endless trailers", foe.flood(b"X-Trailer: and more\r\n", 32 << 20, stall).await)
        }
    };
    // A refusal is preceded by up to 16 MiB that are thrown away, and the kernels keep some.
    if sent > 48 << 20 {
        return Err(format!("{} MiB of a body ({what}) of {path} were taken", sent >> 20));
    }
    status_of(
        &format!("a huge body ({what}) of {path}"),
        &foe.end().await,
        &[400, 401, 403, 408, 413, 431, 0],
    )
}

async fn odd_target(ground: Ground, number: usize) -> Round {
    let long = "x".repeat(70_000);
    let (what, target) = match number % 12 {
        0 => ("a long path", format!("/v1/channels/{long}")),
        1 => ("a long query", format!("/v1/channels/room?event={long}")),
        2 => ("no UTF-8", "/v1/channels/%ff%fe%80".to_owned()),
        3 => ("half an escape", "/v1/channels/%f".to_owned()),
        4 => ("NUL", "/v1/channels/%00".to_owned()),
        5 => ("climbing", "/v1/../../../../etc/passwd".to_owned()),
        6 => ("climbing in escapes", "/v1/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd".to_owned()),
        7 => ("a long name", format!("/v1/channels/{}", "n".repeat(1025))),
        8 => ("a bad duration", "/v1/channels/room?since=0&wait=99999999999999999999s".to_owned()),
        9 => ("a parameter twice", "/v1/channels/room?limit=1&limit=2".to_owned()),
        10 => ("a position out of range", "/v1/channels/room?since=99999999999999999999".to_owned()),
        _ => ("many parameters", format!("/v1/channels/room?{}", "a&".repeat(20_000))),
    };
    let mut foe = Foe::connect(ground.address).await?;
    if number % 12 == 11 {
        // What means nothing is passed over.
        return answered(what, foe.ask(&get(&target, "")).await, &[200, 400, 414]);
    }
    foe.send(&get(&target, "Connection: close\r\n")).await;
    match foe.end().await {
        // An escape that is none stands for itself.
        End::Status(200) if number % 12 == 3 => Ok(format!("{what}: 200")),
        End::Status(status @ (400 | 404 | 414 | 431)) => Ok(format!("{what}: {status}")),
        other => Err(format!("{what}: {other}")),
    }
}
