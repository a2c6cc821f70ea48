//! The negotiation of permessage-deflate, RFC 6455 section 9.1 and RFC 7692 section 7.1.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use schemars::JsonSchema;
use serde::Deserialize;

use super::WindowBits;

pub(super) const NAME: &str = "permessage-deflate";
pub(super) const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// Whether and what WebSocket messages are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeflateSettings {
    /// Compress messages for clients that offer permessage-deflate. Default: false.
    ///
    /// Each message is compressed once for all its subscribers, and a connection costs no memory for it; each message
    /// that a client sends compressed costs the time to inflate it.
    pub enabled: bool,
    /// Send messages of fewer bytes than this as they are. Default: 256.
    pub threshold_bytes: usize,
}

impl Default for DeflateSettings {
    fn default() -> Self {
        Self { enabled: false, threshold_bytes: 256 }
    }
}

/// What was agreed on for permessage-deflate.
///
/// Besides, neither side carries its context over: our frames are shared by connections, and a client's messages are
/// inflated by one inflater for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deflate {
    /// The window for frames to this client.
    pub window_bits: WindowBits,
    /// The client limited it, and the answer has to repeat the limit.
    pub(super) window_bits_asked: bool,
}

impl Deflate {
    /// The value of `Sec-WebSocket-Extensions` in the 101.
    pub(super) fn answer(self) -> String {
        let mut answer = format!("{NAME}; {SERVER_NO_CONTEXT_TAKEOVER}; {CLIENT_NO_CONTEXT_TAKEOVER}");
        if self.window_bits_asked {
            write!(answer, "; {SERVER_MAX_WINDOW_BITS}={}", self.window_bits.value())
                .expect("a string takes what is written");
        }
        answer
    }

    /// Takes up an offer; `None` if it asks for what we cannot do or is not a valid offer.
    fn accept(offer: &Extension<'_>) -> Option<Self> {
        if offer.name != NAME {
            return None;
        }
        let mut accepted = Self { window_bits: WindowBits::MAX, window_bits_asked: false };
        for (index, (name, value)) in offer.parameters.iter().enumerate() {
            if offer.parameters[..index].iter().any(|(earlier, _)| earlier == name) {
                return None;
            }
            match (*name, value) {
                (SERVER_NO_CONTEXT_TAKEOVER | CLIENT_NO_CONTEXT_TAKEOVER, None) => {}
                (SERVER_MAX_WINDOW_BITS, Some(bits)) => {
                    accepted.window_bits = WindowBits::new(parse_window_bits(bits)?)?;
                    accepted.window_bits_asked = true;
                }
                // Only says what the client could do: the inflater takes any window.
                (CLIENT_MAX_WINDOW_BITS, None) => {}
                (CLIENT_MAX_WINDOW_BITS, Some(bits)) => {
                    parse_window_bits(bits)?;
                }
                _ => return None,
            }
        }
        Some(accepted)
    }
}

/// Chooses the first offer of permessage-deflate that can be taken up.
///
/// # Errors
/// If the header does not follow the grammar.
pub(super) fn negotiate(headers: &HeaderMap) -> Result<Option<Deflate>, Malformed> {
    let extensions = parse(headers)?;
    Ok(extensions.iter().find_map(Deflate::accept))
}

/// 8 to 15 in decimal without leading zeros.
fn parse_window_bits(value: &str) -> Option<u8> {
    let plain = !value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit());
    let bits = value.parse().ok()?;
    (plain && (8..=15).contains(&bits)).then_some(bits)
}

/// The header does not follow the grammar of RFC 6455 section 9.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// An extension with its parameters, as offered or answered.
#[derive(Debug)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a str,
    pub(super) parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// Reads all `Sec-WebSocket-Extensions` headers as one list.
pub(super) fn parse(headers: &HeaderMap) -> Result<Vec<Extension<'_>>, Malformed> {
    let mut extensions = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let mut reader = Reader { rest: value.to_str().map_err(|_| Malformed)? };
        while !reader.at_end() {
            // Lists may have empty members, RFC 9110 section 5.6.1.
            if !reader.eat(',') {
                extensions.push(reader.extension()?);
                if !reader.at_end() && !reader.eat(',') {
                    return Err(Malformed);
                }
            }
        }
    }
    Ok(extensions)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn extension(&mut self) -> Result<Extension<'a>, Malformed> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.eat(';') {
            let parameter = self.token()?;
            let value = if self.eat('=') { Some(self.value()?) } else { None };
            parameters.push((parameter, value));
        }
        Ok(Extension { name, parameters })
    }

    fn at_end(&mut self) -> bool {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        self.rest.is_empty()
    }

    fn eat(&mut self, separator: char) -> bool {
        if self.at_end() {
            return false;
        }
        match self.rest.strip_prefix(separator) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        if self.at_end() {
            return Err(Malformed);
        }
        let end = self.rest.find(|c| !is_token_char(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// A token, or a quoted string of which the content is a token.
    fn value(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if !self.eat('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut content = String::new();
        let mut characters = self.rest.char_indices();
        loop {
            match characters.next().ok_or(Malformed)? {
                (end, '"') => {
                    self.rest = &self.rest[end + 1..];
                    break;
                }
                (_, '\\') => content.push(characters.next().ok_or(Malformed)?.1),
                (_, character) => content.push(character),
            }
        }
        if is_token(&content) { Ok(Cow::Owned(content)) } else { Err(Malformed) }
    }
}

/// A `token` of RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

fn is_token_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn negotiated(offers: &[&'static str]) -> Result<Option<String>, Malformed> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offer));
        }
        negotiate(&headers).map(|deflate| deflate.map(Deflate::answer))
    }

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn offers_are_answered() {
        for (offer, parameters) in [
            ("permessage-deflate", Some("")),
            ("permessage-deflate; client_max_window_bits", Some("")),
            ("permessage-deflate ; client_max_window_bits=8 ; server_no_context_takeover", Some("")),
            ("permessage-deflate;client_no_context_takeover", Some("")),
            ("permessage-deflate; server_max_window_bits=15", Some("; server_max_window_bits=15")),
            ("permessage-deflate; server_max_window_bits=9", Some("; server_max_window_bits=9")),
            (r#"permessage-deflate; server_max_window_bits="1\0""#, Some("; server_max_window_bits=10")),
            ("x-webkit-deflate-frame, permessage-deflate", Some("")),
            (", permessage-deflate,,", Some("")),
            // Window bits 8 is declined, and the next offer is taken.
            ("permessage-deflate; server_max_window_bits=8", None),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=11",
                Some("; server_max_window_bits=11"),
            ),
            // Invalid parameters.
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=7", None),
            ("permessage-deflate; server_max_window_bits=09", None),
            ("permessage-deflate; server_max_window_bits=+9", None),
            ("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", None),
            ("permessage-deflate; client_max_window_bits=99999", None),
            ("permessage-deflate; server_no_context_takeover=1", None),
            ("permessage-deflate; client_no_context_takeover=true, permessage-deflate", Some("")),
            ("permessage-deflate; unheard_of", None),
            ("permessage-bzip2", None),
            ("", None),
        ] {
            let expected = parameters.map(|parameters| format!("{PLAIN}{parameters}"));
            assert_eq!(negotiated(&[offer]), Ok(expected), "{offer}");
        }
    }

    #[test]
    fn headers_make_one_list() {
        let offers = ["permessage-deflate; server_max_window_bits=8", "permessage-deflate"];
        assert_eq!(negotiated(&offers), Ok(Some(PLAIN.to_owned())));
    }

    #[test]
    fn what_breaks_the_grammar_is_malformed() {
        for header in [
            "permessage-deflate;",
            "permessage-deflate; =9",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; server_max_window_bits=\"\"",
            "permessage-deflate; server_max_window_bits=\"9 \"",
            "permessage-deflate server_max_window_bits",
            "perm/essage",
            "; a",
            "a = b",
            "\"permessage-deflate\"",
        ] {
            assert_eq!(negotiated(&[header]), Err(Malformed), "{header}");
        }
    }
}
