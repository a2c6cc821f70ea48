//! Bytes that are no request, and requests that stop half-way.

use crate::attack::{Attack, Round, storm};
use crate::attacks::status_of;
use crate::foe::Foe;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "garbage", what: "random bytes on connect", run: |ground| storm(ground, 12, 2, garbage) },
    Attack {
        name: "tls-hello",
        what: "a TLS handshake where plain HTTP is spoken",
        run: |ground| storm(ground, 8, 2, tls_hello),
    },
    Attack {
        name: "half-requests",
        what: "the beginning of a request, and then silence",
        run: |ground| storm(ground, 40, 2, half),
    },
];

/// Numbers that look random and are the same in each run.
pub(super) fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

async fn garbage(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let bytes = match number % 6 {
        0 => noise(number, 16),
        1 => noise(number, 100_000),
        2 => vec![0; 70_000],
        3 => b"\r\n".repeat(50_000),
        4 => [b"GET / HTTP/1.1\r\n", &noise(number, 300)[..], b"\r\n\r\n"].concat(),
        _ => b"SSH-2.0-OpenSSH_9.6\r\n\x00\x00\x01\x14\x06\x14\r\n\r\n".to_vec(),
    };
    foe.send(&bytes).await;
    let end = foe.end_within(ground.after(ground.waits().handshake)).await;
    status_of("garbage", &end, &[400, 414, 431, 505, 0])
}

async fn tls_hello(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    hello.extend(noise(number, 506));
    foe.send(&hello).await;
    let end = foe.end_within(ground.after(ground.waits().handshake)).await;
    status_of("a TLS handshake", &end, &[400, 0])
}

async fn half(ground: Ground, number: usize) -> Round {
    const HALVES: [&[u8]; 9] = [
        b"",
        b"G",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1/channels/room HTTP/1.1\r\nHos",
        b"GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"POST /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf",
        b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
        b"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n4",
    ];
    let bytes = HALVES[number % HALVES.len()];
    let mut foe = Foe::connect(ground.address).await?;
    foe.send(bytes).await;
    let end = foe.end_within(ground.after(ground.waits().handshake + 1000)).await;
    status_of(&format!("half of {:?}", String::from_utf8_lossy(bytes)), &end, &[400, 408, 0])
}
