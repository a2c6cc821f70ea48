use std::borrow::Cow;
use std::fmt;

use antiphon_model::Timestamp;
use antiphon_net::Peer;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};

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
    /// The method of the request.
    pub method: Method,
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
            method: request.method.clone(),
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
    /// For each the length of its name as a byte, that of its value as four, and both.
    bytes: Box<[u8]>,
}

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
        std::iter::from_fn(move || {
            let (&name_bytes, after) = rest.split_first()?;
            let (value_bytes, after) = after.split_first_chunk()?;
            let (name, after) = after.split_at_checked(name_bytes.into())?;
            let (value, after) = after.split_at_checked(u32::from_le_bytes(*value_bytes) as usize)?;
            rest = after;
            Some((std::str::from_utf8(name).ok()?, value))
        })
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

/// Nothing if it is longer than any that means something.
fn write_header(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    let (Ok(name_bytes), Ok(value_bytes)) = (u8::try_from(name.len()), u32::try_from(value.len())) else {
        return;
    };
    bytes.push(name_bytes);
    bytes.extend_from_slice(&value_bytes.to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(value);
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
