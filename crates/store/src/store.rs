use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_model::{ChannelId, OrgId, Position, Publication, Timestamp};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{Change, Question, StoreError, StoreStats};

/// Where stored publications live, and what goes with them.
///
/// What is kept beside publications is changed and asked for by the methods of `dyn Store`, which a backend does by [`Store::change`] and
/// [`Store::ask`] alone.
pub trait Store: Send + Sync + 'static {
    /// Queues an entry and returns at once; entries are committed in the order queued.
    ///
    /// `done` is called exactly once: from the store's thread, in the order queued, after the commit of the
    /// entry's group or its failure. When the queue is over its limit (`queue_entries_max`, `queue_bytes_max`) or
    /// the store is closed, it is called at once, **on the calling thread**. It should be short: the next group
    /// waits for it. If it panics, the panic is logged and goes no further.
    fn append(&self, entry: Entry, done: Completion);

    /// Reads publications of one channel, oldest first. The future may be dropped.
    ///
    /// Sees everything whose completion was called before. Does not see what is not committed.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>>;

    /// Resolves when everything appended, leased, put or removed before the call is committed, or has failed.
    ///
    /// # Errors
    /// The store is closed.
    fn flush(&self) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Resolves when retention has removed all that was due at the call: what had expired by the store's clock, records too,
    /// and what is beyond its channel's `keep`. It runs by itself; this is for those who want to see the end of it.
    ///
    /// # Errors
    /// The store is closed, or removing failed.
    fn sweep(&self) -> BoxFuture<'static, Result<(), StoreError>>;

    /// The highest position `org` may have given out: no lower than its lease and than any publication ever stored,
    /// [`Position::ZERO`] for an unknown org. Blocks; meant for the start of the process.
    ///
    /// # Errors
    /// The disk fails.
    fn position_floor(&self, org: &OrgId) -> Result<Position, StoreError>;

    /// Says that `org` may give out positions up to `upto`, so that after a crash none is given twice.
    ///
    /// Goes into the next group, or one after it if that fails; [`Store::flush`] waits for it. Never lowers.
    fn lease_positions(&self, org: &OrgId, upto: Position);

    /// Keeps a small record under a key of the org's until `expires`; one that is there under the key is replaced.
    ///
    /// Returns at once; the record goes into the next group, or one after it if that fails, and [`Store::flush`] waits for it. When as
    /// many records wait as entries may (`queue_entries_max`, `queue_bytes_max`) it is not kept, and counted as
    /// overloaded. Beyond `records_max` those that expire first give way.
    fn put_record(&self, org: &OrgId, key: &str, value: Bytes, expires: Timestamp);

    /// Reads a record, which stays. Sees what was put and removed before the call, committed or not; none if it has expired by the
    /// store's clock. The future may be dropped.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    fn read_record(&self, org: &OrgId, key: &str) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>>;

    /// Removes a record, as [`Store::put_record`] puts one. Nothing happens if there is none.
    fn remove_record(&self, org: &OrgId, key: &str);

    /// All credentials of all orgs, by org, kind and name; also those of orgs that are none of this server's. Sees every change whose
    /// `done` was called before. Blocks; meant for the start of the process.
    ///
    /// # Errors
    /// The store is closed, or the disk fails.
    fn credentials(&self) -> Result<Vec<StoredCredential>, StoreError>;

    /// Keeps a credential until it is removed; the one of the same org, kind and name is replaced.
    ///
    /// `done` is called exactly once, as [`Store::append`] calls its completion; when it says `Ok`, the change survives what `durability`
    /// says. Changes of credentials are committed in the order queued, apart from entries, and take their room in the queue. A
    /// credential has 1 MiB at most, with its names.
    fn put_credential(&self, credential: StoredCredential, done: Done);

    /// Removes a credential, as [`Store::put_credential`] puts one. Nothing happens, and well, if there is none.
    fn remove_credential(&self, org: &OrgId, kind: &str, name: &str, done: Done);

    /// A random secret of the server's own: made and kept at the first call for this name, the same at every later one. Blocks, so
    /// never to be called by a completion; meant for the start of the process.
    ///
    /// # Errors
    /// The store is closed, its queue is full, the disk fails, or the operating system has no randomness.
    fn secret(&self, name: &str) -> Result<[u8; 32], StoreError>;

    /// Queues a change and returns at once; changes are made in the order queued, each after the entries that were queued before it. One
    /// that takes long is made in steps, between which others are made.
    ///
    /// What is told of its outcome is told as [`Store::append`] tells it; when that is `Ok`, the change survives what `durability` says. A
    /// change takes the room of an entry in the queue, and has 1 MiB at most.
    fn change(&self, change: Change);

    /// Answers a question, perhaps later. The answer sees every change whose `done` was called before.
    fn ask(&self, question: Question);

    /// How many entries and changes wait for their completion.
    fn queue_len(&self) -> usize;

    /// What the store has done so far.
    fn stats(&self) -> StoreStats;

    /// Commits what is queued and closes: whatever comes later fails with [`StoreError::Closed`]. Blocks. A second
    /// call does nothing. Called by a completion it only marks the store as closed.
    ///
    /// # Errors
    /// The database could not be closed in good order. What was acknowledged is safe all the same.
    fn close(&self) -> Result<(), StoreError>;
}

/// What is called when it is known what became of an entry.
pub type Completion = Box<dyn FnOnce(Result<Committed, StoreError>) + Send>;

/// What is called when it is known what became of a change.
pub type Done<T = ()> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// The wall clock by which a store's retention goes.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the operating system.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp((since_epoch.as_nanos() / 100) as u64)
    })
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It was written.
    Stored,
    /// Its idempotency key was seen before; nothing was written.
    Duplicate {
        /// Where the publication stands that was stored with the key.
        position: Position,
    },
}

/// A publication to store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose it is.
    pub org: OrgId,
    /// The publication. Its session to leave out is restored only by reads of the same process.
    pub publication: Arc<Publication>,
    /// A second entry with the same key, org, channel and publisher within `idempotency_keep_secs`, counted by
    /// positions, is a [`Committed::Duplicate`].
    pub idempotency_key: Option<Box<str>>,
    /// When it is no longer to be shown. None: kept until `keep` pushes it out.
    pub expires: Option<Timestamp>,
    /// How many publications the channel's history holds; the newest entry's word counts. Applied soon after, not
    /// at once: reads may show some more. None: as many as do not expire.
    pub keep: Option<u64>,
}

impl Entry {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.publication.memory_bytes() + self.idempotency_key.as_ref().map_or(0, |key| key.len())
    }
}

/// A credential as the store keeps it. Its `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Whose it is.
    pub org: OrgId,
    /// What sort of credential.
    pub kind: Box<str>,
    /// Its name, unique in its org among those of its kind.
    pub name: Box<str>,
    /// What is to be known of it, with what proves it. The store does not look into it.
    pub value: Bytes,
}

/// A channel among those of all orgs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChannelKey {
    pub(crate) org: OrgId,
    pub(crate) channel: Arc<ChannelId>,
}

impl ChannelKey {
    pub(crate) fn of(entry: &Entry) -> ChannelKey {
        ChannelKey { org: entry.org.clone(), channel: entry.publication.channel.clone() }
    }
}

/// What to read.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose channel.
    pub org: OrgId,
    /// Which channel.
    pub channel: Arc<ChannelId>,
    /// Which of its publications.
    pub range: Range,
    /// How many at most; a page may be shorter (`page_entries_max`, `page_bytes_max`) and says so by `more`.
    pub limit: usize,
    /// Publications that expire at or before this are not shown.
    pub now: Timestamp,
}

/// Which publications of a channel. Whatever the range, the answer is oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The oldest `limit` after this position.
    After(Position),
    /// The oldest `limit` after one position and not after another.
    AfterUntil {
        /// Exclusive.
        after: Position,
        /// Inclusive.
        until: Position,
    },
    /// The oldest or the newest `limit` after one position and not after another.
    Between {
        /// Exclusive.
        after: Position,
        /// Inclusive.
        until: Position,
        /// Which of them, if there are more than `limit`.
        from: End,
    },
    /// The newest `limit`.
    Newest,
    /// The newest `limit` strictly before this position.
    Before(Position),
}

impl Range {
    /// The first and last position in the range; empty if the first is the greater.
    pub(crate) fn bounds(self) -> (u64, u64) {
        match self {
            Range::After(after) => (after.0.saturating_add(1), u64::MAX),
            Range::AfterUntil { after, until } | Range::Between { after, until, .. } => between(after, until),
            Range::Newest => (0, u64::MAX),
            Range::Before(Position(0)) => (1, 0),
            Range::Before(before) => (0, before.0 - 1),
        }
    }

    pub(crate) fn end(self) -> End {
        match self {
            Range::After(_) | Range::AfterUntil { .. } => End::Oldest,
            Range::Between { from, .. } => from,
            Range::Newest | Range::Before(_) => End::Newest,
        }
    }
}

/// The first and the last position after one and not after another; empty if the first is the greater.
pub(crate) fn between(after: Position, until: Position) -> (u64, u64) {
    if after == Position(u64::MAX) { (1, 0) } else { (after.0 + 1, until.0) }
}

/// The end of a range from which a page is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What is oldest comes first into the page.
    Oldest,
    /// What is newest does.
    Newest,
}

/// An answer to a [`Query`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Oldest first.
    pub publications: Vec<Arc<Publication>>,
    /// Whether the range has more: newer ones than the last if the page was filled from the oldest, older ones than the first if from
    /// the newest.
    pub more: bool,
    /// Everything of the channel up to here was removed or has expired: who asks from before it has a gap.
    /// [`Position::ZERO`] if nothing was.
    pub trimmed_to: Position,
}
