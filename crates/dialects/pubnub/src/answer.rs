//! Answers: mostly JSON, all there at once; some files are not.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;

use crate::wire::error::Refusal;

/// An answer, or why there is none.
pub(crate) type Answer = Result<Response<AnswerBody>, Refusal>;

/// The body of an answer.
pub struct AnswerBody(Content);

enum Content {
    Full(Option<Bytes>),
    Stream(Boxed),
}

type Failure = Box<dyn Error + Send + Sync>;
type Boxed = Pin<Box<dyn Body<Data = Bytes, Error = Failure>>>;

/// Answers with a value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Answer {
    // What is answered is made of strings, numbers and maps of strings.
    Ok(written(serde_json::to_vec(value).unwrap_or_default()))
}

/// Answers with JSON that is written already.
pub(crate) fn written(json: impl Into<Bytes>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(json.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl AnswerBody {
    /// A body that comes piece by piece.
    pub(crate) fn stream(body: impl Body<Data = Bytes, Error = Failure> + 'static) -> AnswerBody {
        AnswerBody(Content::Stream(Box::pin(body)))
    }

    /// Drops it, and says how long it was if it was all there: for answers to `HEAD`.
    pub(crate) fn empty(&mut self) -> Option<usize> {
        match std::mem::replace(&mut self.0, Content::Full(None)) {
            Content::Full(bytes) => Some(bytes.map_or(0, |bytes| bytes.len())),
            Content::Stream(body) => body.size_hint().exact().and_then(|bytes| bytes.try_into().ok()),
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> AnswerBody {
        AnswerBody(Content::Full(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut self.0 {
            Content::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Full(bytes) => bytes.is_none(),
            Content::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Content::Stream(body) => body.size_hint(),
        }
    }
}
