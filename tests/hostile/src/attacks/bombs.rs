//! What is small on the wire and huge once it is inflated.

use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use crate::attack::{Attack, Round, storm};
use crate::attacks::{JSON, answered, close_of, post};
use crate::config::{PUBLISH_KEY, SUBSCRIBE_KEY};
use crate::foe::Foe;
use crate::frame::{self, CONTINUATION, FIN, RSV1, TEXT};
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "deflate-bombs",
        what: "WebSocket messages that inflate to 64 MiB (permessage-deflate)",
        run: |ground| storm(ground, 8, 5, websocket_bomb),
    },
    Attack {
        name: "gzip-bombs",
        what: "request bodies that inflate to 64 MiB, and broken ones",
        run: |ground| storm(ground, 8, 5, body_bomb),
    },
];

/// How much comes out of a bomb.
const INFLATED: usize = 64 << 20;

fn zeros(mut into: impl std::io::Write) {
    let chunk = vec![b'0'; 1 << 20];
    for _ in 0..INFLATED >> 20 {
        into.write_all(&chunk).expect("an encoder over a vector takes everything");
    }
}

/// Raw deflate, flushed as permessage-deflate wants it.
fn deflated() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        zeros(&mut encoder);
        encoder.finish().expect("a vector takes everything")
    })
}

fn gzipped() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        zeros(&mut encoder);
        encoder.finish().expect("a vector takes everything")
    })
}

async fn websocket_bomb(ground: Ground, number: usize) -> Round {
    let path = ["/v1/channels/bombs", "/v1/events", "/socket.io/?EIO=4&transport=websocket"][number % 3];
    let mut headers = "Sec-WebSocket-Extensions: permessage-deflate\r\n".to_owned();
    if number % 3 == 1 {
        headers.push_str(crate::attacks::V1);
    }
    let bomb = deflated();
    let mut foe = Foe::websocket(ground.address, path, &headers).await?;
    let (what, bytes): (_, Vec<u8>) = match number / 3 % 3 {
        0 => ("a bomb", frame::raw(FIN | RSV1 | TEXT, bomb.len() as u64, bomb)),
        1 => {
            let (one, two) = bomb.split_at(1000);
            let first = frame::raw(RSV1 | TEXT, one.len() as u64, one);
            ("a bomb in fragments", [first, frame::raw(FIN | CONTINUATION, two.len() as u64, two)].concat())
        }
        _ => {
            let noise = super::bytes::noise(number, 5000);
            ("no deflate", frame::raw(FIN | RSV1 | TEXT, noise.len() as u64, &noise))
        }
    };
    foe.send(&bytes).await;
    // Where compression is not for a dialect the bit alone is wrong; noise may be anything but a message.
    close_of(what, &foe.end().await, &[1002, 1007, 1009])
}

async fn body_bomb(ground: Ground, number: usize) -> Round {
    let bomb = gzipped();
    let (what, path, body): (_, String, Vec<u8>) = match number % 8 {
        0 | 1 => ("a bomb", pubnub(), bomb.to_vec()),
        2 => ("half a bomb", pubnub(), bomb[..bomb.len() / 2].to_vec()),
        3 => ("no gzip", pubnub(), super::bytes::noise(number, 5000)),
        4 => (
            "many members",
            pubnub(),
            [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(5000),
        ),
        5 => ("native", "/v1/channels/bombs".to_owned(), bomb.to_vec()),
        6 => ("EXP", "/api/auth/login".to_owned(), bomb.to_vec()),
        _ => ("Engine.IO", "/socket.io/?EIO=4&transport=polling".to_owned(), bomb.to_vec()),
    };
    let encoding = if (number / 8).is_multiple_of(2) { "gzip" } else { "gzip, gzip" };
    let headers = format!("{JSON}Content-Encoding: {encoding}\r\n");
    let answer = Foe::connect(ground.address).await?.ask(&post(&path, &headers, &body)).await;
    answered(&format!("{what} in {encoding}"), answer, &[400, 401, 413, 415, 429])
}

fn pubnub() -> String {
    format!("/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/bombs/0?uuid=foe")
}
