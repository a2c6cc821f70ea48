//! One read of a channel.

use std::sync::Arc;

use antiphon_model::{OrgId, Position};
use rusqlite::{Connection, OptionalExtension, params};

use super::database::sqlite_error;
use super::row::{self, clamp};
use crate::store::End;
use crate::{Page, Query, StoreError, StoreSettings};

/// How large a page gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

impl Limits {
    pub(super) fn new(settings: &StoreSettings) -> Limits {
        Limits { entries: settings.page_entries_max.max(1), bytes: settings.page_bytes_max }
    }
}

/// Reads one page, as of one moment.
pub(super) fn read(
    connection: &Connection,
    query: &Query,
    limits: Limits,
    run: i64,
) -> Result<Page, StoreError> {
    let snapshot = connection.unchecked_transaction().map_err(sqlite_error)?;
    let (org_id, forgotten_to) = match org(connection, &query.org).map_err(sqlite_error)? {
        Some(org) => org,
        None => return Ok(Page::default()),
    };
    let Some((channel, trimmed_to)) = channel(connection, org_id, query).map_err(sqlite_error)? else {
        return Ok(Page { trimmed_to: Position(forgotten_to as u64), ..Page::default() });
    };
    let now = clamp(query.now.0);
    let expired_to = expired_to(connection, channel, now).map_err(sqlite_error)?;
    let mut page = select(connection, channel, query, limits, run)?;
    page.trimmed_to = Position(trimmed_to.max(expired_to) as u64);
    drop(snapshot);
    Ok(page)
}

/// The highest position that `org` may have given out.
pub(super) fn floor(connection: &Connection, org: &OrgId) -> Result<Position, StoreError> {
    let floor = connection
        .query_row("SELECT floor FROM orgs WHERE name = ?1", [org.as_str()], |row| row.get::<_, i64>(0))
        .optional()
        .map_err(sqlite_error)?;
    Ok(Position(floor.unwrap_or(0) as u64))
}

fn org(connection: &Connection, org: &OrgId) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached("SELECT id, forgotten_to FROM orgs WHERE name = ?1")?
        .query_row([org.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn channel(connection: &Connection, org_id: i64, query: &Query) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached("SELECT id, trimmed_to FROM channels WHERE org_id = ?1 AND name = ?2 AND flags = ?3")?
        .query_row(params![org_id, query.channel.name(), query.channel.flags().bits()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}

/// The last of the channel's oldest publications that have expired, and that retention has not removed yet; else 0.
fn expired_to(connection: &Connection, channel: i64, now: i64) -> rusqlite::Result<i64> {
    let oldest_expired = connection
        .prepare_cached(
            "SELECT coalesce(expires <= ?2, 0) FROM publications WHERE channel_id = ?1 ORDER BY position LIMIT 1",
        )?
        .query_row([channel, now], |row| row.get::<_, bool>(0))
        .optional()?;
    if oldest_expired != Some(true) {
        return Ok(0);
    }
    connection
        .prepare_cached(
            "SELECT coalesce(max(position), 0) FROM publications WHERE channel_id = ?1 AND position < coalesce( \
             (SELECT position FROM publications WHERE channel_id = ?1 AND (expires IS NULL OR expires > ?2) \
             ORDER BY position LIMIT 1), 9223372036854775807)",
        )?
        .query_row([channel, now], |row| row.get(0))
}

fn select(
    connection: &Connection,
    channel: i64,
    query: &Query,
    limits: Limits,
    run: i64,
) -> Result<Page, StoreError> {
    let (first, last) = query.range.bounds();
    // No position in the database is beyond i64::MAX.
    if first > last || i64::try_from(first).is_err() {
        return Ok(Page::default());
    }
    let limit = query.limit.min(limits.entries);
    let order = match query.range.end() {
        End::Oldest => "",
        End::Newest => "DESC",
    };
    let sql = format!(
        "SELECT {} FROM publications WHERE channel_id = ?1 AND position BETWEEN ?2 AND ?3 \
         AND (expires IS NULL OR expires > ?4) ORDER BY position {order} LIMIT ?5",
        row::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql).map_err(sqlite_error)?;
    let bounds = params![channel, clamp(first), clamp(last), clamp(query.now.0), limit as i64 + 1];
    let mut rows = statement.query(bounds).map_err(sqlite_error)?;
    let mut page = Page::default();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(sqlite_error)? {
        if page.publications.len() == limit {
            page.more = true;
            break;
        }
        let publication = row::restore(row, &query.channel, run)
            .map_err(sqlite_error)?
            .map_err(|bad| StoreError::Corrupt(bad.to_string().into()))?;
        bytes += publication.memory_bytes();
        if bytes > limits.bytes && !page.publications.is_empty() {
            page.more = true;
            break;
        }
        page.publications.push(Arc::new(publication));
    }
    if query.range.end() == End::Newest {
        page.publications.reverse();
    }
    Ok(page)
}
