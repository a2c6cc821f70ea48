//! Engine.IO: sessions that nobody uses, polls that cross, upgrades that stop half-way, bodies against the rules.

use crate::attack::{Attack, Round, storm};
use crate::attacks::{answered, close_of, get, post};
use crate::foe::{End, Foe};
use crate::frame;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "poll-storm",
        what: "polls that cross on one session, and sessions that are opened and left",
        run: |ground| storm(ground, 12, 2, poll_storm),
    },
    Attack {
        name: "half-upgrades",
        what: "many WebSockets that begin to take a session over and never do",
        run: |ground| storm(ground, 12, 5, half_upgrade),
    },
    Attack {
        name: "engine-bodies",
        what: "bodies and messages of Engine.IO that are too long, have too many packets, or are none",
        run: |ground| storm(ground, 10, 5, bodies),
    },
    Attack {
        name: "wrong-sids",
        what: "sessions that do not exist, transports and revisions that do not exist",
        run: |ground| storm(ground, 12, 2, wrong_sid),
    },
];

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Opens a session by polling, and gives its id.
pub(super) async fn session(foe: &mut Foe) -> Result<String, String> {
    let (status, body) = foe.ask(&get(POLLING, "")).await?;
    let sid = body.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next());
    match (status, sid) {
        (200, Some(sid)) => Ok(sid.to_owned()),
        _ => Err(format!("no session: {status} {body}")),
    }
}

async fn poll_storm(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let sid = session(&mut foe).await?;
    if number.is_multiple_of(3) {
        // Its heartbeat ends it.
        return Ok("a session is left".to_owned());
    }
    let path = format!("{POLLING}&sid={sid}");
    let mut others = Vec::new();
    for _ in 0..4 {
        let mut other = Foe::connect(ground.address).await?;
        other.send(&get(&path, "")).await;
        others.push(other);
    }
    // Of polls that cross one at most is answered with packets: the session ends.
    let mut refused = 0;
    for other in &mut others {
        if matches!(other.answer().await, Ok((400, _))) {
            refused += 1;
        }
    }
    answered("a poll of a session that ended", foe.ask(&get(&path, "")).await, &[400])?;
    if refused == 0 {
        Err("no poll that crossed another was refused".to_owned())
    } else {
        Ok("refused".to_owned())
    }
}

async fn half_upgrade(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let sid = session(&mut foe).await?;
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let mut sockets = Vec::new();
    let mut refused = 0;
    for at in 0..5 {
        let mut socket = Foe::connect(ground.address).await?;
        match socket.upgrade(&path, "").await {
            Ok(()) => {
                let text = ["2probe", "", "5", "2probe", "nonsense"][(number + at) % 5];
                if !text.is_empty() {
                    socket.send(&frame::text(text)).await;
                }
                sockets.push(socket);
            }
            Err(_) => refused += 1,
        }
    }
    let mut closed = 0;
    for mut socket in sockets {
        match socket.end_within(ground.after(4500)).await {
            End::Open => return Err("a half upgrade is kept".to_owned()),
            _ => closed += 1,
        }
    }
    Ok(format!("{refused} refused, {closed} closed"))
}

async fn bodies(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect(ground.address).await?;
    let case = number % 10;
    if case < 3 {
        let mut socket = Foe::websocket(ground.address, "/socket.io/?EIO=4&transport=websocket", "").await?;
        let (what, message, due): (_, _, &[u16]) = match case {
            0 => ("a message of 1.5 MB", frame::text(&"4".repeat(1_500_000)), &[1009, 0]),
            1 => ("an unknown packet", frame::text("9nonsense"), &[0, 1000, 1002, 1005, 1008]),
            _ => ("an empty packet", frame::text(""), &[0, 1000, 1002, 1005, 1008]),
        };
        socket.send(&message).await;
        return close_of(what, &socket.end().await, due);
    }
    let sid = session(&mut foe).await?;
    let path = format!("{POLLING}&sid={sid}");
    let (what, body): (_, Vec<u8>) = match case {
        3 => ("a body of 1.5 MB", vec![b'4'; 1_500_000]),
        4 => ("a hundred thousand packets", b"4\x1e".repeat(100_000)),
        5 => ("an unknown packet", b"9nonsense".to_vec()),
        6 => ("no UTF-8", b"4\xff\xfe\x80".to_vec()),
        7 => ("no base64", b"b!!!!".to_vec()),
        8 => ("an open by the client", b"0{}".to_vec()),
        _ => ("separators", vec![0x1e; 10_000]),
    };
    let answer = foe.ask(&post(&path, "Content-Type: text/plain;charset=UTF-8\r\n", &body)).await;
    // What is a packet and means nothing is taken; the session ends then.
    answered(what, answer, &[200, 400, 413])
}

async fn wrong_sid(ground: Ground, number: usize) -> Round {
    const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (what, path, headers) = match number % 9 {
        0 => ("an unknown sid", format!("{POLLING}&sid=AAAAAAAAAAAAAAAAAAAA"), ""),
        1 => ("a long sid", format!("{POLLING}&sid={}", "A".repeat(10_000)), ""),
        2 => ("a sid with NUL", format!("{POLLING}&sid=%00%ff"), ""),
        3 => ("an empty sid", format!("{POLLING}&sid="), ""),
        4 => ("an unknown transport", "/socket.io/?EIO=4&transport=smoke".to_owned(), ""),
        5 => ("an unknown revision", "/socket.io/?EIO=99&transport=polling".to_owned(), ""),
        6 => ("no transport", "/socket.io/".to_owned(), ""),
        7 => (
            "an unknown sid over WebSocket",
            "/socket.io/?EIO=4&transport=websocket&sid=AAAA".to_owned(),
            WEBSOCKET,
        ),
        _ => ("polling with an upgrade", POLLING.to_owned(), WEBSOCKET),
    };
    let mut foe = Foe::connect(ground.address).await?;
    if number % 9 == 3 {
        // No sid is how a session begins.
        return answered(what, foe.ask(&get(&path, "")).await, &[200, 400]);
    }
    answered(what, foe.ask(&get(&path, headers)).await, &[400, 403, 404])
}
