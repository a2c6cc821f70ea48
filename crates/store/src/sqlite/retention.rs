//! Removes what is kept no longer, in steps of a bounded number of rows.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::change::Counts;
use super::history::{Histories, Task};
use super::items;
use super::records::Records;
use super::row::clamp;

/// Rows that one step removes at most.
const STEP_ROWS: u32 = 500;
/// Rows that one step looks at at most, where it removes none.
const SCAN_ROWS: u32 = 4000;

/// Which of the periodic work is still to be done in this pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Retention {
    expired: Due,
    keys: Due,
    records: Due,
    actions: Due,
    items: Due,
    channels: Due,
    /// The last channel that was looked at for being forgotten.
    channel_cursor: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Due {
    Yes,
    #[default]
    No,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There was nothing to do.
    Nothing,
    /// It removed as many publications.
    Removed(u64),
    /// It removed channels: what is remembered about them is wrong.
    Forgot,
}

impl Retention {
    pub(super) fn begin_pass(&mut self) {
        *self = Retention {
            expired: Due::Yes,
            keys: Due::Yes,
            records: Due::Yes,
            actions: Due::Yes,
            items: Due::Yes,
            channels: Due::Yes,
            ..*self
        };
    }

    pub(super) fn is_due(&self) -> bool {
        [self.expired, self.keys, self.records, self.actions, self.items, self.channels].contains(&Due::Yes)
    }

    /// Does the next step within the caller's transaction. `now` is the time by which things expire, channels
    /// trimmed last before `forget` are forgotten when they are empty.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        histories: &mut Histories,
        records: &mut Records,
        counts: &mut Counts,
        now: i64,
        forget: i64,
    ) -> rusqlite::Result<Step> {
        match histories.task() {
            Some(Task::Count { channel, after }) => {
                count(connection, histories, channel, after)?;
                return Ok(Step::Removed(0));
            }
            Some(Task::Trim { channel, excess }) => {
                return trim(connection, histories, channel, excess).map(Step::Removed);
            }
            None => {}
        }
        if self.expired == Due::Yes {
            let removed = remove_expired(connection, histories, now)?;
            self.expired = due_again(removed);
            return Ok(Step::Removed(removed));
        }
        if self.keys == Due::Yes {
            self.keys = due_again(remove_keys(connection, now)?);
            return Ok(Step::Removed(0));
        }
        if self.records == Due::Yes {
            self.records = due_again(records.remove_expired(connection, now, STEP_ROWS)?);
            return Ok(Step::Removed(0));
        }
        if self.actions == Due::Yes {
            self.actions = due_again(remove_actions(connection, now)?);
            return Ok(Step::Removed(0));
        }
        if self.items == Due::Yes {
            self.items = due_again(items::remove_expired(connection, counts, now, STEP_ROWS)?);
            return Ok(Step::Removed(0));
        }
        if self.channels == Due::Yes {
            self.channels = Due::No;
            return match forget_channels(connection, &mut self.channel_cursor, forget)? {
                0 => Ok(Step::Removed(0)),
                _ => Ok(Step::Forgot),
            };
        }
        Ok(Step::Nothing)
    }
}

fn due_again(rows: u64) -> Due {
    if rows < u64::from(STEP_ROWS) { Due::No } else { Due::Yes }
}

fn count(
    connection: &Connection,
    histories: &mut Histories,
    channel: i64,
    after: i64,
) -> rusqlite::Result<()> {
    let (rows, last): (u32, Option<i64>) = connection
        .prepare_cached(
            "SELECT count(*), max(position) FROM (SELECT position FROM publications \
             WHERE channel_id = ?1 AND position > ?2 ORDER BY position LIMIT ?3)",
        )?
        .query_row(params![channel, after, SCAN_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    histories.counted(channel, rows.into(), last.filter(|_| rows == SCAN_ROWS));
    Ok(())
}

fn trim(
    connection: &Connection,
    histories: &mut Histories,
    channel: i64,
    excess: u64,
) -> rusqlite::Result<u64> {
    let rows = excess.min(STEP_ROWS.into());
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT position FROM publications WHERE channel_id = ?1 ORDER BY position LIMIT 1 OFFSET ?2",
        )?
        .query_row(params![channel, clamp(rows - 1)], |row| row.get(0))
        .optional()?;
    let Some(last) = last else {
        histories.recount(channel);
        return Ok(0);
    };
    let removed = connection
        .prepare_cached("DELETE FROM publications WHERE channel_id = ?1 AND position <= ?2")?
        .execute([channel, last])? as u64;
    histories.removed(channel, removed);
    raise_trimmed(connection, channel, last)?;
    Ok(removed)
}

/// Everything up to a position is gone: says so, and has the actions on it go too.
pub(super) fn raise_trimmed(connection: &Connection, channel: i64, position: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM actions WHERE channel_id = ?1 AND message <= ?2")?
        .execute([channel, position])?;
    connection
        .prepare_cached("UPDATE channels SET trimmed_to = ?2 WHERE id = ?1 AND trimmed_to < ?2")?
        .execute([channel, position])?;
    Ok(())
}

fn remove_expired(connection: &Connection, histories: &mut Histories, now: i64) -> rusqlite::Result<u64> {
    let mut removed: HashMap<i64, Vec<i64>> = HashMap::new();
    {
        let mut select = connection.prepare_cached(
            "SELECT channel_id, position FROM publications WHERE expires IS NOT NULL AND expires <= ?1 \
             ORDER BY expires LIMIT ?2",
        )?;
        let mut rows = select.query(params![now, STEP_ROWS])?;
        while let Some(row) = rows.next()? {
            removed.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
    }
    let mut delete =
        connection.prepare_cached("DELETE FROM publications WHERE channel_id = ?1 AND position = ?2")?;
    let mut oldest =
        connection.prepare_cached("SELECT min(position) FROM publications WHERE channel_id = ?1")?;
    let mut total = 0;
    for (channel, positions) in removed {
        for position in &positions {
            delete.execute([channel, *position])?;
        }
        let oldest: Option<i64> = oldest.query_row([channel], |row| row.get(0))?;
        let before_oldest = |position: &i64| oldest.is_none_or(|oldest| *position < oldest);
        if let Some(last) = positions.iter().copied().filter(before_oldest).max() {
            raise_trimmed(connection, channel, last)?;
        }
        histories.removed(channel, positions.len() as u64);
        total += positions.len() as u64;
    }
    Ok(total)
}

fn remove_keys(connection: &Connection, now: i64) -> rusqlite::Result<u64> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE expires <= ?1 AND id IN (SELECT id FROM idempotency ORDER BY id LIMIT ?2)",
        )?
        .execute(params![now, STEP_ROWS])?;
    Ok(removed as u64)
}

/// Removes actions that have expired; how many it did.
fn remove_actions(connection: &Connection, now: i64) -> rusqlite::Result<u64> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM actions WHERE (channel_id, message, position) IN \
             (SELECT channel_id, message, position FROM actions WHERE expires IS NOT NULL AND expires <= ?1 \
             ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![now, STEP_ROWS])?;
    Ok(removed as u64)
}

/// Looks at some channels in each pass, all of them in turn.
fn forget_channels(connection: &Connection, cursor: &mut i64, forget: i64) -> rusqlite::Result<usize> {
    let mut select = connection.prepare_cached(
        "SELECT id, org_id, trimmed_to, trimmed_to < ?3 AND NOT EXISTS \
         (SELECT 1 FROM publications WHERE channel_id = channels.id) AND NOT EXISTS \
         (SELECT 1 FROM actions WHERE channel_id = channels.id) \
         FROM channels WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = select.query_map(params![*cursor, STEP_ROWS, forget], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let seen: Vec<(i64, i64, i64, bool)> = rows.collect::<Result<_, _>>()?;
    *cursor = seen.last().filter(|_| seen.len() == STEP_ROWS as usize).map_or(0, |last| last.0);

    let forgotten: Vec<_> = seen.into_iter().filter(|(.., is_forgotten)| *is_forgotten).collect();
    for (id, org_id, trimmed_to, _) in &forgotten {
        connection
            .prepare_cached("UPDATE orgs SET forgotten_to = ?2 WHERE id = ?1 AND forgotten_to < ?2")?
            .execute([org_id, trimmed_to])?;
        connection.prepare_cached("DELETE FROM channels WHERE id = ?1")?.execute([id])?;
    }
    Ok(forgotten.len())
}
