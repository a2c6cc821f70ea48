use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

/// Whatever a program's bodies fail with.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body on its way to a worker.
pub(super) type SentBody = UnsyncBoxBody<Bytes, BoxError>;

/// Makes one kind of body of all.
pub(super) fn sent<B>(body: B) -> SentBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}
