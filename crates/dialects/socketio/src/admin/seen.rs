//! Sockets, as the dashboard sees them.

use std::collections::BTreeMap;

use antiphon_engineio::Transport;
use antiphon_model::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Handshake, Io, Socket};

/// How much of a connection's id is shown: whoever knows all of it has the connection.
const CLIENT_ID_SHOWN: usize = 12;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeenSocket {
    id: String,
    client_id: String,
    transport: &'static str,
    nsp: String,
    data: Option<Box<RawValue>>,
    handshake: SeenHandshake,
    rooms: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SeenHandshake {
    address: String,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    issued: u64,
    secure: bool,
    time: String,
    url: String,
    xdomain: bool,
}

/// Every socket of this process.
pub(super) fn all(io: &Io) -> impl Iterator<Item = Socket> + use<> {
    io.namespaces().into_iter().flat_map(|namespace| namespace.sockets())
}

impl SeenSocket {
    pub(super) fn of(socket: &Socket) -> SeenSocket {
        SeenSocket {
            id: socket.id().to_string(),
            client_id: socket.client_id().chars().take(CLIENT_ID_SHOWN).collect(),
            transport: match socket.transport() {
                Transport::Polling => "polling",
                Transport::WebSocket => "websocket",
            },
            nsp: socket.namespace().name().to_owned(),
            data: RawValue::from_string(socket.data().to_json()).ok(),
            handshake: SeenHandshake::of(socket.handshake()),
            rooms: socket.rooms().iter().map(ToString::to_string).collect(),
        }
    }

    /// How many bytes it takes on the wire, about.
    pub(super) fn bytes(&self) -> usize {
        let rooms: usize = self.rooms.iter().map(String::len).sum();
        let pairs = self.handshake.headers.iter().chain(&self.handshake.query);
        let pairs: usize = pairs.map(|(name, value)| name.len() + value.len() + 6).sum();
        512 + self.data.as_ref().map_or(0, |data| data.get().len()) + rooms + self.handshake.url.len() + pairs
    }
}

impl SeenHandshake {
    fn of(handshake: &Handshake) -> SeenHandshake {
        let forwarded =
            ["cf-connecting-ip", "x-forwarded-for"].iter().find_map(|name| handshake.header(name));
        let address = forwarded.map_or_else(|| handshake.address().ip().to_string(), str::to_owned);
        SeenHandshake {
            address,
            headers: handshake
                .headers()
                .iter()
                .map(|(name, value)| (name.to_owned(), shown(name, &String::from_utf8_lossy(value))))
                .collect(),
            query: handshake
                .engine()
                .parameters()
                .map(|(name, value)| (name.to_string(), shown(&name, &value)))
                .collect(),
            issued: millis(handshake.issued()),
            secure: handshake.is_secure(),
            time: iso(handshake.issued()),
            url: shown_url(handshake.url()),
            xdomain: handshake.is_cross_domain(),
        }
    }
}

/// A value, unless it is what its client proves with who it is: whoever only looks is not to be anybody else.
fn shown(name: &str, value: &str) -> String {
    const SECRETS: [&str; 7] = ["auth", "cookie", "jwt", "key", "password", "secret", "token"];
    let name = name.to_ascii_lowercase();
    let is_secret = SECRETS.iter().any(|secret| name.contains(secret));
    if is_secret { "[redacted]".to_owned() } else { value.to_owned() }
}

fn shown_url(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) => format!("{name}={}", shown(name, value)),
        None => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

pub(super) fn millis(time: Timestamp) -> u64 {
    time.0 / 10_000
}

/// A time as JavaScript writes dates: `2026-01-31T12:00:00.000Z`.
pub(super) fn iso(time: Timestamp) -> String {
    const DAY: u64 = 86_400_000;
    let (days, rest) = (millis(time) / DAY, millis(time) % DAY);
    // Years begin in March here, so that the day that is not always there is the last. 719468 days lie between that and 1970.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let url = "/socket.io/?EIO=4&transport=polling&Access_Token=abc&x";
        assert_eq!(shown_url(url), "/socket.io/?EIO=4&transport=polling&Access_Token=[redacted]&x");
        assert_eq!(shown_url("/socket.io/"), "/socket.io/");
        assert_eq!(shown("authorization", "Bearer x"), "[redacted]");
        assert_eq!(shown("user-agent", "x"), "x");
    }

    #[test]
    fn times_are_written_as_javascript_does() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_767_225_599_001, "2025-12-31T23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso(Timestamp(millis * 10_000)), expected);
        }
    }
}
