//! The file: how it is locked, opened, brought to the present schema, and what its errors mean.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::{Durability, StoreError, StoreSettings};

/// The database within the data directory; SQLite puts `-wal` and `-shm` files beside it.
pub const DATABASE_FILE: &str = "antiphon.db";
/// The file within the data directory that a running server holds locked.
pub const LOCK_FILE: &str = "antiphon.lock";

/// Number `n` brings a database of `user_version` `n` to `n + 1`. Never changed once released, only added to.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_initial.sql"),
    include_str!("migrations/002_arguments_and_records.sql"),
    include_str!("migrations/003_credentials.sql"),
    include_str!("migrations/004_actions_objects_items.sql"),
];

/// Marks a SQLite file as ours: "Anti" in ASCII.
const APPLICATION_ID: i64 = 0x416e_7469;

pub(super) const PAGE_BYTES: u64 = 4096;

/// Takes the data directory for this process, creating it if need be. It is let go when the file is dropped.
pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    fs::create_dir_all(directory).map_err(|error| io_error(directory, &error))?;
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| io_error(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(io_error(&path, &error)),
    }
}

/// Opens the database for writing, creating and migrating it if need be.
pub(super) fn open_for_writing(path: &Path, settings: &StoreSettings) -> Result<Connection, StoreError> {
    keep_from_others(path)?;
    let mut connection = Connection::open(path).map_err(sqlite_error)?;
    prepare(&mut connection, settings).map_err(sqlite_error)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Has the database and what SQLite puts beside it readable for its owner only, because credentials are in it; a group that an operator
/// let in stays.
#[cfg(unix)]
fn keep_from_others(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    match made {
        // SQLite takes an empty file for a new database, and gives the files beside it the mode of this one.
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error(path, &error)),
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let Ok(metadata) = fs::metadata(&file) else {
            continue;
        };
        let mode = metadata.permissions().mode();
        if mode & 0o007 != 0
            && let Err(error) = fs::set_permissions(&file, fs::Permissions::from_mode(mode & !0o007))
        {
            tracing::warn!(%error, file = %file.display(), "others may read this file, and credentials are in it");
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_from_others(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

fn prepare(connection: &mut Connection, settings: &StoreSettings) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(settings.busy_timeout_millis))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let synchronous = match settings.durability {
        Durability::Process => "normal",
        Durability::Power => "full",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Checkpoints are run by hand, see checkpoint.rs.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection
        .pragma_update_and_check(None, "journal_size_limit", settings.wal_bytes_max as i64, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -(settings.page_cache_bytes as i64 / 1024))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // Ids of other tables are checked by how they are come by; looking them up again for each row costs.
    connection.pragma_update(None, "foreign_keys", false)?;
    let pages_max = match settings.database_bytes_max {
        0 => i64::from(u32::MAX - 1),
        bytes => (bytes / PAGE_BYTES).clamp(1, u64::from(u32::MAX - 1)) as i64,
    };
    connection.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite_error)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = pragma("user_version").map_err(sqlite_error)?;
    let application = pragma("application_id").map_err(sqlite_error)?;
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite_error)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Corrupt("it belongs to another application".into()));
    }
    if !(0..=known).contains(&found) {
        return Err(StoreError::NewerSchema { found, known });
    }
    let pending = &MIGRATIONS[found as usize..];
    if !pending.is_empty() {
        apply(&transaction, pending).map_err(sqlite_error)?;
    }
    transaction.commit().map_err(sqlite_error)
}

fn apply(transaction: &Transaction<'_>, migrations: &[&str]) -> rusqlite::Result<()> {
    for migration in migrations {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)
}

/// Opens the database for reading only.
pub(super) fn open_for_reading(path: &Path, settings: &StoreSettings) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_millis(settings.busy_timeout_millis))?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -(settings.page_cache_bytes as i64 / 8 / 1024))?;
        Ok(connection)
    };
    open().map_err(sqlite_error)
}

/// Counts this opening and gives its number.
pub(super) fn begin_run(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .query_row("UPDATE server SET run = run + 1 RETURNING run", [], |row| row.get(0))
        .map_err(sqlite_error)
}

fn io_error(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display()).into();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly(text),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => StoreError::Io(text),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
pub(super) fn sqlite_error(error: rusqlite::Error) -> StoreError {
    let text = || error.to_string().into();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            StoreError::Locked
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly(text()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(text()),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StoreError::Io(text()),
        _ => StoreError::Internal(text()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use antiphon_model::{
        Arguments, ChannelFlags, ChannelId, Draft, OrgId, Payload, Position, RawJson, Timestamp,
    };

    use super::*;
    use crate::{
        Action, ActionPage, ActionQuery, ActionRange, Added, Committed, Entry, ObjectKind, ObjectPatch,
        Query, Range, SqliteStore, Store, StoredCredential,
    };

    #[test]
    fn a_new_database_is_brought_to_the_present_schema_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE_FILE);
        for run in 1..4 {
            let connection = open_for_writing(&path, &StoreSettings::default()).unwrap();
            assert_eq!(begin_run(&connection), Ok(run));
        }
    }

    /// A file as the first version wrote it: nothing of it is lost, and it takes what is new.
    #[test]
    fn a_database_of_an_earlier_schema_is_brought_to_the_present_one() {
        let directory = tempfile::tempdir().unwrap();
        let old = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO orgs (name) VALUES ('org'); \
             INSERT INTO channels (org_id, name, flags, trimmed_to) VALUES (1, 'room', 0, 3); \
             INSERT INTO publications (channel_id, position, kind, format, expects_replies, payload) \
             VALUES (1, 7, 0, 1, 0, 'old')",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (org, room) = (OrgId::new("org"), Arc::new(ChannelId::new("room", ChannelFlags::NONE).unwrap()));
        let json = RawJson::from_serializer("[{\"_placeholder\":true,\"num\":0}]");
        let arguments = Arguments::new(json, vec!["bytes".into()]).unwrap();
        let mut new = Draft::new(Arc::clone(&room), Payload::Arguments(Arc::new(arguments)));
        new.except_listeners_of = Some([Arc::clone(&room)].into());
        let new = Arc::new(new.at(Position(8)));
        let entry = Entry {
            org: org.clone(),
            publication: Arc::clone(&new),
            idempotency_key: None,
            expires: None,
            keep: None,
        };
        let store = SqliteStore::open(directory.path(), &StoreSettings::default()).unwrap();
        store.append(entry, Box::new(|outcome| assert_eq!(outcome, Ok(Committed::Stored))));
        store.put_record(&org, "key", "value".into(), Timestamp(u64::MAX));
        runtime.block_on(store.flush()).unwrap();
        assert_eq!(runtime.block_on(store.read_record(&org, "key")), Ok(Some("value".into())));
        let query = Query { org, channel: room, range: Range::Newest, limit: 10, now: Timestamp(0) };
        let page = runtime.block_on(store.read(query)).unwrap();
        assert_eq!(
            (&page.publications[0].payload, page.trimmed_to),
            (&Payload::Text("old".into()), Position(3))
        );
        assert_eq!(page.publications[1..], [new]);
        assert_eq!((store.credentials(), store.secret("own").is_ok()), (Ok(vec![]), true));
    }

    /// As the version before this wrote it.
    #[test]
    fn a_database_without_credentials_takes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE_FILE);
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&MIGRATIONS[..2].concat()).unwrap();
        old.execute_batch(
            "INSERT INTO orgs (name) VALUES ('one'), ('org'); INSERT INTO records VALUES (2, 'key', x'61', 9)",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 2).unwrap();
        drop(old);

        let store = SqliteStore::open(directory.path(), &StoreSettings::default()).unwrap();
        let (done, outcome) = std::sync::mpsc::channel();
        let credential = StoredCredential {
            org: OrgId::new("org"),
            kind: "device".into(),
            name: "door".into(),
            value: "secret".into(),
        };
        store.put_credential(credential.clone(), Box::new(move |result| done.send(result).unwrap()));
        assert_eq!(outcome.recv().unwrap(), Ok(()));
        assert_eq!(store.credentials(), Ok(vec![credential]));
        drop(store);
        let version = |connection: Connection| -> rusqlite::Result<(i64, i64)> {
            let records = connection.query_row("SELECT count(*) FROM records", [], |row| row.get(0))?;
            Ok((connection.pragma_query_value(None, "user_version", |row| row.get(0))?, records))
        };
        assert_eq!(version(Connection::open(&path).unwrap()), Ok((4, 1)));
    }

    /// As the version before this wrote it.
    #[test]
    fn a_database_without_objects_takes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE_FILE);
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&MIGRATIONS[..3].concat()).unwrap();
        old.execute_batch(
            "INSERT INTO orgs (name) VALUES ('one'), ('org'); \
             INSERT INTO channels (org_id, name, flags, trimmed_to) VALUES (2, 'room', 0, 3); \
             INSERT INTO publications (channel_id, position, kind, format, expects_replies, payload) \
             VALUES (1, 7, 0, 1, 0, 'old'); \
             INSERT INTO credentials VALUES (2, 'device', 'door', x'61')",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 3).unwrap();
        drop(old);

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = SqliteStore::open(directory.path(), &StoreSettings::default()).unwrap();
        let store: &dyn Store = &store;
        let (org, room) = (OrgId::new("org"), Arc::new(ChannelId::new("room", ChannelFlags::NONE).unwrap()));
        let patch = ObjectPatch { name: Some(Some("Alice".into())), ..ObjectPatch::default() };
        let is_set = |outcome: Result<_, _>| assert!(matches!(outcome, Ok(Ok(_))));
        store.set_object(&org, ObjectKind::User, "alice", patch, None, Timestamp(0), Box::new(is_set));
        let action = Action {
            message: Position(7),
            position: Position(8),
            kind: "like".into(),
            value: "x".into(),
            publisher: "alice".into(),
        };
        store.add_action(&org, &room, action, Box::new(|outcome| assert_eq!(outcome, Ok(Added::New))));
        store.put_item(
            &org,
            "groups",
            "a",
            "1".into(),
            None,
            Box::new(|outcome| assert_eq!(outcome, Ok(()))),
        );
        runtime.block_on(store.flush()).unwrap();
        let alice = runtime.block_on(store.object(&org, ObjectKind::User, "alice")).unwrap().unwrap();
        assert_eq!(alice.name.as_deref(), Some("Alice"));
        assert_eq!(runtime.block_on(store.item(&org, "groups", "a")), Ok(Some("1".into())));
        assert_eq!(runtime.block_on(store.count(&org, &room, Position(0))), Ok(1));
        assert_eq!(store.credentials().unwrap().len(), 1);
        // The action is on the message of old, and goes with it.
        store.delete(&org, &room, Position(6), Position(7), Box::new(|outcome| assert_eq!(outcome, Ok(1))));
        runtime.block_on(store.flush()).unwrap();
        let by = ActionRange::ByMessages { after: Position(0), until: Position(9) };
        let actions = runtime.block_on(store.actions(&org, &room, ActionQuery { by, limit: 9 }));
        assert_eq!(actions, Ok(ActionPage::default()));
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE_FILE);
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        let opened = open_for_writing(&path, &StoreSettings::default());
        assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");

        fs::write(&path, "no database at all, but long enough to be taken for the header of one: ".repeat(9))
            .unwrap();
        let opened = open_for_writing(&path, &StoreSettings::default());
        assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
    }
}
