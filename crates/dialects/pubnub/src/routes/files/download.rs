//! The way to a file: by a redirect to an address that is good for a while.

use std::fs::File;
use std::future::Future as _;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use antiphon_access::pam::Bits;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::{find, not_found, opened, record, unavailable, url};
use crate::answer::{Answer, AnswerBody};
use crate::files::{FileId, Record, Use};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::files::{Asked, disposition, names_tag, range, served_type};

/// How many bytes are read at once.
const READ_BYTES: u64 = 128 << 10;

/// `GET /v1/files/{sub}/channels/{channel}/files/{id}/{name}`
pub(in crate::routes) async fn redirect(request: Request) -> Answer {
    request.may_on([request.path.of("channel")], Bits::READ)?;
    let files = opened(&request.shared)?;
    let (id, record) = find(&request).await?;
    let url = url(&request, files, Use::Download, id, &record.name)?;
    let mut response = Response::new(AnswerBody::from(Bytes::new()));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, value(&url)?);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /v1/files/{sub}/download/{ticket}`
///
/// The ticket permits it; nothing else is asked of the client.
pub(in crate::routes) async fn serve(request: Request) -> Answer {
    let files = opened(&request.shared)?;
    let now = request.worker.now().wall;
    let (text, sub) = (request.path.of("ticket"), &*request.keyset.subscribe_key);
    let forbidden = |error: crate::files::BadTicket| Refusal::new(StatusCode::FORBIDDEN, error.to_string());
    let ticket = files.tickets.read(text, Use::Download, sub, now).map_err(forbidden)?;
    let id = ticket.file().map_err(forbidden)?;
    // Asked each time: a file that was deleted is gone at once.
    let record = record(&request, &ticket.channel, id).await?;
    let disk = files.disk.clone();
    let expires = record.expires;
    let (file, size) = match tokio::task::spawn_blocking(move || disk.read(id, expires)).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(not_found()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a file cannot be read");
            return Err(unavailable());
        }
        Err(_) => return Err(unavailable()),
    };
    answer(&request.head.method, &request.head.headers, &Found { id, record, size }, file)
}

struct Found {
    id: FileId,
    record: Record,
    size: u64,
}

impl Found {
    /// What an id stands for does not change, unless it is deleted and uploaded anew.
    fn tag(&self) -> String {
        format!("\"{}-{:x}\"", self.id, self.record.created.0)
    }
}

fn answer(method: &Method, asked: &HeaderMap, found: &Found, file: File) -> Answer {
    let (tag, size) = (found.tag(), found.size);
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let mut response = Response::new(AnswerBody::from(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(ETAG, value(&tag)?);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    if text(IF_NONE_MATCH).is_some_and(|tags| names_tag(tags, &tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let is_same = text(IF_RANGE).is_none_or(|other| other.trim() == tag);
    let part =
        match text(RANGE).filter(|_| is_same && *method == Method::GET).map(|header| range(header, size)) {
            None | Some(Asked::All) => 0..size,
            Some(Asked::Part(part)) => {
                headers
                    .insert(CONTENT_RANGE, value(&format!("bytes {}-{}/{size}", part.start, part.end - 1))?);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                part
            }
            Some(Asked::Unsatisfiable) => {
                headers.insert(CONTENT_RANGE, value(&format!("bytes */{size}"))?);
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                return Ok(response);
            }
        };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(served_type(found.record.content_type.as_deref())));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    headers.insert(CONTENT_DISPOSITION, value(&disposition(&found.record.name))?);
    // Whoever opens it all the same sees nothing run.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    *response.body_mut() = AnswerBody::stream(FileBody::new(file, part));
    Ok(response)
}

fn value(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| unavailable())
}

/// A part of a file, read piece by piece on another thread: as it is sent, and no faster.
struct FileBody {
    left: Range<u64>,
    state: State,
}

enum State {
    Idle(File),
    Reading(JoinHandle<io::Result<(File, Vec<u8>)>>),
    Over,
}

impl FileBody {
    fn new(file: File, part: Range<u64>) -> FileBody {
        FileBody { left: part, state: State::Idle(file) }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Idle(file) if !self.left.is_empty() => {
                    let at = self.left.start;
                    let bytes = READ_BYTES.min(self.left.end - at);
                    self.state = State::Reading(tokio::task::spawn_blocking(move || read(file, at, bytes)));
                }
                State::Reading(mut reading) => {
                    let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    let (file, bytes) = read.map_err(io::Error::other)??;
                    self.left.start += bytes.len() as u64;
                    self.state = State::Idle(file);
                    return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
                }
                State::Idle(_) | State::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}

fn read(mut file: File, at: u64, bytes: u64) -> io::Result<(File, Vec<u8>)> {
    file.seek(SeekFrom::Start(at))?;
    let mut piece = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    file.read_exact(&mut piece)?;
    Ok((file, piece))
}
