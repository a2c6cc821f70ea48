use std::borrow::Cow;
use std::fmt;

use antiphon_model::Timestamp;
use antiphon_net::Peer;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::form;
use crate::handshake::{Sid, Transport};
use crate::packet::Revision;

/// The request that a session began with, kept for as long as it lasts.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The session's id.
    pub sid: Sid,
    /// The revision that the client speaks.
    pub revision: Revision,
    /// The transport that it began with.
    pub transport: Transport,
    /// The path and the query, as they came.
    pub target: Box<str>,
    /// The headers.
    pub headers: Headers,
    /// What an HTTP server in front put with the request.
    pub extensions: Extensions,
    /// Where it came from.
    pub peer: Peer,
    /// When.
    pub issued: Timestamp,
}

impl Handshake {
    pub(super) fn new(
        sid: Sid,
        revision: Revision,
        transport: Transport,
        request: &Parts,
        peer: &Peer,
        issued: Timestamp,
    ) -> Handshake {
        let mut extensions = request.extensions.clone();
        // It would keep the connection's machinery for as long as the session lasts.
        extensions.remove::<hyper::upgrade::OnUpgrade>();
        let mut headers = Headers::new(&request.headers);
        if let Some(authority) = request.uri.authority() {
            // HTTP/2 names it there.
            headers.set_host(authority.as_str());
        }
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        Handshake {
            sid,
            revision,
            transport,
            target: target.into(),
            headers,
            extensions,
            peer: peer.clone(),
            issued,
        }
    }

    /// The path of the request.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The query of the request, escaped as it came.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The parameters of the query, unescaped; those that are not UTF-8 are left out.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form::pairs(self.query())
            .filter_map(|(name, value)| Some((form::decoded(name).ok()?, form::decoded(value).ok()?)))
    }

    /// The last parameter of a name, unescaped.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.parameters().filter(|(key, _)| *key == name).last().map(|(_, value)| value)
    }

    /// Whether a page of another origin asked for it: the request has an `Origin`.
    pub fn is_cross_origin(&self) -> bool {
        self.headers.get("origin").is_some()
    }
}

/// Headers in as little memory as they take: sessions that idle have little else.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers {
    /// For each what its name is, as a byte: its length, or from [`KNOWN_FROM`] on its place in [`KNOWN`]; the length of its value in as many
    /// bytes as that takes, seven bits in each; the name, if it is not known; and the value.
    bytes: Box<[u8]>,
}

/// What browsers and libraries send with what a session begins with. Kept in memory alone, so that the order says nothing to anybody.
const KNOWN: [&str; 32] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "cf-connecting-ip",
    "connection",
    "content-length",
    "cookie",
    "dnt",
    "forwarded",
    "host",
    "origin",
    "pragma",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Shorter names are written out; longer ones mean nothing to anybody.
const KNOWN_FROM: u8 = 0x80;

impl Headers {
    /// Copies headers.
    pub fn new(headers: &HeaderMap) -> Headers {
        let mut bytes = Vec::new();
        for (name, value) in headers {
            write_header(&mut bytes, name.as_str(), value.as_bytes());
        }
        Headers { bytes: bytes.into() }
    }

    /// Adds a `host`, unless there is one.
    fn set_host(&mut self, host: &str) {
        if self.get("host").is_none() {
            let mut bytes = std::mem::take(&mut self.bytes).into_vec();
            write_header(&mut bytes, "host", host.as_bytes());
            self.bytes = bytes.into();
        }
    }

    /// Each header, its name in lower case.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || read_header(&mut rest))
    }

    /// The first header of a name, whatever its case; none if there is none or it is not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.iter().find(|(one, _)| one.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The same as a map.
    pub fn to_map(&self) -> HeaderMap {
        let header = |(name, value): (&str, &[u8])| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        };
        self.iter().filter_map(header).collect()
    }
}

/// Nothing if its name is longer than any that means something.
fn write_header(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    let known = KNOWN.binary_search(&name);
    let head = known.map_or(name.len(), |place| usize::from(KNOWN_FROM) + place);
    let Some(head) = u8::try_from(head).ok().filter(|head| known.is_ok() || *head < KNOWN_FROM) else {
        return;
    };
    bytes.push(head);
    let mut left = value.len();
    while left > 0x7f {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    if known.is_err() {
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.extend_from_slice(value);
}

fn read_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let (&head, mut after) = rest.split_first()?;
    let (mut value_bytes, mut bits) = (0, 0);
    loop {
        let (&byte, further) = after.split_first()?;
        value_bytes |= usize::from(byte & 0x7f) << bits;
        bits += 7;
        after = further;
        if byte < 0x80 {
            break;
        }
    }
    let name = match head.checked_sub(KNOWN_FROM) {
        Some(place) => KNOWN.get(usize::from(place))?,
        None => {
            let (name, further) = after.split_at_checked(head.into())?;
            after = further;
            std::str::from_utf8(name).ok()?
        }
    };
    let (value, after) = after.split_at_checked(value_bytes)?;
    *rest = after;
    Some((name, value))
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names alone: credentials do not belong into logs.
        formatter.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_kept_as_they_are() {
        let mut map = HeaderMap::new();
        map.append("cookie", HeaderValue::from_static("a=b"));
        map.append("x-empty", HeaderValue::from_static(""));
        map.append("cookie", HeaderValue::from_bytes(b"\xff").unwrap());
        let headers = Headers::new(&map);
        assert_eq!(headers.get("Cookie"), Some("a=b"));
        assert_eq!(headers.get("x-empty"), Some(""));
        assert_eq!(headers.get("host"), None);
        assert_eq!(headers.to_map(), map);
        assert_eq!(Headers::new(&HeaderMap::new()).iter().count(), 0);
    }

    #[test]
    fn known_names_and_long_values_are_read_as_they_were_written() {
        assert!(KNOWN.is_sorted());
        let mut map = HeaderMap::new();
        for (number, name) in KNOWN.into_iter().enumerate() {
            map.append(HeaderName::from_static(name), HeaderValue::from(number));
        }
        for len in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            map.append("x-other", HeaderValue::from_str(&"v".repeat(len)).unwrap());
        }
        assert_eq!(Headers::new(&map).to_map(), map);
        let too_long = HeaderName::from_bytes("n".repeat(128).as_bytes()).unwrap();
        map.append(too_long, HeaderValue::from_static("dropped"));
        assert_eq!(Headers::new(&map).iter().count() + 1, map.len());
    }

    #[test]
    fn the_query_is_there_as_it_came_and_unescaped() {
        let request = http::Request::get("/socket.io/?EIO=4&token=a%20b&token=c+d&bad=%ff");
        let request = request.body(()).unwrap().into_parts().0;
        let address = "127.0.0.1:1".parse().unwrap();
        let peer = Peer::plain(address, address);
        let sid = Sid::new(0, [0; Sid::RANDOM_BYTES]);
        let handshake = Handshake::new(sid, Revision::V4, Transport::Polling, &request, &peer, Timestamp(0));
        assert_eq!(handshake.path(), "/socket.io/");
        assert_eq!(handshake.query(), "EIO=4&token=a%20b&token=c+d&bad=%ff");
        assert_eq!(handshake.parameter("token").as_deref(), Some("c d"));
        assert_eq!(handshake.parameters().count(), 3);
        assert!(!handshake.is_cross_origin());
    }

    #[test]
    fn the_authority_of_http_2_is_the_host() {
        for (target, host, expected) in [
            ("http://a.example/socket.io/", None, Some("a.example")),
            ("http://a.example/socket.io/", Some("b.example"), Some("b.example")),
            ("/socket.io/", None, None),
        ] {
            let mut request = http::Request::get(target);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let request = request.body(()).unwrap().into_parts().0;
            let address = "127.0.0.1:1".parse().unwrap();
            let peer = Peer::plain(address, address);
            let sid = Sid::new(0, [0; Sid::RANDOM_BYTES]);
            let handshake =
                Handshake::new(sid, Revision::V4, Transport::Polling, &request, &peer, Timestamp(0));
            assert_eq!(handshake.headers.get("host"), expected);
        }
    }
}
