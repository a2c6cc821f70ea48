//! HTTP/2: streams that are reset at once, headers without end, windows that stay shut.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::post;
use crate::foe::{End, Foe};
use crate::ground::Ground;
use crate::h2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, errors_in, frame, get, header, payloads_in, request,
    settings,
};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "h2-rapid-reset",
        what: "requests over HTTP/2 that are reset at once",
        run: |ground| storm(ground, 4, 10, rapid_reset),
    },
    Attack {
        name: "h2-continuation",
        what: "headers over HTTP/2 without end, and such as are small on the wire alone",
        run: |ground| storm(ground, 4, 10, endless_headers),
    },
    Attack {
        name: "h2-control-flood",
        what: "settings, pings and other frames over HTTP/2 whose answers nobody reads",
        run: |ground| storm(ground, 6, 10, control_flood),
    },
    Attack {
        name: "h2-many-streams",
        what: "ten thousand streams over one HTTP/2 connection",
        run: |ground| storm(ground, 3, 10, many_streams),
    },
    Attack {
        name: "h2-zero-window",
        what: "listeners over HTTP/2 whose windows stay shut",
        run: |ground| storm(ground, 2, 20, zero_window),
    },
    Attack {
        name: "h2-garbage",
        what: "HTTP/2 frames against the rules",
        run: |ground| storm(ground, 14, 2, garbage),
    },
];

/// What may be taken of one who never reads.
const TAKEN_MAX: usize = 24 << 20;

async fn begin(foe: &mut Foe, values: &[(u16, u32)]) {
    foe.send(&[PREFACE, &settings(values)].concat()).await;
}

/// How a connection of HTTP/2 ended: with a GOAWAY and its error, or without.
async fn end(foe: &mut Foe, most: Duration) -> Result<String, String> {
    let end = foe.end_within(most).await;
    let errors = errors_in(foe.unread(), GOAWAY);
    match (end, errors.last()) {
        (End::Open, _) => Err("still open".to_owned()),
        (_, Some(error)) => Ok(format!("GOAWAY {error}")),
        (end, None) => Ok(end.to_string()),
    }
}

async fn rapid_reset(ground: Ground, _number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    begin(&mut foe, &[]).await;
    let mut stream = 1;
    for _ in 0..ground.pick(20, 200) {
        let mut burst = Vec::new();
        for _ in 0..100 {
            burst.extend(request(stream, "/v1/channels/square?limit=100", "*/*"));
            burst.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            stream += 2;
        }
        if !foe.send(&burst).await {
            break;
        }
    }
    let end = end(&mut foe, ground.after(2 * ground.waits().ping + ground.waits().handshake)).await;
    end.map_err(|wrong| format!("{} streams were reset: {wrong}", stream / 2))
}

async fn endless_headers(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    begin(&mut foe, &[]).await;
    let what = if number.is_multiple_of(2) {
        foe.send(&frame(HEADERS, END_STREAM, 1, &get("/v1/channels/square", "*/*"))).await;
        let more = frame(CONTINUATION, 0, 1, &header("x-more", &"m".repeat(15_000)));
        let sent = foe.flood(&more, 64 << 20, Duration::from_secs(3)).await;
        if sent > TAKEN_MAX {
            return Err(format!("{} MiB of continuations were taken", sent >> 20));
        }
        "continuations without end"
    } else {
        // One header that is remembered, and then named ten thousand times with a byte each.
        let mut block = get("/v1/channels/square", "*/*");
        let mut bomb = header("x-bomb", &"b".repeat(3_900));
        bomb[0] = 0x40;
        block.extend(bomb);
        block.extend(vec![0xBE; 10_000]);
        foe.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)).await;
        "a bomb of headers"
    };
    let end = end(&mut foe, ground.after(2 * ground.waits().ping + ground.waits().handshake)).await;
    end.map_err(|wrong| format!("{what}: {wrong}"))
}

async fn control_flood(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect_narrow(ground.address).await?;
    begin(&mut foe, &[]).await;
    let (what, flood) = match number % 6 {
        0 => ("settings", settings(&[(INITIAL_WINDOW_SIZE, 65_535)])),
        1 => ("pings", frame(PING, 0, 0, b"12345678")),
        2 => ("empty data", {
            foe.send(&frame(HEADERS, END_HEADERS, 1, &get("/v1/channels/square", "*/*"))).await;
            frame(DATA, 0, 1, b"")
        }),
        3 => ("answers to no ping", frame(PING, ACK, 0, b"12345678")),
        4 => ("frames nobody knows", frame(0xEE, 0, 0, &[b'u'; 1000])),
        _ => ("updates of the window", frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
    };
    let most = ground.pick(8 << 20, 32 << 20);
    let sent = foe.flood(&flood.repeat(200), most, Duration::from_millis(1000)).await;
    let end = end(&mut foe, ground.after(2 * ground.waits().ping + ground.waits().handshake + 1000)).await;
    match end {
        Ok(end) => Ok(format!("{what}: {end}")),
        Err(wrong) => Err(format!("{what}: {wrong}, after {} KiB", sent >> 10)),
    }
}

async fn many_streams(ground: Ground, _number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    begin(&mut foe, &[]).await;
    let count = ground.pick(2_000, 10_000);
    for batch in 0..count / 100 {
        let burst: Vec<u8> = (0..100_u32)
            .flat_map(|at| {
                request((batch * 100 + at) * 2 + 1, "/v1/channels/many-streams", "text/event-stream")
            })
            .collect();
        if !foe.send(&burst).await {
            break;
        }
    }
    let ended = end(&mut foe, ground.after(2 * ground.waits().ping + ground.waits().handshake)).await?;
    let refused = errors_in(foe.unread(), RST_STREAM).into_iter().filter(|error| *error == 7).count();
    if refused == 0 && !ended.starts_with("GOAWAY") {
        return Err(format!("no stream of {count} was refused, {ended}"));
    }
    Ok(format!("streams refused, {ended}"))
}

async fn zero_window(ground: Ground, number: usize) -> Round {
    let channel = format!("flood-h2-{number}");
    let mut foe = Foe::connect(ground.address).await?;
    begin(&mut foe, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    let streams: Vec<u8> = (0..50_u32)
        .flat_map(|at| request(at * 2 + 1, &format!("/v1/channels/{channel}"), "text/event-stream"))
        .collect();
    foe.send(&streams).await;
    let mut publisher = Foe::connect(ground.address).await?;
    let message = post(
        &format!("/v1/channels/{channel}"),
        "Content-Type: application/octet-stream\r\n",
        &[b'x'; 64 << 10],
    );
    for _ in 0..30 {
        let (status, body) = publisher.ask(&message).await?;
        if !matches!(status, 201 | 429 | 503) {
            return Err(format!("a publish: {status} {body}"));
        }
    }
    if number.is_multiple_of(2) {
        // It answers pings, so that only its windows tell that it does not read; what waits for it is bounded by its outboxes.
        let most = Duration::from_millis(2 * ground.waits().ping + 1000);
        return Ok(match answer_pings(&mut foe, most).await {
            true => "kept, with pings answered".to_owned(),
            false => "ended".to_owned(),
        });
    }
    end(&mut foe, ground.after(2 * ground.waits().ping + ground.waits().handshake)).await
}

/// Answers the server's pings for so long; false when it ends the connection.
async fn answer_pings(foe: &mut Foe, most: Duration) -> bool {
    let until = tokio::time::Instant::now() + most;
    while tokio::time::Instant::now() < until {
        let end = foe.end_within(Duration::from_millis(100)).await;
        let came = foe.take_unread();
        let pings = payloads_in(&came, PING);
        let pongs: Vec<u8> = pings.iter().flat_map(|payload| frame(PING, ACK, 0, payload)).collect();
        if end != End::Open || !foe.send(&pongs).await {
            return false;
        }
    }
    true
}

async fn garbage(ground: Ground, number: usize) -> Round {
    let wrong: [(&str, Vec<u8>); 14] = [
        ("data on stream 0", frame(DATA, 0, 0, b"data")),
        ("data on an idle stream", frame(DATA, 0, 5, b"data")),
        ("a frame of 16 MiB", vec![0xFF, 0xFF, 0xFF, DATA, 0, 0, 0, 0, 1]),
        ("headers on an even stream", frame(HEADERS, END_HEADERS | END_STREAM, 2, &get("/", "*/*"))),
        ("headers on stream 0", frame(HEADERS, END_HEADERS | END_STREAM, 0, &get("/", "*/*"))),
        ("a window update of 0", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window that overflows", frame(WINDOW_UPDATE, 0, 0, &0x7FFF_FFFF_u32.to_be_bytes()).repeat(2)),
        ("settings of 5 bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[0; 6])),
        ("a ping of 7 bytes", frame(PING, 0, 0, &[0; 7])),
        ("a push by the client", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82])),
        ("headers that are no HPACK", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xFF; 100])),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &[0x82])),
        ("a frame within headers", [frame(HEADERS, 0, 1, &[0x82]), frame(PING, 0, 0, &[0; 8])].concat()),
    ];
    let (what, bytes) = &wrong[number % wrong.len()];
    let mut foe = Foe::connect(ground.address).await?;
    begin(&mut foe, &[]).await;
    foe.send(bytes).await;
    let end = end(&mut foe, ground.after(2 * ground.waits().ping + ground.waits().handshake)).await;
    match end {
        Ok(end) => Ok(format!("{what}: {end}")),
        Err(wrong) => Err(format!("{what}: {wrong}")),
    }
}
