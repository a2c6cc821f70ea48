use std::collections::VecDeque;
use std::time::Duration;

use antiphon_tests::{Api, Connection, Frame, Lost, WebSocket};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::native;
use crate::client::Trouble;

/// What divides packets in a body of revision 4.
const SEPARATOR: char = '\u{1e}';

/// How a client of Engine.IO connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Socket,
    Polling,
    /// Polling first.
    Upgrade,
}

/// A connection of Engine.IO, of revision 3 or 4, that answers heartbeats by itself.
pub(super) struct Wire {
    api: Api,
    revision: u8,
    /// The query of the session, from `EIO` on.
    query: String,
    transport: Transport,
    packets: VecDeque<String>,
    /// What is still to be sent, before anything else.
    owed: VecDeque<String>,
    /// When a client of revision 3 sends its next heartbeat, and how often.
    beat: Option<(Instant, Duration)>,
}

enum Transport {
    Socket(Box<WebSocket>),
    Polling {
        poll: Option<Exchange>,
        idle: Option<Connection>,
        post: Option<Exchange>,
        kept: Option<Connection>,
    },
}

/// A request that is under way: its connection for the next one, and what it was answered.
type Exchange = JoinHandle<Result<(Connection, String), Lost>>;

impl Wire {
    /// Opens a session; `query` begins with `&` unless it is empty.
    pub(super) async fn open(api: &Api, query: &str, way: Way, revision: u8) -> Result<Wire, Trouble> {
        let mut wire = Wire {
            api: api.clone(),
            revision,
            query: format!("EIO={revision}{query}"),
            transport: Transport::Polling { poll: None, idle: None, post: None, kept: None },
            packets: VecDeque::new(),
            owed: VecDeque::new(),
            beat: None,
        };
        if way == Way::Socket {
            let path = format!("/socket.io/?{}&transport=websocket", wire.query);
            let socket = WebSocket::connect(api.address(), &path, None, &[]).await?;
            wire.transport = Transport::Socket(Box::new(socket));
        } else if revision == 3 {
            wire.query.push_str("&b64=1");
        }
        let open = wire.receive().await?;
        let handshake: Value =
            open.strip_prefix('0').and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let Some(sid) = handshake["sid"].as_str() else {
            return Err(Trouble::Fault(format!("no handshake: {open}")));
        };
        wire.query.push_str("&sid=");
        wire.query.push_str(sid);
        if revision == 3 {
            let every = Duration::from_millis(handshake["pingInterval"].as_u64().unwrap_or(25_000));
            wire.beat = Some((Instant::now() + every, every));
        }
        Ok(wire)
    }

    /// Goes over from polling to a WebSocket.
    pub(super) async fn upgrade(&mut self) -> Result<(), Trouble> {
        let path = format!("/socket.io/?{}&transport=websocket", self.query);
        // Nothing may be under way but the poll.
        self.end_post().await?;
        self.begin_poll();
        let mut socket = WebSocket::connect(self.api.address(), &path, None, &[]).await?;
        socket.send_text("2probe").await?;
        match socket.try_next().await {
            Ok(Frame::Text(text)) if text == "3probe" => {}
            Ok(other) => return Err(Trouble::Fault(format!("the probe is answered with {other:?}"))),
            Err(closed) => return Err(Trouble::Lost(format!("the probe has no answer: {closed:?}"))),
        }
        // The server ends the poll, with a packet that means nothing if it has no other.
        self.end_poll().await?;
        socket.send_text("5").await?;
        self.transport = Transport::Socket(Box::new(socket));
        Ok(())
    }

    /// The next packet of the layer above, without its `4`. Can be dropped before it is there, and asked for again.
    pub(super) async fn next(&mut self) -> Result<String, Trouble> {
        loop {
            self.pay().await?;
            let beat = self.beat;
            let packet = tokio::select! {
                packet = self.receive() => packet?,
                () = sleep_until(beat.map_or_else(Instant::now, |(at, _)| at)), if beat.is_some() => {
                    if let Some((_, every)) = beat {
                        self.beat = Some((Instant::now() + every, every));
                        self.owed.push_back("2".into());
                    }
                    continue;
                }
            };
            match packet.split_at_checked(1) {
                Some(("4", message)) => return Ok(message.to_owned()),
                Some(("2", data)) if self.revision == 4 => self.owed.push_back(format!("3{data}")),
                Some(("3" | "6", _)) => {}
                Some(("1", _)) => return Err(Trouble::Lost("the server closed the session".into())),
                _ => return Err(Trouble::Fault(format!("what is {packet:?}?"))),
            }
        }
    }

    /// Sends what is owed.
    async fn pay(&mut self) -> Result<(), Trouble> {
        self.end_post().await?;
        while let Some(owed) = self.owed.front().cloned() {
            match &mut self.transport {
                Transport::Socket(socket) => socket.send_text(owed).await?,
                Transport::Polling { .. } => self.begin_post(owed),
            }
            self.owed.pop_front();
            self.end_post().await?;
        }
        Ok(())
    }

    /// Has a packet of the layer above sent when the next one is awaited.
    pub(super) fn owe(&mut self, message: &str) {
        self.owed.push_back(format!("4{message}"));
    }

    /// Sends a packet of the layer above.
    pub(super) async fn send(&mut self, message: &str) -> Result<(), Trouble> {
        self.send_packet(format!("4{message}")).await
    }

    /// Ends the session in good order.
    pub(super) async fn close(mut self) {
        // Whether the server still hears it is not this client's concern.
        let _ = self.send_packet("41".into()).await;
        let _ = self.send_packet("1".into()).await;
        if let Transport::Socket(socket) = self.transport {
            socket.close().await;
        }
    }

    /// Breaks it off.
    pub(super) fn abort(self) {
        match self.transport {
            Transport::Socket(socket) => socket.abort(),
            Transport::Polling { poll, post, .. } => {
                poll.into_iter().chain(post).for_each(|exchange| exchange.abort());
            }
        }
    }

    async fn send_packet(&mut self, packet: String) -> Result<(), Trouble> {
        if let Transport::Socket(socket) = &mut self.transport {
            return Ok(socket.send_text(packet).await?);
        }
        self.end_post().await?;
        self.begin_post(packet);
        self.end_post().await
    }

    /// Sends a packet by polling. It goes on by itself: a `POST` that is given up ends the session, and so do two at a time.
    fn begin_post(&mut self, packet: String) {
        let Transport::Polling { post, kept, .. } = &mut self.transport else { return };
        let body = match self.revision {
            3 => format!("{}:{packet}", packet.encode_utf16().count()),
            _ => packet,
        };
        let (api, kept) = (self.api.clone(), native::usable(kept));
        let path = format!("/socket.io/?{}&transport=polling", self.query);
        *post = Some(tokio::spawn(async move {
            let mut connection = match kept {
                Some(connection) => connection,
                None => api.connect().await?,
            };
            let call = api.post(&path).body("text/plain;charset=UTF-8", body);
            let answer = call.try_send_over(&mut connection).await?;
            match answer.status.as_u16() {
                200 => Ok((connection, answer.text())),
                status => Err(Lost(format!("a packet is refused: {status} {}", answer.text()))),
            }
        }));
    }

    /// Waits for the `POST` that is under way.
    async fn end_post(&mut self) -> Result<(), Trouble> {
        let Transport::Polling { post: Some(post), .. } = &mut self.transport else { return Ok(()) };
        let ended = post.await;
        let Transport::Polling { post, kept, .. } = &mut self.transport else { return Ok(()) };
        *post = None;
        let (connection, _) =
            ended.map_err(|error| Trouble::Fault(format!("a packet panicked: {error}")))??;
        *kept = Some(connection);
        Ok(())
    }

    async fn receive(&mut self) -> Result<String, Trouble> {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return Ok(packet);
            }
            if let Transport::Socket(socket) = &mut self.transport {
                return match socket.try_next().await {
                    Ok(Frame::Text(text)) => Ok(text),
                    Ok(Frame::Binary(_)) => Err(Trouble::Fault("binary packets".into())),
                    Err(closed) => Err(Trouble::Lost(format!("{closed:?}"))),
                };
            }
            self.begin_poll();
            self.end_poll().await?;
        }
    }

    fn begin_poll(&mut self) {
        let Transport::Polling { poll, idle, .. } = &mut self.transport else { return };
        if poll.is_some() {
            return;
        }
        let (api, idle) = (self.api.clone(), native::usable(idle));
        let path = format!("/socket.io/?{}&transport=polling", self.query);
        *poll = Some(tokio::spawn(async move {
            let mut connection = match idle {
                Some(connection) => connection,
                None => api.connect().await?,
            };
            let call = api.get(&path);
            let answer = call.try_send_over(&mut connection).await?;
            match answer.status.as_u16() {
                200 => Ok((connection, answer.text())),
                status => Err(Lost(format!("a poll is refused: {status} {}", answer.text()))),
            }
        }));
    }

    /// Waits for the poll that is under way, and keeps its packets.
    async fn end_poll(&mut self) -> Result<(), Trouble> {
        let Transport::Polling { poll: Some(poll), .. } = &mut self.transport else { return Ok(()) };
        let ended = poll.await;
        let Transport::Polling { poll, idle, .. } = &mut self.transport else { return Ok(()) };
        *poll = None;
        let (connection, body) =
            ended.map_err(|error| Trouble::Fault(format!("a poll panicked: {error}")))??;
        *idle = Some(connection);
        let packets = match self.revision {
            3 => packets_of_revision_3(&body).ok_or_else(|| Trouble::Fault(format!("no payload: {body}")))?,
            _ => body.split(SEPARATOR).map(str::to_owned).collect(),
        };
        self.packets.extend(packets);
        Ok(())
    }
}

/// The packets of a body in which each has its length in UTF-16 units before it.
fn packets_of_revision_3(body: &str) -> Option<Vec<String>> {
    let mut packets = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (length, after) = rest.split_once(':')?;
        let length: usize = length.parse().ok()?;
        let mut units = 0;
        let end = after.char_indices().find(|(_, letter)| {
            let is_over = units >= length;
            units += letter.len_utf16();
            is_over
        });
        let (packet, after) = after.split_at(end.map_or(after.len(), |(at, _)| at));
        packets.push(packet.to_owned());
        rest = after;
    }
    Some(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_revision_3_are_of_utf_16() {
        assert_eq!(
            packets_of_revision_3("2:404:4\u{fc}\u{1f600}1:6"),
            Some(vec!["40".into(), "4\u{fc}\u{1f600}".into(), "6".into()])
        );
        assert_eq!(packets_of_revision_3(""), Some(vec![]));
        assert_eq!(packets_of_revision_3("x:40"), None);
    }
}
