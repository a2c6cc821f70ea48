use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_engineio::{self as engineio, Headers};
use antiphon_model::{RawJson, Timestamp};
use serde::de::DeserializeOwned;

/// What a client said when it connected to a namespace.
#[derive(Clone, Debug)]
pub struct Handshake {
    engine: Arc<engineio::Handshake>,
    auth: Option<RawJson>,
}

impl Handshake {
    pub(crate) fn new(engine: Arc<engineio::Handshake>, auth: Option<RawJson>) -> Handshake {
        Handshake { engine, auth }
    }

    /// What its connection began with, shared by all namespaces of the client.
    pub fn engine(&self) -> &Arc<engineio::Handshake> {
        &self.engine
    }

    /// The headers of the connection's first request.
    pub fn headers(&self) -> &Headers {
        &self.engine.headers
    }

    /// A header of the connection's first request, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)
    }

    /// The path and query of the connection's first request.
    pub fn url(&self) -> &str {
        &self.engine.target
    }

    /// The query of the connection's first request, without the `?`, as it was written.
    pub fn query(&self) -> &str {
        self.engine.query()
    }

    /// The last parameter of a name in the query, decoded.
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.engine.parameter(name)
    }

    /// What the client authenticates with: a JSON object. Of clients of protocol version 4 it is the query that they put into
    /// the namespace.
    pub fn auth(&self) -> Option<&RawJson> {
        self.auth.as_ref()
    }

    /// What the client authenticates with as a value; an empty object if it gave nothing.
    ///
    /// # Errors
    /// It is no such value.
    pub fn auth_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.auth.as_ref().map_or("{}", RawJson::as_str))
    }

    /// The client's address.
    pub fn address(&self) -> SocketAddr {
        self.engine.peer.address
    }

    /// When its connection began.
    pub fn issued(&self) -> Timestamp {
        self.engine.issued
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.engine.peer.tls
    }

    /// Whether a browser says that the page is another site's.
    pub fn is_cross_domain(&self) -> bool {
        self.engine.is_cross_origin()
    }
}

/// The parameters of a query, decoded.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// A plus is a space, and what is no UTF-8 is shown as such.
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let read: Vec<_> = parameters("token=a%20b+c&&x&y=1=2&%C3%A9=%ff").collect();
        let expected = [("token", "a b c"), ("x", ""), ("y", "1=2"), ("é", "\u{fffd}")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
