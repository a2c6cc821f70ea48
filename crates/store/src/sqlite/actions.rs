//! Actions on messages as rows of their table.

use antiphon_model::Position;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::change::{Failed, Writing};
use super::channels;
use super::database::sqlite_error;
use super::page::Limits;
use super::reader::Reading;
use super::row::clamp;
use crate::store::ChannelKey;
use crate::{Action, ActionPage, ActionQuery, ActionRange, Added, Removed, StoreError};

pub(crate) fn add_action(
    writing: &mut Writing<'_>,
    channel: &ChannelKey,
    action: &Action,
) -> Result<Added, Failed> {
    let (Ok(message), Ok(position)) = (i64::try_from(action.message.0), i64::try_from(action.position.0))
    else {
        return Err(StoreError::Unstorable("its position is beyond 63 bits".into()).into());
    };
    let connection = writing.connection;
    let now = clamp(writing.now.0);
    // Before the row of the channel is made, so that what is refused leaves nothing behind.
    if let Some(channel) = writing.find_channel(channel)? {
        connection
            .prepare_cached("DELETE FROM actions WHERE channel_id = ?1 AND message = ?2 AND expires <= ?3")?
            .execute([channel, message, now])?;
        let (count, same, taken): (u64, bool, bool) = connection
            .prepare_cached(
                "SELECT count(*), coalesce(max(kind = ?3 AND value = ?4 AND publisher = ?5), 0), \
                 coalesce(max(position = ?6), 0) FROM actions WHERE channel_id = ?1 AND message = ?2",
            )?
            .query_row(
                params![channel, message, action.kind, action.value, action.publisher, position],
                |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?)),
            )?;
        if same {
            return Ok(Added::Exists);
        }
        if count >= writing.settings.actions_per_message_max as u64 {
            return Err(StoreError::LimitReached("actions_per_message_max").into());
        }
        if taken {
            return Err(StoreError::PositionTaken(action.position).into());
        }
    }
    let channel = writing.channel(channel)?;
    let expires = match message_expires(connection, channel, message, now)? {
        Some(expires) => expires,
        None => {
            let keep = writing.settings.keep_actions_without_message();
            Some(clamp(writing.now.later_by(keep).0))
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO actions (channel_id, message, position, kind, value, publisher, expires) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![channel, message, position, action.kind, action.value, action.publisher, expires])?;
    Ok(Added::New)
}

/// When a message expires, if it is there.
fn message_expires(
    connection: &Connection,
    channel: i64,
    message: i64,
    now: i64,
) -> rusqlite::Result<Option<Option<i64>>> {
    connection
        .prepare_cached(
            "SELECT expires FROM publications WHERE channel_id = ?1 AND position = ?2 \
             AND (expires IS NULL OR expires > ?3)",
        )?
        .query_row([channel, message, now], |row| row.get(0))
        .optional()
}

pub(crate) fn remove_action(
    writing: &mut Writing<'_>,
    channel: &ChannelKey,
    (message, position): (Position, Position),
    publisher: &str,
) -> Result<Removed, Failed> {
    let (Some(channel), Ok(message), Ok(position)) =
        (writing.find_channel(channel)?, i64::try_from(message.0), i64::try_from(position.0))
    else {
        return Ok(Removed::NoSuch);
    };
    let connection = writing.connection;
    let own: Option<bool> = connection
        .prepare_cached(
            "SELECT publisher = ?4 FROM actions WHERE channel_id = ?1 AND message = ?2 AND position = ?3 \
             AND (expires IS NULL OR expires > ?5)",
        )?
        .query_row(params![channel, message, position, publisher, clamp(writing.now.0)], |row| row.get(0))
        .optional()?;
    match own {
        None => return Ok(Removed::NoSuch),
        Some(false) => return Ok(Removed::OtherPublisher),
        Some(true) => {}
    }
    connection
        .prepare_cached("DELETE FROM actions WHERE channel_id = ?1 AND message = ?2 AND position = ?3")?
        .execute([channel, message, position])?;
    Ok(Removed::Yes)
}

pub(crate) fn actions(
    reading: &Reading<'_>,
    channel: &ChannelKey,
    query: &ActionQuery,
) -> Result<ActionPage, StoreError> {
    let read = || {
        let connection = reading.connection;
        let snapshot = connection.unchecked_transaction()?;
        let Some(channel) = channels::find(connection, channel)? else {
            return Ok(ActionPage::default());
        };
        let limit = query.limit.min(reading.limits.entries);
        let now = clamp(reading.now.0);
        let page = match query.by {
            ActionRange::ByMessages { after, until } => {
                let mut select = connection.prepare_cached(
                    "SELECT message, position, kind, value, publisher FROM actions WHERE channel_id = ?1 \
                     AND message > ?2 AND message <= ?3 AND (expires IS NULL OR expires > ?4) \
                     ORDER BY message, position LIMIT ?5",
                )?;
                let bounds = params![channel, clamp(after.0), clamp(until.0), now, limit as i64 + 1];
                fill(select.query(bounds)?, limit, reading.limits)?
            }
            ActionRange::ByActions { start, end } => {
                // No position in the database is beyond i64::MAX.
                let Ok(end) = i64::try_from(end.0) else {
                    return Ok(ActionPage::default());
                };
                let last = start.0.checked_sub(1).map_or(-1, clamp);
                let mut select = connection.prepare_cached(
                    "SELECT message, position, kind, value, publisher FROM actions WHERE channel_id = ?1 \
                     AND position BETWEEN ?2 AND ?3 AND (expires IS NULL OR expires > ?4) \
                     ORDER BY position DESC, message DESC LIMIT ?5",
                )?;
                let bounds = params![channel, end, last, now, limit as i64 + 1];
                let mut page = fill(select.query(bounds)?, limit, reading.limits)?;
                page.actions.reverse();
                page
            }
        };
        drop(snapshot);
        Ok(page)
    };
    read().map_err(sqlite_error)
}

fn fill(mut rows: Rows<'_>, limit: usize, limits: Limits) -> rusqlite::Result<ActionPage> {
    let mut page = ActionPage::default();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let action = action(row)?;
        bytes += action.bytes();
        let full = bytes > limits.bytes && !page.actions.is_empty();
        if full || page.actions.len() == limit {
            page.more = true;
            break;
        }
        page.actions.push(action);
    }
    Ok(page)
}

fn action(row: &Row<'_>) -> rusqlite::Result<Action> {
    Ok(Action {
        message: Position(row.get::<_, i64>(0)? as u64),
        position: Position(row.get::<_, i64>(1)? as u64),
        kind: row.get(2)?,
        value: row.get(3)?,
        publisher: row.get(4)?,
    })
}
