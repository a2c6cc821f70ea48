//! Socket.IO: attachments that never come, acknowledgements nobody asked for, namespaces without end.

use std::time::Duration;

use crate::attack::{Attack, Round, storm};
use crate::attacks::close_of;
use crate::foe::{End, Foe};
use crate::frame::{self, BINARY};
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "attachments",
        what: "events with a billion attachments, or with some that are huge, wrong or never come",
        run: |ground| storm(ground, 8, 5, attachments),
    },
    Attack {
        name: "ack-flood",
        what: "acknowledgements of what was never sent",
        run: |ground| storm(ground, 6, 10, acks),
    },
    Attack {
        name: "namespaces",
        what: "connects to namespaces that do not exist, again and again, and none at all",
        run: |ground| storm(ground, 6, 10, namespaces),
    },
    Attack {
        name: "event-flood",
        what: "events as fast as they go, whose answers nobody reads",
        run: |ground| storm(ground, 4, 20, events),
    },
];

/// A socket that is connected to the namespace `/`.
pub(super) async fn connected(ground: &Ground) -> Result<Foe, String> {
    let mut foe = Foe::websocket(ground.address, "/socket.io/?EIO=4&transport=websocket", "").await?;
    foe.text_with("0{").await?;
    foe.send(&frame::text("40")).await;
    foe.text_with("40{").await?;
    Ok(foe)
}

/// How a dialect over Engine.IO ends a connection that broke its rules.
const ENDED: &[u16] = &[0, 1000, 1002, 1005, 1008, 1009];

async fn attachments(ground: Ground, number: usize) -> Round {
    let mut foe = connected(&ground).await?;
    let event = |count: &str, at: &str| {
        frame::text(&format!(r#"45{count}-["publish","bin",{{"_placeholder":true,"num":{at}}}]"#))
    };
    let piece = || frame::frame(BINARY, &vec![b'x'; 900_000]);
    let (what, messages) = match number % 8 {
        0 => ("a billion attachments", vec![event("1000000000", "0")]),
        1 => ("attachments beyond any number", vec![event(&"9".repeat(400), "0")]),
        2 => ("twelve attachments", vec![event("12", "0")]),
        3 => ("an attachment nobody announced", vec![frame::frame(BINARY, b"bytes")]),
        4 => ("text where an attachment is due", vec![event("1", "0"), frame::text(r#"42["x"]"#)]),
        5 => ("4.5 MB of attachments", vec![event("10", "0"), piece().repeat(5)]),
        6 => ("a placeholder out of range", vec![event("1", "99999999999"), frame::frame(BINARY, b"x")]),
        _ => {
            // Announced and never sent: it may wait, with nothing but what is announced kept for it.
            foe.send(&event("1", "0")).await;
            return match foe.end_within(Duration::from_millis(300)).await {
                End::Open => Ok("waits for an attachment".to_owned()),
                end => close_of("an attachment that never comes", &end, ENDED),
            };
        }
    };
    for message in messages {
        foe.send(&message).await;
    }
    close_of(what, &foe.end_within(ground.after(4000)).await, ENDED)
}

async fn acks(ground: Ground, number: usize) -> Round {
    let mut foe = connected(&ground).await?;
    let ack = match number % 4 {
        0 => "431[1]",
        1 => "4399999999999[1]",
        2 => "43/admin,1[1]",
        _ => "4318446744073709551616[1]",
    };
    let sent =
        foe.flood(&frame::text(ack).repeat(200), ground.pick(1 << 20, 4 << 20), Duration::from_secs(3)).await;
    // It answers still, or has ended the connection: an id beyond all numbers is no packet.
    foe.send(&frame::text(r#"427["nothing"]"#)).await;
    match foe.text_with("437[").await {
        Ok(_) => Ok(format!("{ack} is passed over")),
        Err(_) => close_of(&format!("{ack} after {sent} bytes"), &foe.end().await, ENDED),
    }
}

async fn namespaces(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::websocket(ground.address, "/socket.io/?EIO=4&transport=websocket", "").await?;
    foe.text_with("0{").await?;
    match number % 3 {
        0 => {
            for at in 0..1000 {
                foe.send(&frame::text(&format!("40/n{at},"))).await;
            }
            foe.text_with("44/n999,").await?;
            Ok("each is refused".to_owned())
        }
        1 => {
            foe.send(&frame::text(&format!("40/{},", "n".repeat(100_000)))).await;
            close_of("a long namespace", &foe.end_within(ground.after(1000)).await, ENDED)
        }
        // Never connects to any.
        _ => close_of("no namespace", &foe.end_within(ground.after(1000)).await, ENDED),
    }
}

async fn events(ground: Ground, number: usize) -> Round {
    let mut foe = Foe::connect_narrow(ground.address).await?;
    foe.upgrade("/socket.io/?EIO=4&transport=websocket", "").await?;
    foe.text_with("0{").await?;
    foe.send(&frame::text("40")).await;
    foe.text_with("40{").await?;
    let event = match number % 3 {
        0 => r#"421["nothing"]"#.to_owned(),
        1 => r#"421["history",{"channel":"square","limit":1000}]"#.to_owned(),
        _ => r#"421["presence","square"]"#.to_owned(),
    };
    foe.flood(&frame::text(&event).repeat(100), ground.pick(8 << 20, 16 << 20), Duration::from_secs(3)).await;
    close_of("events without reading", &foe.end().await, &[0, 1000, 1005, 1008, 1013])
}
