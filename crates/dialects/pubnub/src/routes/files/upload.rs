//! A form whose last part is a file: written to the disk as it comes.

use std::sync::Arc;

use antiphon_model::{OrgId, Timestamp};
use antiphon_net::request::{RequestBody, Rest};
use antiphon_node::{Overloaded, StoreError};
use antiphon_store::Store;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::sync::oneshot;

use super::opened;
use crate::PubNubSettings;
use crate::answer::{Answer, AnswerBody};
use crate::files::{BadTicket, COLLECTION, CannotKeep, Incoming, Record, Use, expires, key};
use crate::request::Unread;
use crate::wire::files::{is_content_type, upload_error};

/// How many bytes a form may have besides the file.
const FORM_BYTES_MAX: u64 = 64 << 10;

/// How many bytes are written at once.
const WRITTEN_BYTES: usize = 256 << 10;

/// `POST /v1/files/{sub}/upload/{ticket}`
///
/// The ticket permits it; nothing else is asked of the client.
pub(in crate::routes) async fn upload(mut request: Unread) -> (Answer, Rest) {
    let answer = match opened(&request.shared) {
        Ok(_) => {
            Ok(receive(&mut request).await.map_or_else(|refused| refused.into_response(), |()| no_content()))
        }
        Err(refusal) => Err(refusal),
    };
    (answer, request.body.discard().await)
}

/// Why an upload is refused, in the words of the service that clients believe to speak to.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Ticket(#[from] BadTicket),
    #[error("{0}")]
    Form(String),
    #[error(transparent)]
    Disk(#[from] CannotKeep),
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    #[error("The file cannot be kept.")]
    Unavailable,
}

async fn receive(request: &mut Unread) -> Result<(), Refused> {
    let shared = Arc::clone(&request.shared);
    let settings = &shared.settings;
    let files = shared.files.opened().ok_or(Refused::Unavailable)?;
    request.worker.node().overload().check()?;
    let now = request.worker.now().wall;
    let ticket =
        files.tickets.read(request.path.of("ticket"), Use::Upload, &request.keyset.subscribe_key, now)?;
    let id = ticket.file()?;
    let boundary = boundary(request)?;
    let announced =
        request.head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > settings.file_bytes_max.saturating_add(FORM_BYTES_MAX)) {
        return Err(CannotKeep::TooLarge.into());
    }
    request.body.allow(settings.upload_timeout);
    let mut form = form(&mut request.body, boundary, settings);
    let mut content_type = None;
    let field = loop {
        let field = form
            .next_field()
            .await?
            .ok_or_else(|| Refused::Form("The form has no part named file.".into()))?;
        match field.name() {
            Some("file") => break field,
            Some("Content-Type") => content_type = Some(field.text().await?),
            // What other services need to know is nothing to us.
            _ => drop(field.bytes().await?),
        }
    };
    let content_type = content_type.or_else(|| field.content_type().map(ToString::to_string));
    let expires = expires(settings, now);
    let begun = blocking({
        let (disk, bytes_max) = (Arc::clone(&files.disk), settings.file_bytes_max);
        move || disk.begin(id, expires, bytes_max)
    });
    let incoming = write(begun.await?, field).await?;
    let record = New {
        org: request.keyset.org.clone(),
        key: key(&ticket.channel, id),
        name: ticket.name,
        content_type: content_type.filter(|text| is_content_type(text)),
        created: now,
    };
    let (store, disk) = (Arc::clone(request.worker.node().store()), Arc::clone(&files.disk));
    let recorded = blocking(move || {
        // Done here and not when this is awaited: a client that goes away leaves no file that nobody knows of.
        let kept = incoming.keep()?;
        let removed = move || _ = disk.remove(id, kept.expires);
        Ok(record.store(&*store, kept.size, kept.expires, removed))
    });
    recorded.await?.await.unwrap_or(Err(Refused::Unavailable))
}

fn boundary(request: &Unread) -> Result<String, Refused> {
    let content_type = request.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(multer::parse_boundary(content_type.unwrap_or_default())?)
}

fn form<'a>(body: &'a mut RequestBody, boundary: String, settings: &PubNubSettings) -> Multipart<'a> {
    let pieces = stream::try_unfold(body, async |body| {
        Ok::<_, Broken>(body.piece().await.map_err(|_| Broken)?.map(|piece| (piece, body)))
    });
    let file_max = settings.file_bytes_max;
    let limits = SizeLimit::new()
        .whole_stream(file_max.saturating_add(FORM_BYTES_MAX))
        .per_field(FORM_BYTES_MAX)
        .for_field("file", file_max);
    Multipart::with_constraints(pieces, boundary, Constraints::new().size_limit(limits))
}

/// The body broke off, or took too long.
#[derive(Debug, thiserror::Error)]
#[error("The upload broke off, or took too long.")]
struct Broken;

async fn write(mut incoming: Incoming, mut field: Field<'_>) -> Result<Incoming, Refused> {
    let (mut pieces, mut bytes) = (Vec::<Bytes>::new(), 0);
    loop {
        let piece = field.chunk().await?;
        let is_last = piece.is_none();
        bytes += piece.as_ref().map_or(0, Bytes::len);
        pieces.extend(piece);
        if bytes >= WRITTEN_BYTES || is_last {
            let pieces = std::mem::take(&mut pieces);
            bytes = 0;
            incoming = blocking(move || {
                pieces.iter().try_for_each(|piece| incoming.write(piece))?;
                Ok(incoming)
            })
            .await?;
        }
        if is_last {
            return Ok(incoming);
        }
    }
}

/// Does something with the disk, for which no other client has to wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CannotKeep> + Send + 'static,
) -> Result<T, Refused> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Refused::Unavailable)??)
}

/// A file that is to be known to the store.
struct New {
    org: OrgId,
    key: String,
    name: String,
    content_type: Option<String>,
    created: Timestamp,
}

impl New {
    /// Records it; if that cannot be, `or_else` is called.
    fn store(
        self,
        store: &dyn Store,
        size: u64,
        expires: u64,
        or_else: impl FnOnce() + Send + 'static,
    ) -> oneshot::Receiver<Result<(), Refused>> {
        let New { org, key, name, content_type, created } = self;
        let record = Record { name, size, content_type, created, expires };
        let over = (expires > 0).then(|| Timestamp(expires.saturating_mul(Timestamp::PER_SECOND)));
        let (sender, receiver) = oneshot::channel();
        let done = move |outcome: Result<(), StoreError>| {
            if outcome.is_err() {
                or_else();
            }
            // Whoever sent it may have gone.
            let _ = sender.send(outcome.map_err(|error| {
                tracing::debug!(%error, "a file is not recorded");
                match error {
                    StoreError::DiskFull | StoreError::LimitReached(_) => CannotKeep::Full.into(),
                    _ => Refused::Unavailable,
                }
            }));
        };
        store.put_item(&org, COLLECTION, &key, record.to_bytes().into(), over, Box::new(done));
        receiver
    }
}

impl From<multer::Error> for Refused {
    fn from(error: multer::Error) -> Refused {
        match error {
            multer::Error::FieldSizeExceeded { field_name, .. } if field_name.as_deref() != Some("file") => {
                Refused::Form("A field of the form is too long.".into())
            }
            multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
                CannotKeep::TooLarge.into()
            }
            multer::Error::StreamReadFailed(_) => Refused::Form(Broken.to_string()),
            error => Refused::Form(format!("The body is no form with a file: {error}")),
        }
    }
}

impl Refused {
    fn into_response(self) -> Response<AnswerBody> {
        let (status, code) = match &self {
            Refused::Ticket(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            Refused::Form(_) => (StatusCode::BAD_REQUEST, "MalformedPOSTRequest"),
            Refused::Disk(CannotKeep::TooLarge) => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
            Refused::Disk(CannotKeep::Taken) => (StatusCode::CONFLICT, "OperationAborted"),
            Refused::Disk(CannotKeep::TooMany) | Refused::Overloaded(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "SlowDown")
            }
            Refused::Disk(CannotKeep::Full) => (StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage"),
            Refused::Disk(CannotKeep::Io(error)) => {
                tracing::warn!(%error, "a file cannot be kept");
                (StatusCode::INSUFFICIENT_STORAGE, "InternalError")
            }
            Refused::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        };
        let mut response =
            Response::new(AnswerBody::from(Bytes::from(upload_error(code, &self.to_string()))));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        response
    }
}

fn no_content() -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
