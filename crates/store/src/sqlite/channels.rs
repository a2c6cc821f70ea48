//! The numbers that orgs and channels have in the database.

use std::collections::HashMap;

use antiphon_model::OrgId;
use rusqlite::{Connection, OptionalExtension, params};

use super::cache::RecentMap;
use crate::store::ChannelKey;

#[derive(Clone, Copy, Debug)]
pub(super) struct ChannelRow {
    pub(super) id: i64,
    pub(super) org_id: i64,
    pub(super) origin: Origin,
}

/// Where a channel's row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was there, and may have publications.
    Found,
    /// It was just made, and has none.
    Made,
}

/// Finds and makes the rows of orgs and channels, and remembers them.
pub(super) struct Channels {
    /// Orgs are the operator's, not the peers', so there are few.
    orgs: HashMap<OrgId, i64>,
    rows: RecentMap<ChannelKey, (i64, i64)>,
}

impl Channels {
    pub(super) fn new(capacity: usize) -> Channels {
        Channels { orgs: HashMap::new(), rows: RecentMap::new(capacity) }
    }

    /// Forgets everything, when a transaction in which rows may have been made was rolled back.
    pub(super) fn clear(&mut self) {
        self.orgs.clear();
        self.rows.clear();
    }

    pub(super) fn org(&mut self, connection: &Connection, org: &OrgId) -> rusqlite::Result<i64> {
        if let Some(id) = self.orgs.get(org) {
            return Ok(*id);
        }
        let id = connection
            .prepare_cached(
                "INSERT INTO orgs (name) VALUES (?1) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id",
            )?
            .query_row([org.as_str()], |row| row.get(0))?;
        self.orgs.insert(org.clone(), id);
        Ok(id)
    }

    pub(super) fn channel(
        &mut self,
        connection: &Connection,
        key: &ChannelKey,
    ) -> rusqlite::Result<ChannelRow> {
        if let Some(&mut (id, org_id)) = self.rows.use_mut(key) {
            return Ok(ChannelRow { id, org_id, origin: Origin::Found });
        }
        let org_id = self.org(connection, &key.org)?;
        let names = params![org_id, key.channel.name(), key.channel.flags().bits()];
        let found = connection
            .prepare_cached("SELECT id FROM channels WHERE org_id = ?1 AND name = ?2 AND flags = ?3")?
            .query_row(names, |row| row.get(0))
            .optional()?;
        let (id, origin) = match found {
            Some(id) => (id, Origin::Found),
            None => (make(connection, names)?, Origin::Made),
        };
        self.rows.insert(key.clone(), (id, org_id));
        Ok(ChannelRow { id, org_id, origin })
    }
}

/// The number of a channel, if it has one. Asks the database.
pub(super) fn find(connection: &Connection, key: &ChannelKey) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM channels WHERE org_id = (SELECT id FROM orgs WHERE name = ?1) AND name = ?2 AND flags = ?3",
        )?
        .query_row(params![key.org.as_str(), key.channel.name(), key.channel.flags().bits()], |row| row.get(0))
        .optional()
}

fn make(connection: &Connection, names: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO channels (org_id, name, flags, trimmed_to) \
             VALUES (?1, ?2, ?3, (SELECT forgotten_to FROM orgs WHERE id = ?1)) RETURNING id",
        )?
        .query_row(names, |row| row.get(0))
}
