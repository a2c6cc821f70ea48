//! The header of the PROXY protocol, versions 1 and 2: where a connection came from, before its own first byte.
//!
//! Pure: it is given the first bytes of a connection, as many as have come, and says how many of them are the header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// How many bytes a header may have: the longest of version 2 without a second thought, 16 and two addresses, and 468 of extras.
pub(crate) const HEADER_BYTES_MAX: usize = 536;

/// How many bytes a header of version 1 may have, its line end included.
const TEXT_BYTES_MAX: usize = 107;

const TEXT_BEGINS: &[u8] = b"PROXY ";
const BINARY_BEGINS: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What comes before the addresses: the twelve bytes, version and command, family and transport, and a length.
const BINARY_HEAD_BYTES: usize = 16;
const SSL_TLV: u8 = 0x20;
const SSL_CLIENT: u8 = 0x01;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The connection is the proxy's own, such as a health check, or comes from where there are no IP addresses.
    Proxy,
    /// The proxy passes a client's connection on.
    Client {
        /// The client's address.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
        /// Whether the client speaks TLS with the proxy. Version 1 cannot say so.
        tls: bool,
    },
}

/// The bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// They begin like neither version.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// Longer than any that makes sense.
    #[error("the PROXY header is longer than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// Not what the protocol says.
    #[error("the PROXY header has a bad {0}")]
    Bad(&'static str),
}

/// Reads the header that `bytes` begin with. None: it is not there as a whole yet. Else what it says, and its length.
///
/// # Errors
/// No more bytes would make it one.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Origin, usize)>, Malformed> {
    if begins(bytes, TEXT_BEGINS) {
        return decode_text(bytes);
    }
    if begins(bytes, BINARY_BEGINS) {
        return decode_binary(bytes);
    }
    Err(Malformed::Missing)
}

/// Whether they begin with it, as far as they go.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let len = bytes.len().min(with.len());
    bytes[..len] == with[..len]
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n`.
fn decode_text(bytes: &[u8]) -> Result<Option<(Origin, usize)>, Malformed> {
    let seen = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    let Some(at) = seen.iter().position(|byte| *byte == b'\n') else {
        return if seen.len() < TEXT_BYTES_MAX { Ok(None) } else { Err(Malformed::TooLong) };
    };
    let line = seen[..at].strip_suffix(b"\r").ok_or(Malformed::Bad("line end"))?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed::Bad("line"))?;
    let mut words = line.split(' ').skip(1);
    let origin = match words.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => Origin::Proxy,
        Some("TCP4") => client_in_text::<Ipv4Addr>(words)?,
        Some("TCP6") => client_in_text::<Ipv6Addr>(words)?,
        _ => return Err(Malformed::Bad("protocol")),
    };
    Ok(Some((origin, at + 1)))
}

fn client_in_text<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Result<Origin, Malformed> {
    let mut word = || words.next().unwrap_or_default();
    let address = |text: &str| text.parse::<A>().map(Into::into).map_err(|_| Malformed::Bad("address"));
    let (source, destination) = (address(word())?, address(word())?);
    let (source_port, destination_port) = (port(word())?, port(word())?);
    if words.next().is_some() {
        return Err(Malformed::Bad("end"));
    }
    Ok(Origin::Client {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        tls: false,
    })
}

/// A number without a sign and without zeros before it.
fn port(text: &str) -> Result<u16, Malformed> {
    let plain = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    plain.then(|| text.parse().ok()).flatten().ok_or(Malformed::Bad("port"))
}

/// Version 2: twelve bytes that nobody else begins with, and fields.
fn decode_binary(bytes: &[u8]) -> Result<Option<(Origin, usize)>, Malformed> {
    let Some(head) = bytes.first_chunk::<BINARY_HEAD_BYTES>() else { return Ok(None) };
    let [.., version, family, high, low] = *head;
    let len = BINARY_HEAD_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if len > HEADER_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    let command = match (version >> 4, version & 0xf) {
        (2, command @ (0 | 1)) => command,
        (2, _) => return Err(Malformed::Bad("command")),
        _ => return Err(Malformed::Bad("version")),
    };
    let Some(fields) = bytes.get(BINARY_HEAD_BYTES..len) else { return Ok(None) };
    let origin = match (command, family) {
        // Its own connection, whatever else it says.
        (0, _) => Origin::Proxy,
        // No family, or the sockets of one machine.
        (_, 0x00 | 0x31 | 0x32) => Origin::Proxy,
        (_, 0x11) => client_in_fields::<4>(fields)?,
        (_, 0x21) => client_in_fields::<16>(fields)?,
        _ => return Err(Malformed::Bad("family")),
    };
    Ok(Some((origin, len)))
}

fn client_in_fields<const N: usize>(fields: &[u8]) -> Result<Origin, Malformed>
where
    IpAddr: From<[u8; N]>,
{
    let short = Malformed::Bad("length");
    let (source, rest) = fields.split_first_chunk::<N>().ok_or(short)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (ports, extras) = rest.split_first_chunk::<4>().ok_or(short)?;
    let [a, b, c, d] = *ports;
    Ok(Origin::Client {
        source: SocketAddr::new((*source).into(), u16::from_be_bytes([a, b])),
        destination: SocketAddr::new((*destination).into(), u16::from_be_bytes([c, d])),
        tls: says_tls(extras),
    })
}

/// Whether the extras have one that tells of TLS between client and proxy. The others are skipped, and so is a broken one with all
/// that follows it: they say nothing of where the connection comes from.
fn says_tls(mut extras: &[u8]) -> bool {
    while let Some(([kind, high, low], rest)) = extras.split_first_chunk::<3>() {
        let Some((value, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
        else {
            return false;
        };
        if *kind == SSL_TLV {
            return value.first().is_some_and(|flags| flags & SSL_CLIENT != 0);
        }
        extras = rest;
    }
    false
}

#[cfg(test)]
mod tests;
