use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;

/// Why the body of a request is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFailed {
    /// It is longer than may be.
    TooLarge,
    /// It broke off.
    Broken,
}

/// How much of a body that nobody wants is read all the same.
const DISCARDED_BYTES_MAX: usize = 16 << 20;
/// How long that may take.
const DISCARDING_MAX: Duration = Duration::from_secs(5);

/// Reads a body of up to so many bytes.
///
/// One that is longer is read on, up to a limit, for nothing: a connection that is closed with bytes unread is reset, and then a
/// client that writes its whole request before it reads never sees the answer.
pub(super) async fn read<B: Body>(body: B, bytes_max: usize) -> Result<Bytes, BodyFailed> {
    let mut body = pin!(body);
    if body.size_hint().lower() > bytes_max as u64 {
        discard(body).await;
        return Err(BodyFailed::TooLarge);
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| BodyFailed::Broken)?.into_data() else { continue };
        if first.len() + all.len() + data.remaining() > bytes_max {
            drop(data);
            discard(body).await;
            return Err(BodyFailed::TooLarge);
        }
        let data = data.copy_to_bytes(data.remaining());
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

/// Reads a body for nothing, if it is not too much and comes soon.
pub(super) async fn discard(body: impl Body) {
    if body.is_end_stream() || body.size_hint().lower() > DISCARDED_BYTES_MAX as u64 {
        return;
    }
    let mut body = pin!(body);
    let all = async {
        let mut left = DISCARDED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, |data| data.remaining());
            match left.checked_sub(bytes) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // Whether it was all or not: the request is answered now.
    let _ = tokio::time::timeout(DISCARDING_MAX, all).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};

    #[tokio::test]
    async fn bodies_are_read_up_to_the_limit() {
        let body = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes()));
        assert_eq!(read(body("1234"), 4).await, Ok(Bytes::from_static(b"1234")));
        assert_eq!(read(body("12345"), 4).await, Err(BodyFailed::TooLarge));
        assert_eq!(read(body(""), 4).await, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn bodies_in_pieces_are_put_together() {
        let pieces = |pieces: &[&'static str]| {
            let frames: Vec<_> =
                pieces.iter().map(|piece| Ok::<_, ()>(http_body::Frame::data(Bytes::from(*piece)))).collect();
            StreamBody::new(futures_util::stream::iter(frames))
        };
        assert_eq!(read(pieces(&["12", "3", "4"]), 4).await, Ok(Bytes::from_static(b"1234")));
        assert_eq!(read(pieces(&["12", "3", "45"]), 4).await, Err(BodyFailed::TooLarge));
        let broken = StreamBody::new(futures_util::stream::iter([
            Ok(http_body::Frame::data(Bytes::from("12"))),
            Err("gone"),
        ]));
        assert_eq!(read(broken, 4).await, Err(BodyFailed::Broken));
    }
}
