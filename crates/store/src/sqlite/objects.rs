//! Objects as rows of their table.

use antiphon_model::{OrgId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::change::{Counted, Failed, Writing};
use super::database::sqlite_error;
use super::listing::{self, Source};
use super::reader::Reading;
use super::row::clamp;
use crate::objects::ObjectKey;
use crate::{ListQuery, Listed, Object, ObjectKind, ObjectList, StoreError};

/// What [`read`] reads, in its order.
pub(super) const COLUMNS: &str = "o.id, o.name, o.external_id, o.profile_url, o.email, o.description, o.status, o.type, \
    o.custom, o.updated, o.etag";

pub(crate) fn set_object<E>(
    writing: &mut Writing<'_>,
    key: &ObjectKey,
    apply: impl FnOnce(Option<&Object>) -> Result<Object, E>,
) -> Result<Result<Object, E>, Failed> {
    let org = writing.org(&key.org)?;
    let old = find(writing.connection, org, key)?;
    let object = match apply(old.as_ref()) {
        Ok(object) => object,
        Err(error) => return Ok(Err(error)),
    };
    if old.is_none() {
        let count = writing.counts.of(writing.connection, Counted::Objects, org)?;
        if count >= writing.settings.objects_max {
            return Err(StoreError::LimitReached("objects_max").into());
        }
        writing.counts.set(Counted::Objects, org, count + 1);
    }
    writing
        .connection
        .prepare_cached(
            "INSERT INTO objects (org_id, kind, id, name, external_id, profile_url, email, description, status, \
             type, custom, updated, etag) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
             ON CONFLICT (org_id, kind, id) DO UPDATE SET name = excluded.name, \
             external_id = excluded.external_id, profile_url = excluded.profile_url, email = excluded.email, \
             description = excluded.description, status = excluded.status, type = excluded.type, \
             custom = excluded.custom, updated = excluded.updated, etag = excluded.etag",
        )?
        .execute(params![
            org,
            number(key.kind),
            object.id,
            object.name,
            object.external_id,
            object.profile_url,
            object.email,
            object.description,
            object.status,
            object.kind,
            object.custom,
            clamp(object.updated.0),
            object.etag,
        ])?;
    Ok(Ok(object))
}

pub(crate) fn remove_object(writing: &mut Writing<'_>, key: &ObjectKey) -> Result<bool, Failed> {
    let org = writing.org(&key.org)?;
    let removed = writing
        .connection
        .prepare_cached("DELETE FROM objects WHERE org_id = ?1 AND kind = ?2 AND id = ?3")?
        .execute(params![org, number(key.kind), key.id])?;
    if removed > 0 {
        writing.counts.removed_one(Counted::Objects, org);
    }
    Ok(removed > 0)
}

pub(crate) fn object(reading: &Reading<'_>, key: &ObjectKey) -> Result<Option<Object>, StoreError> {
    let read = || match listing::org(reading.connection, &key.org)? {
        Some(org) => find(reading.connection, org, key),
        None => Ok(None),
    };
    read().map_err(sqlite_error)
}

pub(crate) fn objects(
    reading: &Reading<'_>,
    org: &OrgId,
    kind: ObjectKind,
    query: &ListQuery,
) -> Result<ObjectList, StoreError> {
    let source = Source {
        listed: Listed::Objects,
        columns: COLUMNS,
        from: "objects AS o",
        condition: "o.org_id = ? AND o.kind = ?",
        bound: |org| vec![Value::Integer(org), Value::Integer(number(kind))],
    };
    let list = listing::list(reading, org, &source, query, |row| read(row, 0), Object::bytes)?;
    Ok(ObjectList { objects: list.rows, total: list.total, more: list.more })
}

fn find(connection: &Connection, org: i64, key: &ObjectKey) -> rusqlite::Result<Option<Object>> {
    let sql = format!("SELECT {COLUMNS} FROM objects AS o WHERE org_id = ?1 AND kind = ?2 AND id = ?3");
    connection
        .prepare_cached(&sql)?
        .query_row(params![org, number(key.kind), key.id], |row| read(row, 0))
        .optional()
}

/// Reads the columns of [`COLUMNS`], of which the first stands at `from`.
pub(super) fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Object> {
    Ok(Object {
        id: row.get(from)?,
        name: row.get(from + 1)?,
        external_id: row.get(from + 2)?,
        profile_url: row.get(from + 3)?,
        email: row.get(from + 4)?,
        description: row.get(from + 5)?,
        status: row.get(from + 6)?,
        kind: row.get(from + 7)?,
        custom: row.get(from + 8)?,
        updated: Timestamp(row.get::<_, i64>(from + 9)? as u64),
        etag: row.get(from + 10)?,
    })
}

pub(super) fn number(kind: ObjectKind) -> i64 {
    match kind {
        ObjectKind::User => 0,
        ObjectKind::Channel => 1,
    }
}
