//! Heads of requests: without end, slow, and such that two servers in a row understand differently.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::status_of;
use crate::foe::{End, Foe, answers_in, shown};
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "endless-headers",
        what: "header after header, and lines and paths without end",
        run: |ground| storm(ground, 8, 5, endless),
    },
    Attack {
        name: "slow-headers",
        what: "a byte of a head now and then (slowloris)",
        run: |ground| {
            let foes = ground.pick(40, 300);
            storm(ground, foes, 5, slow)
        },
    },
    Attack {
        name: "smuggling",
        what: "heads that two servers in a row would cut in different places",
        run: |ground| storm(ground, 24, 2, smuggled),
    },
    Attack {
        name: "pipelined",
        what: "request after request, without reading an answer",
        run: |ground| storm(ground, 8, 5, pipelined),
    },
    Attack {
        name: "idle-after-request",
        what: "connections kept after an answer, and silent",
        run: |ground| storm(ground, 30, 5, idle_after_request),
    },
];

/// More than any head may have, and than kernels keep by themselves.
const FLOOD_MAX: usize = 64 << 20;
/// What may be taken of one: the kernels' buffers are most of it.
const TAKEN_MAX: usize = 16 << 20;
const STALL: Duration = Duration::from_secs(5);

async fn endless(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let (what, begin, chunk) = match number % 4 {
        0 => (
            "headers",
            &b"GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\n"[..],
            b"X-More: and more\r\n".repeat(500),
        ),
        1 => ("a line", &b"GET /"[..], vec![b'x'; 10_000]),
        2 => ("a value", &b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: "[..], vec![b'x'; 10_000]),
        _ => ("a name", &b"GET / HTTP/1.1\r\nHost: localhost\r\n"[..], vec![b'n'; 10_000]),
    };
    foe.send(begin).await;
    let sent = foe.flood(&chunk, FLOOD_MAX, STALL).await;
    if sent > TAKEN_MAX {
        return Err(format!("{} MiB of {what} were taken", sent >> 20));
    }
    status_of(what, &foe.end().await, &[400, 414, 431, 0])
}

async fn slow(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let begin: &[u8] = match number % 3 {
        0 => b"",
        1 => b"GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        _ => b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX-Slow: ",
    };
    foe.send(begin).await;
    let most = ground.after(ground.waits().handshake);
    // No byte of it is one that is wrong by itself.
    let bytes: &[u8] =
        if begin.is_empty() { b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } else { b"a" };
    foe.trickle(bytes, Duration::from_millis(50), most).await;
    status_of("a slow head", &foe.end_within(Duration::from_secs(1)).await, &[400, 408, 0])
}

/// What follows every one of them: the request that would be smuggled.
const SMUGGLED: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn smuggled(ground: Ground, number: usize) -> Round {
    // Each is refused as a whole.
    const HEADS: [(&str, &str); 23] = [
        ("CL and TE", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("two lengths", "Content-Length: 0\r\nContent-Length: 49\r\n\r\n"),
        ("a list of lengths", "Content-Length: 0, 49\r\n\r\n"),
        ("a length with a sign", "Content-Length: +0\r\n\r\n"),
        ("a negative length", "Content-Length: -1\r\n\r\n"),
        ("a length in hex", "Content-Length: 0x0\r\n\r\n"),
        ("an empty length", "Content-Length: \r\n\r\n"),
        ("a length of 2^64", "Content-Length: 18446744073709551616\r\n\r\n"),
        ("folded TE", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ("a folded header", "X-Folded: a\r\n b\r\n\r\n"),
        ("space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("unknown TE", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("chunked, identity", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ("a list of TE", "Transfer-Encoding: gzip, chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("gzip in TE", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("vertical tab in TE", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
        ("NUL in a header", "X-Nul: a\0b\r\n\r\n"),
        ("CR alone", "X-Cr: a\rContent-Length: 5\r\n\r\n"),
        ("a huge chunk", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
        ("a chunk with a sign", "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n"),
        ("a chunk without digits", "Transfer-Encoding: chunked\r\n\r\n;a=b\r\n\r\n"),
        ("two hosts", "Host: elsewhere\r\n\r\n"),
    ];
    let (what, head) = HEADS[number % HEADS.len()];
    let mut foe = Foe::connect(ground.address).await?;
    foe.send(format!("POST /v1/channels/room HTTP/1.1\r\nHost: localhost\r\n{head}{SMUGGLED}").as_bytes())
        .await;
    let end = foe.end_within(ground.after(ground.waits().handshake + 1000)).await;
    let answers = answers_in(foe.unread());
    match (&end, answers) {
        (End::Status(400 | 411 | 413 | 501) | End::Silent, 0 | 1) => Ok(format!("{what}: {end}")),
        _ => Err(format!("{what}: {answers} answers, {end}, {:?}", shown(foe.unread()))),
    }
}

async fn pipelined(ground: Ground, _number: usize) -> Round {
    let mut foe = Foe::connect_narrow(ground.address).await?;
    let requests = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    let sent = foe.flood(&requests, FLOOD_MAX, Duration::from_millis(ground.pick(300, 1000))).await;
    foe.reset();
    // Once its answers are not read, no more is read of it.
    if sent > TAKEN_MAX {
        Err(format!("{} MiB of requests were taken", sent >> 20))
    } else {
        Ok("held back".to_owned())
    }
}

async fn idle_after_request(ground: Ground, _number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let (status, _) = foe.ask(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    if status != 200 {
        return Err(format!("health: {status}"));
    }
    let end = foe.end_within(ground.after(ground.waits().handshake)).await;
    status_of("idle after an answer", &end, &[408, 0])
}
