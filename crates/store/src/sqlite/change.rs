//! What a change of any sort does its work with.

use std::collections::HashMap;

use antiphon_model::{OrgId, Timestamp};
use rusqlite::{Connection, ToSql};

use super::channels::{self, Channels};
use super::history::Histories;
use crate::store::ChannelKey;
use crate::{StoreError, StoreSettings};

/// The database within a transaction, and what is remembered about it.
pub(crate) struct Writing<'a> {
    pub(super) connection: &'a Connection,
    pub(super) channels: &'a mut Channels,
    pub(super) histories: &'a mut Histories,
    pub(super) counts: &'a mut Counts,
    pub(super) settings: &'a StoreSettings,
    pub(super) now: Timestamp,
}

/// Why a change was not made.
pub(crate) enum Failed {
    /// The transaction is useless.
    Sqlite(rusqlite::Error),
    /// It is refused, and did nothing.
    Refused(StoreError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed::Sqlite(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Refused(error)
    }
}

impl Writing<'_> {
    /// The row of an org, which is made if there is none.
    pub(super) fn org(&mut self, org: &OrgId) -> rusqlite::Result<i64> {
        self.channels.org(self.connection, org)
    }

    /// The row of a channel, which is made if there is none.
    pub(super) fn channel(&mut self, channel: &ChannelKey) -> rusqlite::Result<i64> {
        Ok(self.channels.channel(self.connection, channel)?.id)
    }

    /// The row of a channel, if there is one.
    pub(super) fn find_channel(&self, channel: &ChannelKey) -> rusqlite::Result<Option<i64>> {
        channels::find(self.connection, channel)
    }

    /// Takes back what `work` did if it is refused. It must make no rows of orgs and channels.
    pub(super) fn in_savepoint<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        run("SAVEPOINT change")?;
        let result = work(self);
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        if let Err(Failed::Refused(_)) = &result {
            run("ROLLBACK TO change")?;
        }
        if !matches!(result, Err(Failed::Sqlite(_))) {
            run("RELEASE change")?;
        }
        result
    }
}

/// What an org has a limited number of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    Objects,
    Memberships,
    /// Those of one collection: clients can fill some of them, and what others keep must find room all the same.
    Items(Box<str>),
}

/// How many of each there are, without asking the database each time.
#[derive(Default)]
pub(super) struct Counts {
    /// By org. What is not here has to be counted.
    known: HashMap<(Counted, i64), usize>,
}

impl Counts {
    /// Forgets what it counted, when a transaction was rolled back.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    pub(super) fn of(
        &mut self,
        connection: &Connection,
        counted: Counted,
        org: i64,
    ) -> rusqlite::Result<usize> {
        let known = (counted, org);
        if let Some(count) = self.known.get(&known) {
            return Ok(*count);
        }
        let count = |sql, params: &[&dyn ToSql]| -> rusqlite::Result<i64> {
            connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))
        };
        let count = match &known.0 {
            Counted::Objects => count("SELECT count(*) FROM objects WHERE org_id = ?1", &[&org]),
            Counted::Memberships => count("SELECT count(*) FROM memberships WHERE org_id = ?1", &[&org]),
            Counted::Items(collection) => {
                count("SELECT count(*) FROM items WHERE org_id = ?1 AND collection = ?2", &[&org, collection])
            }
        };
        let count = usize::try_from(count?).unwrap_or(0);
        self.known.insert(known, count);
        Ok(count)
    }

    pub(super) fn set(&mut self, counted: Counted, org: i64, count: usize) {
        self.known.insert((counted, org), count);
    }

    /// There is one fewer.
    pub(super) fn removed_one(&mut self, counted: Counted, org: i64) {
        if let Some(count) = self.known.get_mut(&(counted, org)) {
            *count = count.saturating_sub(1);
        }
    }
}
