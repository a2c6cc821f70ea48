//! Records as rows of their table.

use antiphon_model::Timestamp;
use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::channels::Channels;
use super::database::sqlite_error;
use super::row::clamp;
use crate::StoreError;
use crate::records::{Record, RecordChange, RecordKey};

/// How many records there are, and may be.
pub(super) struct Records {
    /// None if it has to be counted.
    count: Option<usize>,
    max: usize,
}

/// Reads one, if it has not expired.
pub(super) fn read(
    connection: &Connection,
    key: &RecordKey,
    now: Timestamp,
) -> Result<Option<Bytes>, StoreError> {
    let read = || {
        connection
            .prepare_cached(
                "SELECT value FROM records WHERE org_id = (SELECT id FROM orgs WHERE name = ?1) AND key = ?2 \
                 AND expires > ?3",
            )?
            .query_row(params![key.org.as_str(), &*key.key, clamp(now.0)], |row| row.get::<_, Vec<u8>>(0))
            .optional()
    };
    Ok(read().map_err(sqlite_error)?.map(Bytes::from))
}

impl Records {
    pub(super) fn new(max: usize) -> Records {
        Records { count: None, max }
    }

    /// Forgets what it counted, when a transaction was rolled back.
    pub(super) fn recount(&mut self) {
        self.count = None;
    }

    /// Makes changes within a transaction that the caller began and will end.
    pub(super) fn apply(
        &mut self,
        connection: &Connection,
        channels: &mut Channels,
        changes: &[RecordChange],
    ) -> rusqlite::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut count = self.count(connection)?;
        for RecordChange { key, record, .. } in changes {
            let org = channels.org(connection, &key.org)?;
            match record {
                Some(record) => match put(connection, org, &key.key, record) {
                    Ok(more) => count += more,
                    // It would fail every group that it is tried in.
                    Err(error) if error.sqlite_error_code() == Some(ErrorCode::TooBig) => {
                        tracing::warn!(org = %key.org, "a record is larger than SQLite can hold");
                    }
                    Err(error) => return Err(error),
                },
                None => {
                    let removed = connection
                        .prepare_cached("DELETE FROM records WHERE org_id = ?1 AND key = ?2")?
                        .execute(params![org, &*key.key])?;
                    count = count.saturating_sub(removed);
                }
            }
        }
        // Of many that are too many, because fewer may be kept than did before, each group takes its share.
        let excess = count.saturating_sub(self.max).min(2 * changes.len());
        if excess > 0 {
            count = count.saturating_sub(remove_first(connection, i64::MAX, excess as i64)?);
        }
        self.count = Some(count);
        Ok(())
    }

    /// Removes up to `rows` that have expired; how many it did.
    pub(super) fn remove_expired(
        &mut self,
        connection: &Connection,
        now: i64,
        rows: u32,
    ) -> rusqlite::Result<u64> {
        let removed = remove_first(connection, now, rows.into())?;
        self.count = self.count.map(|count| count.saturating_sub(removed));
        Ok(removed as u64)
    }

    fn count(&self, connection: &Connection) -> rusqlite::Result<usize> {
        match self.count {
            Some(count) => Ok(count),
            None => {
                let count: i64 =
                    connection.query_row("SELECT count(*) FROM records", [], |row| row.get(0))?;
                Ok(usize::try_from(count).unwrap_or(0))
            }
        }
    }
}

/// Removes up to `rows` of those that expire first, and no later than `until`; how many it did.
fn remove_first(connection: &Connection, until: i64, rows: i64) -> rusqlite::Result<usize> {
    let first: Vec<(i64, Box<str>)> = connection
        .prepare_cached("SELECT org_id, key FROM records WHERE expires <= ?1 ORDER BY expires LIMIT ?2")?
        .query_map([until, rows], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    // One by one: of a list of them SQLite would look for each org's by looking at all of its records.
    let mut delete = connection.prepare_cached("DELETE FROM records WHERE org_id = ?1 AND key = ?2")?;
    for (org, key) in &first {
        delete.execute(params![org, key])?;
    }
    Ok(first.len())
}

/// Puts one record; by how many there are more.
fn put(connection: &Connection, org: i64, key: &str, record: &Record) -> rusqlite::Result<usize> {
    let values = params![org, key, &*record.value, clamp(record.expires.0)];
    let replaced = connection
        .prepare_cached("UPDATE records SET value = ?3, expires = ?4 WHERE org_id = ?1 AND key = ?2")?
        .execute(values)?;
    if replaced > 0 {
        return Ok(0);
    }
    connection
        .prepare_cached("INSERT INTO records (org_id, key, value, expires) VALUES (?1, ?2, ?3, ?4)")?
        .execute(values)
}
