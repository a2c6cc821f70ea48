//! WebSocket frames that no client sends, and messages that never end.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{V1, close_of, status_of};
use crate::foe::Foe;
use crate::frame::{self, BINARY, CLOSE, CONTINUATION, FIN, PING, RSV1, TEXT};
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "half-frames",
        what: "the beginning of a WebSocket frame, and then silence",
        run: |ground| {
            let foes = ground.pick(24, 200);
            storm(ground, foes, 5, half_frame)
        },
    },
    Attack {
        name: "wrong-frames",
        what: "frames against the rules: unmasked, reserved, long controls, bad closes, no UTF-8",
        run: |ground| storm(ground, 32, 2, wrong_frame),
    },
    Attack {
        name: "oversized",
        what: "frames and fragments beyond the limit, and endless empty ones",
        run: |ground| storm(ground, 8, 10, oversized),
    },
    Attack {
        name: "ping-flood",
        what: "pings as fast as they go, whose pongs nobody reads",
        run: |ground| storm(ground, 4, 20, ping_flood),
    },
    Attack {
        name: "bad-handshakes",
        what: "WebSocket handshakes that are none",
        run: |ground| storm(ground, 12, 2, bad_handshake),
    },
];

/// The sockets of the dialects, in turn.
pub(super) async fn any_socket(ground: &Ground, number: usize) -> Result<Foe, String> {
    match number % 4 {
        0 => Foe::websocket(ground.address, "/v1/channels/frames", "").await,
        1 => Foe::websocket(ground.address, "/v1/events", V1).await,
        2 => super::socketio::connected(ground).await,
        _ => {
            let path = format!("/socket.io/?EIO=3&transport=websocket&token={}", ground.token);
            Foe::websocket(ground.address, &path, "").await
        }
    }
}

async fn half_frame(ground: Ground, number: usize) -> Round {
    // A client of EXP's SDKs has a minute by design, so its socket is left out.
    let mut foe = any_socket(&ground, number % 3).await?;
    let half = match number / 3 % 3 {
        0 => vec![FIN | TEXT],
        1 => frame::raw(FIN | TEXT, 100, b"half"),
        _ => frame::raw(TEXT, 4, b"half"),
    };
    foe.send(&half).await;
    // The sockets of Engine.IO have a heartbeat of their own, of 4.5 s in all.
    let end = foe.end_within(ground.after((2 * ground.waits().ping).max(4500) + ground.waits().close)).await;
    close_of(
        &format!("half a frame on socket {}", number % 3),
        &end,
        &[0, 1000, 1001, 1002, 1005, 1006, 1008],
    )
}

async fn wrong_frame(ground: Ground, number: usize) -> Round {
    let frames: [(&str, Vec<u8>, &[u16]); 17] = [
        ("unmasked", frame::unmasked(TEXT, b"hello"), &[1002]),
        ("RSV2", frame::raw(FIN | 0x20 | TEXT, 1, b"a"), &[1002]),
        ("RSV3", frame::raw(FIN | 0x10 | TEXT, 1, b"a"), &[1002]),
        ("RSV1 unasked", frame::raw(FIN | RSV1 | TEXT, 1, b"a"), &[1002]),
        ("opcode 3", frame::raw(FIN | 3, 1, b"a"), &[1002]),
        ("opcode 15", frame::raw(FIN | 15, 1, b"a"), &[1002]),
        ("a fragmented ping", frame::raw(PING, 1, b"a"), &[1002]),
        ("a long ping", frame::raw(FIN | PING, 126, &[b'a'; 126]), &[1002]),
        ("a close of one byte", frame::raw(FIN | CLOSE, 1, b"a"), &[1002]),
        ("a close with 1005", frame::frame(CLOSE, &1005_u16.to_be_bytes()), &[1002]),
        ("a close with 0", frame::frame(CLOSE, &[0, 0]), &[1002]),
        ("a close that is no UTF-8", frame::frame(CLOSE, &[3, 232, 0xFF, 0xFE]), &[1007]),
        ("text that is no UTF-8", frame::frame(TEXT, &[0xC3, 0x28]), &[1007]),
        ("a stray continuation", frame::frame(CONTINUATION, b"a"), &[1002]),
        ("a message within another", [frame::raw(TEXT, 1, b"a"), frame::text("b")].concat(), &[1002]),
        ("a length of 2^63", frame::raw(FIN | BINARY, 1 << 63, b""), &[1002]),
        ("a length in too many bytes", [&[FIN | TEXT, 0xFE, 0, 1][..], &[0; 4], b"a"].concat(), &[1002]),
    ];
    let (what, bytes, due) = &frames[number % frames.len()];
    // All sockets have one decoder, yet what a dialect says when it ends is its own.
    let mut foe = any_socket(&ground, number / frames.len()).await?;
    foe.send(bytes).await;
    close_of(what, &foe.end().await, due)
}

/// How much is sent to a server that has said that it is too much: it throws away what comes until the close is answered.
const FLOOD_MAX: usize = 12 << 20;
const STALL: Duration = Duration::from_secs(3);

async fn oversized(ground: Ground, number: usize) -> Round {
    let mut foe = any_socket(&ground, number).await?;
    let (what, begin, flood) = match number / 4 % 4 {
        0 => ("a frame that claims 1 TiB", frame::raw(FIN | TEXT, 1 << 40, b""), vec![b'a'; 1 << 16]),
        1 => {
            let fragment = frame::raw(CONTINUATION, 1 << 15, &[b'a'; 1 << 15]);
            ("endless fragments", frame::raw(TEXT, 1, b"a"), fragment)
        }
        2 => ("empty fragments", frame::raw(TEXT, 0, b""), frame::raw(CONTINUATION, 0, b"").repeat(1000)),
        _ => {
            ("fragments of a byte", frame::raw(TEXT, 1, b"a"), frame::raw(CONTINUATION, 1, b"a").repeat(1000))
        }
    };
    foe.send(&begin).await;
    foe.flood(&flood, FLOOD_MAX, STALL).await;
    // A reset may overtake the close.
    close_of(what, &foe.end().await, &[1009, 0])
}

async fn ping_flood(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect_narrow(ground.address).await?;
    foe.upgrade("/v1/channels/frames", if number.is_multiple_of(2) { "" } else { V1 }).await?;
    let pings = frame::frame(PING, &[b'p'; 125]).repeat(100);
    foe.flood(&pings, FLOOD_MAX, STALL).await;
    close_of("pings without reading", &foe.end().await, &[1013, 0])
}

async fn bad_handshake(ground: Ground, number: usize) -> Round {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let (what, headers, due): (&str, String, &[u16]) = match number % 6 {
        0 => ("another version", format!("{UPGRADE}Sec-WebSocket-Version: 99\r\n{KEY}"), &[426]),
        1 => ("no key", format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n"), &[400]),
        2 => (
            "a short key",
            format!("{UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"),
            &[400],
        ),
        3 => (
            "a foreign origin",
            format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n{KEY}Origin: https://evil.example\r\n"),
            &[403],
        ),
        4 => ("two keys", format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n{KEY}{KEY}"), &[400]),
        _ => (
            "a bad token",
            format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n{KEY}Authorization: Bearer nonsense\r\n"),
            &[401, 429],
        ),
    };
    let mut foe = Foe::connect(ground.address).await?;
    foe.send(format!("GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).await;
    let end = foe.end_within(ground.after(ground.waits().handshake)).await;
    status_of(what, &end, due)
}
