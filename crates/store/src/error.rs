use std::sync::Arc;

use antiphon_model::Position;

/// Why the store did not do what it was asked.
///
/// Cheap to clone: one failed transaction is the answer to every entry of its group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue of entries or of reads is at its limit; try again later.
    #[error("the store is overloaded: its queue is full")]
    Overloaded,
    /// No space is left on the disk, or the database has reached its size limit.
    #[error("the store's disk is full, or its database has reached database_bytes_max")]
    DiskFull,
    /// Another process held the database locked for longer than `busy_timeout_millis`.
    #[error("the store's database is locked by another process")]
    Locked,
    /// The database or its directory cannot be written to.
    #[error("the store cannot be written to: {0}")]
    ReadOnly(Arc<str>),
    /// The database file is damaged, or is something else than a database of this program.
    #[error("the store's database is damaged or not one of Antiphon's: {0}")]
    Corrupt(Arc<str>),
    /// The operating system reported an error.
    #[error("the store's disk failed: {0}")]
    Io(Arc<str>),
    /// Another server has this data directory open.
    #[error("the data directory is in use by another server")]
    InUse,
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: use a newer Antiphon"
    )]
    NewerSchema {
        /// The version of the file.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The channel already has a publication at this position. Nothing was written.
    #[error("position {0} of the channel is taken")]
    PositionTaken(Position),
    /// There are as many as the setting of this name allows. Nothing was written.
    #[error("there are as many as {0} allows")]
    LimitReached(&'static str),
    /// A list took longer than `list_millis_max`.
    #[error("the list takes too long: ask for less, or with a simpler filter")]
    TooExpensive,
    /// A list was asked for with a filter or an order that it cannot have.
    #[error("this cannot be asked for: {0}")]
    BadQuery(Arc<str>),
    /// This one entry, credential or other change cannot be stored, whatever the state of the disk. Nothing was written.
    #[error("this cannot be stored: {0}")]
    Unstorable(Arc<str>),
    /// The store misbehaved in a way that is its own fault.
    #[error("the store failed: {0}")]
    Internal(Arc<str>),
}

impl StoreError {
    /// Whether the same request may succeed later without anybody changing it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, StoreError::Overloaded | StoreError::DiskFull | StoreError::Locked | StoreError::Io(_))
    }
}
