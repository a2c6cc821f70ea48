//! Deleting publications, and counting them.

use antiphon_model::Position;
use rusqlite::params;

use super::change::{Failed, Writing};
use super::database::sqlite_error;
use super::reader::Reading;
use super::row::clamp;
use super::{channels, retention};
use crate::StoreError;
use crate::store::ChannelKey;

/// Publications that one step deletes at most: all that is to be stored waits behind it.
const STEP_ROWS: u32 = 500;

/// What a step of a deletion did.
pub(crate) struct Deleted {
    pub(crate) deleted: u64,
    pub(crate) is_last: bool,
}

/// Deletes the next publications between two positions, both included, and the actions on them.
pub(crate) fn delete(
    writing: &mut Writing<'_>,
    channel: &ChannelKey,
    (first, last): (u64, u64),
) -> Result<Deleted, Failed> {
    let nothing = Deleted { deleted: 0, is_last: true };
    if first > last || i64::try_from(first).is_err() {
        return Ok(nothing);
    }
    let Some(channel) = writing.find_channel(channel)? else {
        return Ok(nothing);
    };
    let (first, last) = (clamp(first), clamp(last));
    let connection = writing.connection;
    let (rows, newest): (u32, Option<i64>) = connection
        .prepare_cached(
            "SELECT count(*), max(position) FROM (SELECT position FROM publications \
             WHERE channel_id = ?1 AND position BETWEEN ?2 AND ?3 ORDER BY position LIMIT ?4)",
        )?
        .query_row(params![channel, first, last, STEP_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let is_last = rows < STEP_ROWS;
    let upto = newest.filter(|_| !is_last).unwrap_or(last);
    let deleted = connection
        .prepare_cached("DELETE FROM publications WHERE channel_id = ?1 AND position BETWEEN ?2 AND ?3")?
        .execute([channel, first, upto])? as u64;
    connection
        .prepare_cached("DELETE FROM actions WHERE channel_id = ?1 AND message BETWEEN ?2 AND ?3")?
        .execute([channel, first, upto])?;
    writing.histories.removed(channel, deleted);

    let oldest: Option<i64> = connection
        .prepare_cached("SELECT min(position) FROM publications WHERE channel_id = ?1")?
        .query_row([channel], |row| row.get(0))?;
    if let Some(newest) = newest
        && oldest.is_none_or(|oldest| newest < oldest)
    {
        retention::raise_trimmed(connection, channel, newest)?;
    }
    Ok(Deleted { deleted, is_last })
}

/// How many publications after a position are shown, up to the size of a page.
pub(crate) fn count(reading: &Reading<'_>, channel: &ChannelKey, after: Position) -> Result<u64, StoreError> {
    let Ok(after) = i64::try_from(after.0) else {
        return Ok(0);
    };
    let read = || {
        let Some(channel) = channels::find(reading.connection, channel)? else {
            return Ok(0);
        };
        reading
            .connection
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM publications WHERE channel_id = ?1 AND position > ?2 \
                 AND (expires IS NULL OR expires > ?3) LIMIT ?4)",
            )?
            .query_row(params![channel, after, clamp(reading.now.0), reading.limits.entries as i64], |row| {
                row.get::<_, i64>(0)
            })
    };
    Ok(read().map_err(sqlite_error)? as u64)
}
