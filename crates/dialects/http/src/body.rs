use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use antiphon_net::StreamBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of an answer: all at once, or for as long as the client listens.
pub struct AnswerBody(Content);

enum Content {
    Full(Option<Bytes>),
    Stream(StreamBody),
}

impl AnswerBody {
    pub(crate) fn stream(body: StreamBody) -> AnswerBody {
        AnswerBody(Content::Stream(body))
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Content::Stream(_))
    }

    /// Takes the bytes out of a body that is all there. None for a stream.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Content::Full(bytes) => Some(bytes.take().unwrap_or_default()),
            Content::Stream(_) => None,
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
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(body) => Pin::new(body).poll_frame(cx),
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
