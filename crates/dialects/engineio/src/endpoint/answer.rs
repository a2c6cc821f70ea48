//! Answers as HTTP has them.

use antiphon_net::content_encoding::{ContentEncoding, compress, negotiate};
use antiphon_net::problem::retry_after;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::entry::Entry;
use super::slots::Answered;
use crate::encode::{self, Encoding, Wanted};
use crate::handshake::Refusal;
use crate::packet::Packet;
use crate::payload::{BINARY_TYPE, Body, Codec, JsonpIndex, SCRIPT_TYPE, TEXT_TYPE, jsonp_script};
use crate::session::{Answer, Then};

/// What of a request decides how a poll is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The callback to answer with, if it is JSONP.
    pub(super) jsonp: Option<JsonpIndex>,
    /// What the client would have the answer compressed with.
    pub(super) encoding: Option<ContentEncoding>,
}

/// What answers are compressed with, the favourite first.
const ENCODINGS: [ContentEncoding; 2] = [ContentEncoding::Gzip, ContentEncoding::Deflate];

impl Form {
    pub(super) fn new(jsonp: Option<JsonpIndex>, headers: &HeaderMap) -> Form {
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok());
        Form { jsonp, encoding: negotiate(accepted, &ENCODINGS) }
    }
}

/// Writes the answer to a request of a session.
pub(super) async fn response(entry: &Entry, form: Form, answered: Answered) -> Response<Bytes> {
    let encoding = Encoding::Polling(entry.codec().poll_form());
    let mut waiting = BytesMut::new();
    let last = match answered {
        Answered::Alone(Answer::Taken) => return taken(),
        Answered::Alone(Answer::TooLarge) => return plain(StatusCode::PAYLOAD_TOO_LARGE),
        Answered::Alone(Answer::Refused(refusal)) => return refused(&refusal),
        Answered::Alone(Answer::Packet(packet)) => Some(packet),
        Answered::Queued(pieces, then) => {
            pieces.iter().for_each(|piece| waiting.extend_from_slice(piece));
            match then {
                Then::Close => Some(Packet::Close),
                Then::More if waiting.is_empty() => Some(Packet::Noop),
                Then::More => None,
            }
        }
    };
    let mut waiting = Vec::from(waiting);
    if let Some(last) = last {
        encode::packet_into(encoding, &last, &mut waiting);
    }
    payload(entry, form, waiting).await
}

/// The answer to the poll of a client that has left.
pub(super) fn farewell(codec: &Codec, form: Form) -> Response<Bytes> {
    let mut waiting = Vec::new();
    encode::packet_into(Encoding::Polling(codec.poll_form()), &Packet::Noop, &mut waiting);
    let (kind, body) = body(codec, form, waiting);
    packets(kind, body)
}

async fn payload(entry: &Entry, form: Form, waiting: Vec<u8>) -> Response<Bytes> {
    let (kind, body) = body(&entry.codec(), form, waiting);
    let settings = entry.shared().settings.http_compression;
    let may = entry.may_compress(body.len());
    let encoding = form.encoding.filter(|_| {
        may && settings.is_some_and(|compression| body.len() >= compression.threshold_bytes.max(1))
    });
    let (body, used) = match encoding {
        Some(encoding) => compress(encoding, body).await,
        None => (body, None),
    };
    let mut response = packets(kind, body);
    if let Some(used) = used {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(used.as_str()));
    }
    response
}

/// The body that packets make, and its type.
fn body(codec: &Codec, form: Form, waiting: Vec<u8>) -> (&'static str, Bytes) {
    let wanted = if form.jsonp.is_some() { Wanted::Text } else { Wanted::Any };
    match (encode::body(codec, waiting, wanted), form.jsonp) {
        (Body::Text(text), Some(index)) => (SCRIPT_TYPE, jsonp_script(index, &text).into()),
        (Body::Text(text), None) => (TEXT_TYPE, text.into()),
        (Body::Binary(bytes), _) => (BINARY_TYPE, bytes.into()),
    }
}

fn packets(kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

/// Of this type, as the reference answers: with others, some old browsers offer it as a download.
fn taken() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"ok"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer that tells the client why not.
pub(super) fn refused(refusal: &Refusal) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(refusal.body()));
    *response.status_mut() = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Refusal::MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(after) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, retry_after(after));
    }
    response
}

/// An answer that is a status alone.
pub(super) fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
