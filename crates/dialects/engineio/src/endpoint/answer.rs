//! Answers as HTTP has them.

use antiphon_net::content_encoding::{ContentEncoding, compress, negotiate};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::entry::Entry;
use super::slots::Answered;
use crate::encode::{self, Encoding, Wanted};
use crate::handshake::Refusal;
use crate::packet::Packet;
use crate::payload::{BINARY_TYPE, Body, JsonpIndex, SCRIPT_TYPE, TEXT_TYPE, jsonp_script};
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

async fn payload(entry: &Entry, form: Form, waiting: Vec<u8>) -> Response<Bytes> {
    let (kind, body) = match form.jsonp {
        Some(index) => match encode::body(entry.codec(), waiting, Wanted::Text) {
            Body::Text(text) => (SCRIPT_TYPE, Bytes::from(jsonp_script(index, &text))),
            Body::Binary(bytes) => (BINARY_TYPE, Bytes::from(bytes)),
        },
        None => match encode::body(entry.codec(), waiting, Wanted::Any) {
            Body::Text(text) => (TEXT_TYPE, Bytes::from(text)),
            Body::Binary(bytes) => (BINARY_TYPE, Bytes::from(bytes)),
        },
    };
    let settings = entry.shared().settings.http_compression;
    let may = entry.may_compress(body.len());
    let encoding = form.encoding.filter(|_| {
        may && settings.is_some_and(|compression| body.len() >= compression.threshold_bytes.max(1))
    });
    let (body, used) = match encoding {
        Some(encoding) => compress(encoding, body).await,
        None => (body, None),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if let Some(used) = used {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(used.as_str()));
    }
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
    response
}

/// An answer that is a status alone.
pub(super) fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
