//! One transaction with a group of entries.

use std::collections::HashMap;

use antiphon_model::Position;
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, params};

use super::channels::{ChannelRow, Channels};
use super::history::Histories;
use super::records::Records;
use super::row;
use crate::queue::Notes;
use crate::store::ChannelKey;
use crate::writer::Outcomes;
use crate::{Committed, Entry, StoreError};

/// Writes entries within a transaction that the caller began and will end.
pub(super) struct Group<'a> {
    connection: &'a Connection,
    channels: &'a mut Channels,
    histories: &'a mut Histories,
    insert: CachedStatement<'a>,
    run: i64,
    /// In units of positions.
    idempotency_keep: u64,
    /// The highest position of each org, by its number.
    floors: HashMap<i64, i64>,
}

impl<'a> Group<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        channels: &'a mut Channels,
        histories: &'a mut Histories,
        run: i64,
        idempotency_keep: u64,
    ) -> rusqlite::Result<Group<'a>> {
        let insert = connection.prepare_cached(row::INSERT)?;
        let floors = HashMap::new();
        Ok(Group { connection, channels, histories, insert, run, idempotency_keep, floors })
    }

    /// Writes all; an error is one that leaves the transaction useless.
    pub(super) fn write(
        mut self,
        entries: &[Entry],
        notes: &Notes,
        records: &mut Records,
    ) -> rusqlite::Result<Outcomes> {
        let mut places = Vec::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            places.push((self.channels.channel(self.connection, &ChannelKey::of(entry))?, place));
        }
        // A channel's publications are neighbours in the database: written one after another they share the search
        // for their page. The sort is stable, within a channel the order stays.
        places.sort_by_key(|(channel, _)| channel.id);
        let mut outcomes = vec![Ok(Committed::Stored); entries.len()];
        for (channel, place) in places {
            let entry = &entries[place];
            outcomes[place] = match self.write_one(entry, channel) {
                Ok(outcome) => outcome,
                Err(error) => Err(fault_of_entry(&error, entry).ok_or(error)?),
            };
        }
        for (org, upto) in &notes.leases {
            let org_id = self.channels.org(self.connection, org)?;
            self.raise_floor(org_id, row::clamp(upto.0));
        }
        let mut update =
            self.connection.prepare_cached("UPDATE orgs SET floor = ?2 WHERE id = ?1 AND floor < ?2")?;
        for (org_id, floor) in self.floors {
            update.execute([org_id, floor])?;
        }
        records.apply(self.connection, self.channels, &notes.records)?;
        Ok(outcomes)
    }

    fn write_one(
        &mut self,
        entry: &Entry,
        channel: ChannelRow,
    ) -> rusqlite::Result<Result<Committed, StoreError>> {
        let publication = &*entry.publication;
        let Ok(position) = i64::try_from(publication.position.0) else {
            return Ok(Err(StoreError::Unstorable("its position is beyond 63 bits".into())));
        };
        let idempotency = entry
            .idempotency_key
            .as_deref()
            .map(|key| (row::publisher_scope(publication.publisher.as_deref()), key));
        if let Some((publisher, key)) = &idempotency
            && let Some(seen) = self.seen(channel.id, publisher, key, position)?
        {
            return Ok(Ok(Committed::Duplicate { position: seen }));
        }
        row::insert(&mut self.insert, channel.id, publication, entry.expires, self.run)?;
        if let Some((publisher, key)) = &idempotency {
            self.remember(channel.id, publisher, key, position)?;
        }
        self.raise_floor(channel.org_id, position);
        self.histories.inserted(channel.id, channel.origin, position, entry.keep);
        Ok(Ok(Committed::Stored))
    }

    /// Where the publication stands that came with this key, unless that is too long ago.
    fn seen(&self, channel: i64, publisher: &str, key: &str, now: i64) -> rusqlite::Result<Option<Position>> {
        let found: Option<(i64, i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT id, position, expires FROM idempotency WHERE channel_id = ?1 AND publisher = ?2 AND key = ?3",
            )?
            .query_row(params![channel, publisher, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        match found {
            Some((_, position, expires)) if expires > now => Ok(Some(Position(position as u64))),
            Some((id, ..)) => {
                self.connection.prepare_cached("DELETE FROM idempotency WHERE id = ?1")?.execute([id])?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn remember(&self, channel: i64, publisher: &str, key: &str, position: i64) -> rusqlite::Result<()> {
        let expires = position.saturating_add(row::clamp(self.idempotency_keep));
        self.connection
            .prepare_cached(
                "INSERT INTO idempotency (channel_id, publisher, key, position, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![channel, publisher, key, position, expires])?;
        Ok(())
    }

    fn raise_floor(&mut self, org_id: i64, position: i64) {
        let floor = self.floors.entry(org_id).or_insert(position);
        *floor = position.max(*floor);
    }
}

/// The error as one of this entry alone, if it is: SQLite has then undone the one statement and no more.
fn fault_of_entry(error: &rusqlite::Error, entry: &Entry) -> Option<StoreError> {
    match error.sqlite_error_code()? {
        ErrorCode::ConstraintViolation => Some(StoreError::PositionTaken(entry.publication.position)),
        ErrorCode::TooBig => Some(StoreError::Unstorable("it is larger than SQLite can hold".into())),
        _ => None,
    }
}
