//! Items as rows of their table.

use antiphon_model::{OrgId, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::change::{Counted, Counts, Failed, Writing};
use super::database::sqlite_error;
use super::reader::Reading;
use super::row::clamp;
use crate::items::{ItemKey, Items};
use crate::{Item, ItemPage, StoreError};

pub(crate) fn put_item(
    writing: &mut Writing<'_>,
    key: &ItemKey,
    value: &[u8],
    expires: Option<Timestamp>,
) -> Result<(), Failed> {
    let org = writing.org(&key.org)?;
    let values = params![org, key.collection, key.key, value, expires.map(|expires| clamp(expires.0))];
    let replaced = writing
        .connection
        .prepare_cached(
            "UPDATE items SET value = ?4, expires = ?5 WHERE org_id = ?1 AND collection = ?2 AND key = ?3",
        )?
        .execute(values)?;
    if replaced > 0 {
        return Ok(());
    }
    let counted = Counted::Items(key.collection.clone());
    let count = writing.counts.of(writing.connection, counted.clone(), org)?;
    if count >= writing.settings.items_max {
        return Err(StoreError::LimitReached("items_max").into());
    }
    writing
        .connection
        .prepare_cached(
            "INSERT INTO items (org_id, collection, key, value, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(values)?;
    writing.counts.set(counted, org, count + 1);
    Ok(())
}

pub(crate) fn remove_item(writing: &mut Writing<'_>, key: &ItemKey) -> Result<bool, Failed> {
    let org = writing.org(&key.org)?;
    let expires: Option<Option<i64>> = writing
        .connection
        .prepare_cached(
            "DELETE FROM items WHERE org_id = ?1 AND collection = ?2 AND key = ?3 RETURNING expires",
        )?
        .query_row(params![org, key.collection, key.key], |row| row.get(0))
        .optional()?;
    let Some(expires) = expires else {
        return Ok(false);
    };
    writing.counts.removed_one(Counted::Items(key.collection.clone()), org);
    Ok(expires.is_none_or(|expires| expires > clamp(writing.now.0)))
}

/// Removes up to `rows` that have expired; how many it did.
pub(super) fn remove_expired(
    connection: &Connection,
    counts: &mut Counts,
    now: i64,
    rows: u32,
) -> rusqlite::Result<u64> {
    let expired: Vec<(i64, Box<str>, Box<str>)> = connection
        .prepare_cached(
            "SELECT org_id, collection, key FROM items WHERE expires IS NOT NULL AND expires <= ?1 \
             ORDER BY expires LIMIT ?2",
        )?
        .query_map(params![now, rows], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    // One by one: of a list of them SQLite would look for each org's by looking at all of its items.
    let mut delete =
        connection.prepare_cached("DELETE FROM items WHERE org_id = ?1 AND collection = ?2 AND key = ?3")?;
    let removed = expired.len() as u64;
    for (org, collection, key) in expired {
        delete.execute(params![org, collection, key])?;
        counts.removed_one(Counted::Items(collection), org);
    }
    Ok(removed)
}

pub(crate) fn item(reading: &Reading<'_>, key: &ItemKey) -> Result<Option<Bytes>, StoreError> {
    let read = || {
        reading
            .connection
            .prepare_cached(
                "SELECT value FROM items WHERE org_id = (SELECT id FROM orgs WHERE name = ?1) \
                 AND collection = ?2 AND key = ?3 AND (expires IS NULL OR expires > ?4)",
            )?
            .query_row(params![key.org.as_str(), key.collection, key.key, clamp(reading.now.0)], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()
    };
    Ok(read().map_err(sqlite_error)?.map(Bytes::from))
}

pub(crate) fn items(reading: &Reading<'_>, query: &Items) -> Result<ItemPage, StoreError> {
    let read = || {
        let mut select = reading.connection.prepare_cached(
            "SELECT key, value, expires FROM items WHERE org_id = (SELECT id FROM orgs WHERE name = ?1) \
             AND collection = ?2 AND key >= ?3 AND (expires IS NULL OR expires > ?4) ORDER BY key",
        )?;
        let now = clamp(reading.now.0);
        let mut rows = select.query(params![query.org.as_str(), query.collection, query.first_key(), now])?;
        let limit = query.limit.min(reading.limits.entries);
        let mut page = ItemPage::default();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let item = read_item(row)?;
            if !item.key.starts_with(&*query.prefix) {
                break;
            }
            if Some(&item.key) == query.after_key.as_ref() {
                continue;
            }
            bytes += item.bytes();
            let full = bytes > reading.limits.bytes && !page.items.is_empty();
            if full || page.items.len() == limit {
                page.more = true;
                break;
            }
            page.items.push(item);
        }
        Ok(page)
    };
    read().map_err(sqlite_error)
}

pub(crate) fn all_items(reading: &Reading<'_>, collection: &str) -> Result<Vec<(OrgId, Item)>, StoreError> {
    let read = || {
        let mut select = reading.connection.prepare_cached(
            "SELECT key, value, expires, orgs.name FROM orgs JOIN items ON org_id = orgs.id \
             AND collection = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY orgs.name, key",
        )?;
        let rows = select.query_map(params![collection, clamp(reading.now.0)], |row| {
            Ok((OrgId::new(row.get_ref(3)?.as_str()?), read_item(row)?))
        })?;
        rows.collect::<Result<Vec<_>, _>>()
    };
    read().map_err(sqlite_error)
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let expires: Option<i64> = row.get(2)?;
    Ok(Item {
        key: row.get(0)?,
        value: row.get::<_, Vec<u8>>(1)?.into(),
        expires: expires.map(|expires| Timestamp(expires as u64)),
    })
}
