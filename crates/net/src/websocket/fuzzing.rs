//! What the fuzz targets `websocket_decoder` and `websocket_handshake` run, and with them the tests that replay their corpora.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::{
    CloseCode, Decoder, DecoderSettings, DeflateSettings, Event, Inflater, Input, ProtocolError, Role,
    Upgrade,
};

/// What was decoded, in bytes of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnedEvent {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame.
    Close(Option<(CloseCode, String)>),
}

impl From<Event<'_>> for OwnedEvent {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(close) => Self::Close(close.map(|(code, reason)| (code, reason.to_owned()))),
        }
    }
}

/// All that a stream decodes to: events, and the violation that ended them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// In their order.
    pub events: Vec<OwnedEvent>,
    /// The violation, if there was one.
    pub error: Option<ProtocolError>,
}

/// Decodes `stream`, cut into pieces of the sizes of `chunks` in turn; no sizes, or a zero, take all that is left.
///
/// # Panics
/// If the decoder breaks its own promises: a bound on its memory, or silence after the end.
#[must_use]
pub fn decode(settings: DecoderSettings, stream: &[u8], chunks: &[usize]) -> Outcome {
    let mut decoder = Decoder::new(settings);
    let mut inflater = Inflater::new();
    let mut outcome = Outcome::default();
    let bytes_max = settings.message_bytes_max as usize;
    let buffered_max = bytes_max + bytes_max / 64 + 1024 + 125;
    let mut sizes = chunks.iter().copied().cycle();
    let mut received = 0;
    while received < stream.len() {
        let left = stream.len() - received;
        let size = sizes.next().filter(|&size| size > 0).map_or(left, |size| size.min(left));
        let mut read = stream[received..received + size].to_vec();
        received += size;
        let mut input = Input::new(&mut read);
        let ended = outcome.error.is_some() || matches!(outcome.events.last(), Some(OwnedEvent::Close(_)));
        loop {
            match decoder.next(&mut input, &mut inflater) {
                Ok(Some(event)) => {
                    assert!(!ended, "an event after the end: {event:?}");
                    outcome.events.push(event.into());
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!ended, "an error after the end: {error:?}");
                    outcome.error = Some(error);
                }
            }
        }
        assert!(input.remaining().is_empty(), "the input is used up");
        let buffered = decoder.buffered_bytes();
        assert!(buffered <= buffered_max, "{buffered} bytes are kept, {buffered_max} are allowed");
        assert!(buffered <= 2 * received, "{buffered} bytes are kept for {received} that came");
    }
    outcome
}

/// Decodes arbitrary bytes: the first chooses the settings, the second how many bytes with chunk sizes follow; the rest
/// is the stream.
///
/// # Panics
/// If the outcome depends on how the stream is cut, or exceeds the limits.
pub fn websocket_decoder(data: &[u8]) {
    let [choices, sizes, rest @ ..] = data else { return };
    let settings = DecoderSettings {
        role: if choices & 1 == 0 { Role::Server } else { Role::Client },
        deflate: choices & 2 != 0,
        message_bytes_max: [64, 1_000, 65_536, 1 << 20][usize::from(choices >> 2 & 3)],
    };
    let (sizes, stream) = rest.split_at(usize::from(sizes & 7).min(rest.len()));
    let sizes: Vec<usize> = sizes.iter().map(|&size| usize::from(size)).collect();

    let whole = decode(settings, stream, &[]);
    for event in &whole.events {
        let bytes = match event {
            OwnedEvent::Text(text) => text.len(),
            OwnedEvent::Binary(bytes) => bytes.len(),
            OwnedEvent::Ping(bytes) | OwnedEvent::Pong(bytes) => {
                assert!(bytes.len() <= 125);
                0
            }
            OwnedEvent::Close(_) => 0,
        };
        assert!(bytes <= settings.message_bytes_max as usize);
    }
    assert_eq!(whole, decode(settings, stream, &sizes), "cut into {sizes:?}");
    assert_eq!(whole, decode(settings, stream, &[1]), "byte by byte");
}

/// The headers of a request that asks for a WebSocket, a line each: `name: value`.
///
/// # Panics
/// If what is agreed on is not what was offered.
pub fn websocket_handshake(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(50) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let settings = DeflateSettings { enabled: true, ..DeflateSettings::default() };
    match Upgrade::from_request(&Method::GET, Version::HTTP_11, &headers, &settings) {
        Ok(Some(upgrade)) => {
            let answer = upgrade.response_headers(None);
            assert_eq!(answer.contains_key("sec-websocket-extensions"), upgrade.deflate.is_some());
            assert!(upgrade.deflate.is_none() || headers.contains_key("sec-websocket-extensions"));
        }
        Ok(None) => {}
        Err(bad) => assert!(bad.status().is_client_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(corpus);
        let entries = std::fs::read_dir(corpus).expect("the corpus is part of the repository");
        let paths = entries.map(|entry| entry.expect("a readable directory").path());
        paths.map(|path| target(&std::fs::read(path).expect("a readable file"))).count()
    }

    #[test]
    fn the_corpora_do_no_harm() {
        assert!(replay("websocket_decoder", super::websocket_decoder) > 0);
        assert!(replay("websocket_handshake", super::websocket_handshake) > 0);
    }
}
