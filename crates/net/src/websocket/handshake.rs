//! The opening handshake, RFC 6455 section 4.2.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use sha1::{Digest as _, Sha1};

use super::extension::{self, is_token};
use super::{Deflate, DeflateSettings};

/// What section 1.3 appends to a key before it is hashed.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES: usize = 16;
/// Clients that write random characters as their key leave bits in the last one that belong to no byte.
const KEY_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A valid request for a WebSocket, and what of it is up to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upgrade {
    /// The answer to the client's key.
    accept: HeaderValue,
    /// The subprotocols that the client offers, its favourite first.
    pub subprotocols: Vec<String>,
    /// What is agreed on for compression; `None` is none.
    pub deflate: Option<Deflate>,
}

/// Why a request for a WebSocket is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadUpgrade {
    /// The method is not GET.
    #[error("a WebSocket is asked for with GET")]
    Method,
    /// The request is not HTTP/1.1.
    #[error("a WebSocket is asked for over HTTP/1.1")]
    HttpVersion,
    /// `Connection` does not name `Upgrade`.
    #[error("the Connection header must contain Upgrade; a proxy may have removed it")]
    Connection,
    /// There is no `Sec-WebSocket-Version`.
    #[error("the Sec-WebSocket-Version header is missing; send 13")]
    MissingVersion,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("only Sec-WebSocket-Version 13 is spoken here")]
    UnsupportedVersion,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64.
    #[error("the Sec-WebSocket-Key header must be there once, with 16 bytes in base64")]
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of tokens.
    #[error("the Sec-WebSocket-Protocol header must be a comma-separated list of tokens")]
    Subprotocols,
    /// `Sec-WebSocket-Extensions` does not follow its grammar.
    #[error("the Sec-WebSocket-Extensions header is malformed")]
    Extensions,
}

impl BadUpgrade {
    /// The status of the answer: 426 for another version of the protocol, 400 for all else.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UnsupportedVersion => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The headers that the answer has besides those of its body: the version we speak, where that is the trouble.
    #[must_use]
    pub fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self == Self::UnsupportedVersion {
            insert_upgrade(&mut headers);
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        headers
    }
}

impl Upgrade {
    /// Reads a request; `None` if it does not ask for a WebSocket.
    ///
    /// # Errors
    /// [`BadUpgrade`] if it asks for one, but wrongly: the client is to be answered, not served something else.
    pub fn from_request(
        method: &Method,
        version: Version,
        headers: &HeaderMap,
        settings: &DeflateSettings,
    ) -> Result<Option<Self>, BadUpgrade> {
        if !list_contains(headers, UPGRADE, "websocket") {
            return Ok(None);
        }
        if method != Method::GET {
            return Err(BadUpgrade::Method);
        }
        if version != Version::HTTP_11 {
            return Err(BadUpgrade::HttpVersion);
        }
        if !list_contains(headers, CONNECTION, "upgrade") {
            return Err(BadUpgrade::Connection);
        }
        check_version(headers)?;
        let accept = accept(key(headers)?);
        let subprotocols = subprotocols(headers)?;
        let deflate = match settings.enabled {
            true => extension::negotiate(headers).map_err(|_| BadUpgrade::Extensions)?,
            false => None,
        };
        Ok(Some(Self { accept, subprotocols, deflate }))
    }

    /// The client's favourite among the subprotocols that are `supported`. They are compared as they are written.
    #[must_use]
    pub fn select<'s>(&self, supported: &[&'s str]) -> Option<&'s str> {
        self.subprotocols
            .iter()
            .find_map(|offered| supported.iter().find(|name| **name == offered.as_str()).copied())
    }

    /// The headers of the 101 answer. A subprotocol that the client does not offer is left out, as it must be.
    #[must_use]
    pub fn response_headers(&self, subprotocol: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(5);
        insert_upgrade(&mut headers);
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(name) = subprotocol.filter(|name| self.subprotocols.iter().any(|offered| offered == name))
        {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, header_value(name));
        }
        if let Some(deflate) = self.deflate {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, header_value(&deflate.answer()));
        }
        headers
    }
}

fn insert_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("tokens and separators are visible ASCII")
}

/// Whether a comma-separated header has a member, upper or lower case.
pub(super) fn list_contains(headers: &HeaderMap, name: HeaderName, member: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| candidate.trim().eq_ignore_ascii_case(member))
}

fn check_version(headers: &HeaderMap) -> Result<(), BadUpgrade> {
    match headers.get(SEC_WEBSOCKET_VERSION) {
        None => Err(BadUpgrade::MissingVersion),
        Some(_) if headers.get_all(SEC_WEBSOCKET_VERSION).iter().all(|version| version == "13") => Ok(()),
        Some(_) => Err(BadUpgrade::UnsupportedVersion),
    }
}

fn key(headers: &HeaderMap) -> Result<&[u8], BadUpgrade> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(BadUpgrade::Key) };
    match KEY_ENCODING.decode(key) {
        Ok(decoded) if decoded.len() == KEY_BYTES => Ok(key.as_bytes()),
        _ => Err(BadUpgrade::Key),
    }
}

/// The answer to a key, section 4.2.2: the hash of it and a constant.
pub(super) fn accept(key: &[u8]) -> HeaderValue {
    let hash = Sha1::new().chain_update(key).chain_update(ACCEPT_SUFFIX).finalize();
    header_value(&STANDARD.encode(hash))
}

fn subprotocols(headers: &HeaderMap) -> Result<Vec<String>, BadUpgrade> {
    let mut offered = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| BadUpgrade::Subprotocols)?;
        for name in value.split(',').map(str::trim) {
            if !is_token(name) {
                return Err(BadUpgrade::Subprotocols);
            }
            offered.push(name.to_owned());
        }
    }
    Ok(offered)
}

#[cfg(test)]
mod tests;
