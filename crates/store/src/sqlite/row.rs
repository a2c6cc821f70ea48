//! A publication as a row of the table `publications`, and back.

use std::ops::Range;
use std::sync::Arc;

use antiphon_model::{
    Arguments, ChannelFlags, ChannelId, Compress, Expects, Identity, IdentityKind, Kind, Payload, Position,
    Publication, RawJson, SessionId, Timestamp,
};
use bytes::Bytes;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, params};

use super::parts;

/// The columns of [`insert`], in its order.
pub(super) const INSERT: &str = "INSERT INTO publications (channel_id, position, kind, format, expects_replies, \
    name, payload, meta, publisher_kind, publisher, except_run, except_session, expires, attachments, except_listeners_of) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// The columns that [`restore`] reads, in its order.
pub(super) const COLUMNS: &str = "position, kind, format, expects_replies, name, payload, meta, \
    publisher_kind, publisher, except_run, except_session, attachments, except_listeners_of";

/// The columns are at odds with each other or with what this version knows.
#[derive(Debug, thiserror::Error)]
#[error("the stored publication at {position} has {what}")]
pub(super) struct BadRow {
    position: i64,
    what: &'static str,
}

/// Bytes that go into a column as text, or as they are.
struct Column<'a> {
    bytes: &'a [u8],
    format: i64,
}

const JSON: i64 = 0;
const TEXT: i64 = 1;
const BINARY: i64 = 2;
const ARGUMENTS: i64 = 3;

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.format {
            BINARY => ValueRef::Blob(self.bytes),
            _ => ValueRef::Text(self.bytes),
        }))
    }
}

/// Runs the statement [`INSERT`].
pub(super) fn insert(
    statement: &mut Statement<'_>,
    channel_id: i64,
    publication: &Publication,
    expires: Option<Timestamp>,
    run: i64,
) -> rusqlite::Result<usize> {
    let (format, bytes) = match &publication.payload {
        Payload::Json(json) => (JSON, json.as_bytes()),
        Payload::Text(text) => (TEXT, text),
        Payload::Binary(bytes) => (BINARY, bytes),
        Payload::Arguments(arguments) => (ARGUMENTS, arguments.json().as_bytes()),
    };
    let publisher = publication.publisher.as_deref();
    statement.execute(params![
        channel_id,
        clamp(publication.position.0),
        publication.kind as u8,
        format,
        publication.expects == Expects::Replies,
        publication.name.as_deref(),
        Column { bytes, format },
        publication.meta.as_ref().map(|meta| Column { bytes: meta.as_bytes(), format: JSON }),
        publisher.map(|publisher| identity_number(publisher.kind)),
        publisher.map(|publisher| &*publisher.id),
        publication.except.map(|_| run),
        publication.except.map(|session| session.0 as i64),
        expires.map(|expires| clamp(expires.0)),
        attachments(&publication.payload),
        publication.except_listeners_of.as_deref().map(channel_names),
    ])
}

/// Reads a row of [`COLUMNS`].
pub(super) fn restore(
    row: &Row<'_>,
    channel: &Arc<ChannelId>,
    run: i64,
) -> rusqlite::Result<Result<Publication, BadRow>> {
    let position: i64 = row.get(0)?;
    let bad = |what| Ok(Err(BadRow { position, what }));
    let Some(kind) = Kind::from_number(row.get(1)?) else {
        return bad("an unknown kind");
    };
    let payload = row.get_ref(5)?.as_bytes()?;
    let payload = match row.get(2)? {
        ARGUMENTS => match arguments(payload, row.get_ref(11)?.as_blob_or_null()?) {
            Some(arguments) => Payload::Arguments(Arc::new(arguments)),
            None => return bad("attachments that do not fit its arguments"),
        },
        JSON => Payload::Json(RawJson::from_serializer(Bytes::copy_from_slice(payload))),
        TEXT => Payload::Text(Bytes::copy_from_slice(payload)),
        BINARY => Payload::Binary(Bytes::copy_from_slice(payload)),
        _ => return bad("an unknown payload format"),
    };
    let publisher = match row.get(7)? {
        None => None,
        Some(number) => match identity_kind(number) {
            Some(kind) => Some(Arc::new(Identity::new(kind, row.get_ref(8)?.as_str()?))),
            None => return bad("an unknown kind of publisher"),
        },
    };
    let meta = row.get_ref(6)?.as_bytes_or_null()?;
    let except = match row.get::<_, Option<i64>>(9)? {
        // Sessions of an earlier run are gone, and their numbers may be given to others.
        Some(of_run) if of_run == run => Some(SessionId(row.get::<_, i64>(10)? as u64)),
        _ => None,
    };
    let except_listeners_of = match row.get_ref(12)?.as_blob_or_null()?.map(channels_named) {
        None => None,
        Some(Some(channels)) => Some(channels),
        Some(None) => return bad("an exception that is no channel"),
    };
    Ok(Ok(Publication {
        position: Position(position as u64),
        expires: None,
        channel: channel.clone(),
        kind,
        name: row.get_ref(4)?.as_str_or_null()?.map(Into::into),
        payload,
        meta: meta.map(|meta| RawJson::from_serializer(Bytes::copy_from_slice(meta))),
        publisher,
        except,
        except_listeners_of,
        compress: Compress::AsConfigured,
        expects: if row.get(3)? { Expects::Replies } else { Expects::Nothing },
    }))
}

/// The column `attachments`: none where there are no attachments.
fn attachments(payload: &Payload) -> Option<Vec<u8>> {
    match payload {
        Payload::Arguments(arguments) if !arguments.attachments().is_empty() => {
            Some(parts::join(arguments.attachments().iter().map(|attachment| &**attachment)))
        }
        _ => None,
    }
}

fn arguments(json: &[u8], attachments: Option<&[u8]>) -> Option<Arguments> {
    // All of them in one allocation.
    let joined = Bytes::copy_from_slice(attachments.unwrap_or_default());
    let attachments = parts::split(&joined)?.into_iter().map(|part| joined.slice(part)).collect();
    Arguments::new(RawJson::from_serializer(Bytes::copy_from_slice(json)), attachments).ok()
}

/// The column `except_listeners_of`.
fn channel_names(channels: &[Arc<ChannelId>]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = channels
        .iter()
        .map(|channel| [&[channel.flags().bits()], channel.name().as_bytes()].concat())
        .collect();
    parts::join(names.iter().map(Vec::as_slice))
}

fn channels_named(joined: &[u8]) -> Option<Arc<[Arc<ChannelId>]>> {
    let channel = |part: Range<usize>| {
        let (flags, name) = joined[part].split_first()?;
        let name = std::str::from_utf8(name).ok()?;
        ChannelId::new(name, ChannelFlags::from_bits(*flags)).ok().map(Arc::new)
    };
    parts::split(joined)?.into_iter().map(channel).collect()
}

/// The number as SQLite can hold it; it has no unsigned 64-bit integers.
pub(super) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The scope of an idempotency key within its channel.
pub(super) fn publisher_scope(publisher: Option<&Identity>) -> String {
    publisher.map_or_else(String::new, |p| format!("{}:{}", identity_number(p.kind), p.id))
}

fn identity_number(kind: IdentityKind) -> i64 {
    match kind {
        IdentityKind::User => 0,
        IdentityKind::Device => 1,
        IdentityKind::ConsumerApp => 2,
        IdentityKind::Server => 3,
    }
}

fn identity_kind(number: i64) -> Option<IdentityKind> {
    [IdentityKind::User, IdentityKind::Device, IdentityKind::ConsumerApp, IdentityKind::Server]
        .into_iter()
        .find(|kind| identity_number(*kind) == number)
}
