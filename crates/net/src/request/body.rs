use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::problem::{Problem, ProblemKind};

/// How much of a body that nobody wants is read all the same.
const DISCARDED_BYTES_MAX: u64 = 16 << 20;

/// The body of a request: read once up to a limit, and what is left of it then discarded.
pub struct RequestBody<B = Incoming> {
    body: B,
    progress: Progress,
    /// For all of it, wanted or not.
    deadline: Instant,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The client sends it when it is asked to: when it is read from (RFC 9110, 10.1.1).
    HeldBack,
    Coming,
    Ended,
}

/// Whether the connection can be used for another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It can.
    Read,
    /// It has to be closed: bytes of this request are still to come.
    Unread,
}

impl<B> RequestBody<B>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    /// The body that belongs to this head, which has `timeout` from now on to arrive.
    pub fn new(head: &Parts, body: B, timeout: Duration) -> RequestBody<B> {
        let expects =
            head.headers.get(EXPECT).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let progress = match body.is_end_stream() {
            true => Progress::Ended,
            // Before HTTP/1.1 nobody is asked.
            false if expects && head.version > http::Version::HTTP_10 => Progress::HeldBack,
            false => Progress::Coming,
        };
        RequestBody { body, progress, deadline: Instant::now() + timeout, timeout }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// It is longer than `bytes_max` (which is noticed before all of it is read, or any if its length was announced),
    /// takes too long, or breaks off.
    pub async fn read(&mut self, bytes_max: usize) -> Result<Bytes, Problem> {
        if self.body.size_hint().lower() > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        match timeout_at(self.deadline, self.collect(bytes_max)).await {
            Ok(result) => result,
            Err(_) => Err(self.too_late()),
        }
    }

    /// Gives it this long from now on to arrive, instead of what it had.
    pub fn allow(&mut self, timeout: Duration) {
        (self.deadline, self.timeout) = (Instant::now() + timeout, timeout);
    }

    /// Reads the next piece of it; none at its end. How long all of it is, is for the caller to watch.
    ///
    /// # Errors
    /// It takes too long, or breaks off.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        match timeout_at(self.deadline, self.next()).await {
            Ok(result) => result,
            Err(_) => Err(self.too_late()),
        }
    }

    fn too_late(&self) -> Problem {
        let secs = self.timeout.as_secs();
        Problem::new(ProblemKind::BodyTimeout, format!("the body has to arrive within {secs} s"))
    }

    async fn collect(&mut self, bytes_max: usize) -> Result<Bytes, Problem> {
        let mut all = Vec::new();
        while let Some(data) = self.next().await? {
            if all.len() + data.len() > bytes_max {
                return Err(too_large(bytes_max));
            }
            // Copied, although most bodies come in one piece: what is kept of it, perhaps for long, would keep all of the buffer that
            // the connection was read into.
            if all.is_empty() {
                all.reserve_exact(data.len());
            }
            all.extend_from_slice(&data);
        }
        all.shrink_to_fit();
        Ok(all.into())
    }

    /// Reads what is left of it for nothing, before the request is answered: a connection that is closed with bytes
    /// unread is reset, and then a client that writes its whole request before it reads never sees the answer.
    ///
    /// What is held back, is too much, or comes too late stays unread.
    pub async fn discard(&mut self) -> Rest {
        match self.progress {
            Progress::Ended => return Rest::Read,
            Progress::HeldBack => return Rest::Unread,
            Progress::Coming => {}
        }
        let mut left = DISCARDED_BYTES_MAX;
        if self.body.size_hint().lower() > left {
            return Rest::Unread;
        }
        let discarded = timeout_at(self.deadline, async {
            while let Ok(Some(data)) = self.next().await {
                match left.checked_sub(data.len() as u64) {
                    Some(less) => left = less,
                    None => return Rest::Unread,
                }
            }
            Rest::Read
        });
        discarded.await.unwrap_or(Rest::Unread)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.progress == Progress::Ended {
            return Ok(None);
        }
        self.progress = Progress::Coming;
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| {
                self.progress = Progress::Ended;
                Problem::new(ProblemKind::InvalidBody, format!("the body could not be read: {error}"))
            })?;
            // Trailers say nothing here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        self.progress = Progress::Ended;
        Ok(None)
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(ProblemKind::TooLarge, format!("the body has at most {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    fn request<B>(expect: Option<&'static str>, body: B) -> RequestBody<B>
    where
        B: Body<Data = Bytes, Error: Display> + Unpin,
    {
        let mut request = http::Request::new(());
        request.headers_mut().extend(expect.map(|it| (EXPECT, http::HeaderValue::from_static(it))));
        RequestBody::new(&request.into_parts().0, body, Duration::from_secs(60))
    }

    /// A body of these pieces that does not announce its length; where none is, it breaks off.
    struct Pieces(VecDeque<Option<Bytes>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.pop_front().map(|piece| piece.map(Frame::data).ok_or("reset")))
        }
    }

    fn pieces<const N: usize>(pieces: [Option<&'static str>; N]) -> RequestBody<Pieces> {
        request(None, Pieces(pieces.into_iter().map(|piece| piece.map(Bytes::from)).collect()))
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_the_limit() {
        assert_eq!(pieces([Some("ab"), Some(""), Some("cde")]).read(5).await.unwrap(), "abcde");
        assert_eq!(pieces([]).read(5).await.unwrap(), "");
        let too_large = pieces([Some("abc"), Some("def"), None]).read(5).await.unwrap_err();
        assert_eq!(too_large.status(), 413);
        let mut broken = pieces([Some("abc"), None]);
        assert_eq!(broken.read(5).await.unwrap_err().status(), 400);
        assert_eq!(broken.discard().await, Rest::Read);
        let announced = request(None, Full::new(Bytes::from_static(b"abcdef"))).read(5).await.unwrap_err();
        assert_eq!(announced.status(), 413);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_read_piece_by_piece() {
        let mut body = pieces([Some("ab"), Some("c"), None]);
        assert_eq!(body.piece().await.unwrap().unwrap(), "ab");
        assert_eq!(body.piece().await.unwrap().unwrap(), "c");
        assert_eq!(body.piece().await.unwrap_err().status(), 400);
        assert_eq!(body.piece().await.unwrap(), None);
        let begun = Instant::now();
        let mut endless = request(None, StreamBody::new(Never));
        endless.allow(Duration::from_secs(5));
        assert_eq!(endless.piece().await.unwrap_err().status(), 408);
        assert_eq!(begun.elapsed().as_secs(), 5);
    }

    #[tokio::test]
    async fn what_is_left_is_discarded() {
        let mut long = pieces([Some("abc"), Some("def"), Some("ghi")]);
        assert_eq!(long.read(5).await.unwrap_err().status(), 413);
        assert_eq!(long.discard().await, Rest::Read);
        assert!(long.body.0.is_empty());
        let mut announced = request(None, Full::new(Bytes::from_static(b"abcdef")));
        assert_eq!(announced.read(5).await.unwrap_err().status(), 413);
        assert_eq!(announced.discard().await, Rest::Read);
        assert!(announced.body.is_end_stream());
    }

    #[tokio::test]
    async fn only_so_much_is_discarded() {
        let piece = Bytes::from(vec![0; 1 << 20]);
        for (count, expected) in [(16, Rest::Read), (17, Rest::Unread)] {
            let mut body = request(None, Pieces(vec![Some(piece.clone()); count].into()));
            assert_eq!(body.discard().await, expected, "{count} MiB");
        }
        let mut announced = request(None, Full::new(Bytes::from(vec![0; (16 << 20) + 1])));
        assert_eq!(announced.discard().await, Rest::Unread);
        assert!(!announced.body.is_end_stream(), "none of it is read");
    }

    #[tokio::test]
    async fn what_is_held_back_is_asked_for_only_if_it_is_wanted() {
        let body = || Full::new(Bytes::from_static(b"abcdef"));
        for (expect, expected) in
            [(Some("100-Continue"), Rest::Unread), (Some("wonders"), Rest::Read), (None, Rest::Read)]
        {
            let mut held = request(expect, body());
            assert_eq!(held.read(5).await.unwrap_err().status(), 413);
            assert_eq!(held.discard().await, expected, "{expect:?}");
        }
        let mut wanted = request(Some("100-continue"), body());
        assert_eq!(wanted.read(6).await.unwrap(), "abcdef");
        assert_eq!(wanted.discard().await, Rest::Read);
        let mut empty = request(Some("100-continue"), Full::new(Bytes::new()));
        assert_eq!(empty.discard().await, Rest::Read);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up_in_time() {
        let begun = Instant::now();
        let mut endless = request(None, StreamBody::new(Never));
        assert_eq!(endless.read(5).await.unwrap_err().status(), 408);
        assert_eq!(endless.discard().await, Rest::Unread);
        assert_eq!(request(None, StreamBody::new(Never)).discard().await, Rest::Unread);
        assert_eq!(begun.elapsed().as_secs(), 120, "a minute for each, however often it is read");
    }

    struct Never;

    impl futures_util::Stream for Never {
        type Item = Result<Frame<Bytes>, Infallible>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }
}
