//! Memberships as rows of their table.

use antiphon_model::{OrgId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::change::{Counted, Failed, Writing};
use super::listing::{self, Source};
use super::objects;
use super::reader::Reading;
use super::row::clamp;
use crate::{
    ListQuery, Listed, Membership, MembershipChange, MembershipList, MembershipsChanged, ObjectKind, Of,
    StoreError,
};

/// What [`read`] reads, in its order.
const COLUMNS: &str = "m.user, m.channel, m.status, m.type, m.custom, m.updated, m.etag";

/// How many columns those are.
const WIDTH: usize = 7;

pub(crate) fn set_memberships(
    writing: &mut Writing<'_>,
    org: &OrgId,
    changes: &[MembershipChange],
    now: Timestamp,
) -> Result<MembershipsChanged, Failed> {
    let org = writing.org(org)?;
    let before = writing.counts.of(writing.connection, Counted::Memberships, org)?;
    let max = writing.settings.memberships_max;
    let (changed, count) = writing.in_savepoint(|writing| {
        let (mut changed, mut count) = (MembershipsChanged::default(), before);
        for change in changes {
            let old = find(writing.connection, org, change)?;
            count += usize::from(old.is_none());
            match change {
                MembershipChange::Set { patch, .. } => {
                    let membership = Membership::patched(old.as_ref(), change.ids(), patch, now);
                    put(writing.connection, org, &membership)?;
                    changed.set.push(membership);
                }
                MembershipChange::Remove { .. } => {
                    remove(writing.connection, org, change)?;
                    count -= 1;
                    changed.removed.extend(old);
                }
            }
        }
        if count > max && count > before {
            return Err(StoreError::LimitReached("memberships_max").into());
        }
        Ok((changed, count))
    })?;
    writing.counts.set(Counted::Memberships, org, count);
    Ok(changed)
}

pub(crate) fn memberships(
    reading: &Reading<'_>,
    org: &OrgId,
    of: &Of,
    query: &ListQuery,
) -> Result<MembershipList, StoreError> {
    let (id, kind, from, condition) = match of {
        Of::User(user) => (
            user,
            ObjectKind::Channel,
            "memberships AS m LEFT JOIN objects AS o ON o.org_id = m.org_id AND o.kind = ? AND o.id = m.channel",
            "m.org_id = ? AND m.user = ?",
        ),
        Of::Channel(channel) => (
            channel,
            ObjectKind::User,
            // Left to itself SQLite may look at all memberships of the org, because they come in the order asked for.
            "memberships AS m INDEXED BY memberships_channel \
             LEFT JOIN objects AS o ON o.org_id = m.org_id AND o.kind = ? AND o.id = m.user",
            "m.org_id = ? AND m.channel = ?",
        ),
    };
    let columns = format!("{COLUMNS}, {}", objects::COLUMNS);
    let source = Source {
        listed: Listed::of(of),
        columns: &columns,
        from,
        condition,
        bound: |org| {
            vec![Value::Integer(objects::number(kind)), Value::Integer(org), Value::Text(id.to_string())]
        },
    };
    let list = listing::list(reading, org, &source, query, read_with_related, Membership::bytes)?;
    Ok(MembershipList { memberships: list.rows, total: list.total, more: list.more })
}

fn find(
    connection: &Connection,
    org: i64,
    change: &MembershipChange,
) -> rusqlite::Result<Option<Membership>> {
    let (user, channel) = change.ids();
    let sql =
        format!("SELECT {COLUMNS} FROM memberships AS m WHERE org_id = ?1 AND user = ?2 AND channel = ?3");
    connection.prepare_cached(&sql)?.query_row(params![org, user, channel], read).optional()
}

fn put(connection: &Connection, org: i64, membership: &Membership) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO memberships (org_id, user, channel, status, type, custom, updated, etag) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (org_id, user, channel) DO UPDATE SET \
             status = excluded.status, type = excluded.type, custom = excluded.custom, \
             updated = excluded.updated, etag = excluded.etag",
        )?
        .execute(params![
            org,
            membership.user,
            membership.channel,
            membership.status,
            membership.kind,
            membership.custom,
            clamp(membership.updated.0),
            membership.etag,
        ])?;
    Ok(())
}

fn remove(connection: &Connection, org: i64, change: &MembershipChange) -> rusqlite::Result<()> {
    let (user, channel) = change.ids();
    connection
        .prepare_cached("DELETE FROM memberships WHERE org_id = ?1 AND user = ?2 AND channel = ?3")?
        .execute(params![org, user, channel])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Membership> {
    Ok(Membership {
        user: row.get(0)?,
        channel: row.get(1)?,
        status: row.get(2)?,
        kind: row.get(3)?,
        custom: row.get(4)?,
        updated: Timestamp(row.get::<_, i64>(5)? as u64),
        etag: row.get(6)?,
        related: None,
    })
}

fn read_with_related(row: &Row<'_>) -> rusqlite::Result<Membership> {
    let has_related = row.get_ref(WIDTH)? != rusqlite::types::ValueRef::Null;
    let related = has_related.then(|| objects::read(row, WIDTH)).transpose()?;
    Ok(Membership { related, ..read(row)? })
}
