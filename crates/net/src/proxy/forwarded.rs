//! Who a request is from, by what proxies wrote into it: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
//!
//! Each proxy adds the address that it was asked from at the end. So the list is read from its end, for as long as those
//! who wrote it are trusted: what stands before the first address that is not is whatever that client liked to send.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};

use super::{ForwardedHeader, Proxies};

/// What trusted proxies say of the client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// Its address, with port 0 if that is not told. None if they do not say.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it spoke TLS. None if they do not say.
    pub(crate) tls: Option<bool>,
}

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED: HeaderName = HeaderName::from_static("forwarded");

impl Proxies {
    /// Who a request is from that came from `asked_from`. None if that is not a proxy that is believed, or says nothing.
    pub(crate) fn client(&self, headers: &HeaderMap, asked_from: IpAddr) -> Option<Forwarded> {
        if self.forwarded == ForwardedHeader::Off || !self.trust(asked_from) {
            return None;
        }
        let told = match self.forwarded {
            ForwardedHeader::Off => return None,
            ForwardedHeader::XForwardedFor => {
                let hops = from_the_end(headers, &FOR).map(|hop| (hop.parse_node(), None));
                let told = self.first_stranger(hops);
                let tls = from_the_end(headers, &PROTO).next().and_then(|proto| proto.is_tls());
                Forwarded { tls, ..told }
            }
            ForwardedHeader::Forwarded => {
                let hops = from_the_end(headers, &FORWARDED);
                self.first_stranger(hops.map(|hop| {
                    let node = hop.parameter("for").and_then(|node| Piece(node).parse_node());
                    (node, hop.parameter("proto").and_then(|proto| Piece(proto).is_tls()))
                }))
            }
        };
        (told.address.is_some() || told.tls.is_some()).then_some(told)
    }

    /// The first hop from the end whose address is not trusted; if there is none, the last that there is.
    fn first_stranger(&self, hops: impl Iterator<Item = (Option<SocketAddr>, Option<bool>)>) -> Forwarded {
        let mut told = Forwarded { address: None, tls: None };
        for (node, tls) in hops {
            // A hop without an address: what is beyond it cannot be known.
            let Some(address) = node else { break };
            told = Forwarded { address: Some(address), tls };
            if !self.trust(address.ip()) {
                break;
            }
        }
        told
    }
}

/// The elements of a list header, the last of the last line first.
fn from_the_end<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Piece<'a>> {
    let lines = headers.get_all(name).iter().rev();
    lines.flat_map(|line| Elements { rest: Some(line.as_bytes()) }).map(|bytes| {
        // What is not text is no address either.
        Piece(std::str::from_utf8(bytes).unwrap_or_default().trim_matches([' ', '\t']))
    })
}

/// Splits at commas from the end, but not within quotes. Counted from the end, so that a quote which a client left open takes nothing
/// of what proxies wrote after it.
struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        for (at, byte) in rest.iter().enumerate().rev() {
            match byte {
                b'"' => quoted = !quoted,
                b',' if !quoted => {
                    self.rest = Some(&rest[..at]);
                    return Some(&rest[at + 1..]);
                }
                _ => {}
            }
        }
        self.rest = None;
        Some(rest)
    }
}

/// An element of such a list, or a value in one.
#[derive(Clone, Copy)]
struct Piece<'a>(&'a str);

impl<'a> Piece<'a> {
    /// The value of a parameter (RFC 7239, section 4), without its quotes.
    fn parameter(self, name: &str) -> Option<&'a str> {
        let pairs = self.0.split(';').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        let value = value.trim();
        Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
    }

    /// An address, with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
    fn parse_node(self) -> Option<SocketAddr> {
        let text = self.0;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(SocketAddr::new(address, 0));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(address);
        }
        let bare = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(SocketAddr::new(bare.parse::<Ipv6Addr>().ok()?.into(), 0))
    }

    fn is_tls(self) -> Option<bool> {
        match self.0 {
            proto if proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss") => Some(true),
            proto if proto.eq_ignore_ascii_case("http") || proto.eq_ignore_ascii_case("ws") => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
