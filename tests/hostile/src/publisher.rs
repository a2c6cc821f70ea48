use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use crate::clock;
use crate::config::CHANNEL;
use crate::foe::{Foe, Wrong};
use crate::frame::{self, CLOSE, Frame, PING, PONG, TEXT};
use crate::tally::Tally;

/// Publishes at a fixed rate, whatever the answers take, until the connection ends, which is complained of.
pub(crate) async fn publish(address: SocketAddr, rate: u32, tally: &Tally) {
    let connecting = async {
        let mut neighbour = Foe::neighbour(address).await?;
        neighbour.upgrade("/v1/events", "Sec-WebSocket-Protocol: antiphon.v1\r\n").await?;
        Ok::<_, Wrong>(neighbour.into_parts())
    };
    let (stream, mut bytes) = match connecting.await {
        Ok(parts) => parts,
        Err(wrong) => return tally.complain(format!("the publisher cannot connect: {wrong}")),
    };
    let (mut from, mut to) = stream.into_split();
    let (sender, mut pongs) = tokio::sync::mpsc::unbounded_channel();
    let answers = async {
        loop {
            let mut at = 0;
            while let Some(Frame { opcode, payload }) = frame::first(&bytes[at..]) {
                let body = &bytes[at..][payload.clone()];
                match opcode {
                    // The other half ends only together with this one.
                    PING => drop(sender.send(frame::frame(PONG, body))),
                    CLOSE => return format!("{:?}", frame::close_in(&bytes[at..])),
                    TEXT if body.starts_with(br#"{"type":"ok""#) => tally.acknowledge(),
                    TEXT if body.starts_with(br#"{"type":"error""#) => {
                        tally.complain(format!("not published: {}", String::from_utf8_lossy(body)));
                    }
                    _ => {}
                }
                at += payload.end;
            }
            bytes.drain(..at);
            match from.read_buf(&mut bytes).await {
                Ok(0) => return "the server ended it".to_owned(),
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    };
    let messages = async {
        let interval = Duration::from_secs(1) / rate;
        let mut due = Instant::now() + interval;
        loop {
            tokio::select! {
                () = sleep_until(due) => {
                    let mark = tally.publish(clock::micros_of(due.into_std()));
                    let message = json!({"type": "publish", "id": mark.number, "channel": CHANNEL, "payload": mark.to_string()});
                    if let Err(error) = to.write_all(&frame::text(&message.to_string())).await {
                        return error.to_string();
                    }
                    due += interval;
                }
                Some(pong) = pongs.recv() => {
                    if let Err(error) = to.write_all(&pong).await {
                        return error.to_string();
                    }
                }
            }
        }
    };
    let ended = tokio::select! { ended = answers => ended, ended = messages => ended };
    tally.complain(format!("the publisher lost its connection: {ended}"));
}
