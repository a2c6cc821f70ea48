use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_net::StreamBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::wire::problem::{Problem, ProblemKind};

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

/// How much of a request's body is read, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes_max: usize,
    pub(crate) timeout: Duration,
}

/// Reads a request's body.
///
/// # Errors
/// It is longer than the limit (which is noticed before all of it is read, or any if its length was announced), takes too
/// long, or breaks off.
pub(crate) async fn read<B>(body: B, limits: BodyLimits) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    let announced = body.size_hint().lower();
    if announced > limits.bytes_max as u64 {
        return Err(too_large(limits.bytes_max));
    }
    match tokio::time::timeout(limits.timeout, collect(body, limits.bytes_max)).await {
        Ok(result) => result,
        Err(_) => {
            let secs = limits.timeout.as_secs();
            Err(Problem::new(ProblemKind::BodyTimeout, format!("the body has to arrive within {secs} s")))
        }
    }
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(ProblemKind::InvalidBody, format!("the body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        if first.is_empty() && all.is_empty() {
            // Most bodies come in one piece, which need not be copied.
            first = data;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(ProblemKind::TooLarge, format!("the body has at most {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use std::collections::VecDeque;

    fn limits(bytes_max: usize) -> BodyLimits {
        BodyLimits { bytes_max, timeout: Duration::from_secs(60) }
    }

    /// A body of these pieces that does not announce its length; none breaks off.
    struct Pieces(VecDeque<Option<&'static str>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.pop_front().map(|piece| match piece {
                Some(piece) => Ok(Frame::data(piece.into())),
                None => Err("reset"),
            }))
        }
    }

    fn pieces<const N: usize>(pieces: [Option<&'static str>; N]) -> Pieces {
        Pieces(pieces.into())
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_the_limit() {
        let read_pieces = |body, max| read(body, limits(max));
        assert_eq!(read_pieces(pieces([Some("ab"), Some(""), Some("cde")]), 5).await.unwrap(), "abcde");
        assert_eq!(read_pieces(pieces([]), 5).await.unwrap(), "");
        let too_large = read_pieces(pieces([Some("abc"), Some("def"), None]), 5).await.unwrap_err();
        assert_eq!(too_large.status(), 413);
        let broken = read_pieces(pieces([Some("abc"), None]), 5).await.unwrap_err();
        assert_eq!(broken.status(), 400);
        let announced = read(Full::new(Bytes::from_static(b"abcdef")), limits(5)).await.unwrap_err();
        assert_eq!(announced.status(), 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = StreamBody::new(Never);
        let problem = read(endless, limits(5)).await.unwrap_err();
        assert_eq!(problem.status(), 408);
    }

    struct Never;

    impl futures_util::Stream for Never {
        type Item = Result<Frame<Bytes>, Infallible>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }
}
