//! Credentials and secrets as rows of their tables.

use antiphon_model::OrgId;
use rusqlite::{Connection, OptionalExtension, params};

use super::channels::Channels;
use super::database::sqlite_error;
use crate::vault::{CredentialKey, VaultChange};
use crate::{StoreError, StoredCredential};

/// Reads all credentials, in order.
pub(super) fn credentials(connection: &Connection) -> Result<Vec<StoredCredential>, StoreError> {
    let read = || {
        let mut select = connection.prepare(
            "SELECT orgs.name, kind, credentials.name, value FROM credentials JOIN orgs ON orgs.id = org_id \
             ORDER BY orgs.name, kind, credentials.name",
        )?;
        let rows = select.query_map([], |row| {
            let org = OrgId::new(row.get_ref(0)?.as_str()?);
            let key = CredentialKey::new(&org, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
            Ok(key.with(row.get::<_, Vec<u8>>(3)?.into()))
        })?;
        rows.collect::<Result<Vec<_>, _>>()
    };
    read().map_err(sqlite_error)
}

/// Reads a secret of the server's own, if there is one of the name.
pub(super) fn secret(connection: &Connection, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
    connection
        .query_row("SELECT value FROM secrets WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(sqlite_error)
}

/// Makes changes within a transaction that the caller began and will end.
pub(super) fn apply(
    connection: &Connection,
    channels: &mut Channels,
    changes: &[VaultChange],
) -> rusqlite::Result<()> {
    for change in changes {
        match change {
            VaultChange::Put(key, value) => {
                let org = channels.org(connection, &key.org)?;
                connection
                    .prepare_cached(
                        "INSERT INTO credentials (org_id, kind, name, value) VALUES (?1, ?2, ?3, ?4) \
                         ON CONFLICT (org_id, kind, name) DO UPDATE SET value = excluded.value",
                    )?
                    .execute(params![org, &*key.kind, &*key.name, &**value])?;
            }
            VaultChange::Remove(key) => {
                let org = channels.org(connection, &key.org)?;
                connection
                    .prepare_cached("DELETE FROM credentials WHERE org_id = ?1 AND kind = ?2 AND name = ?3")?
                    .execute(params![org, &*key.kind, &*key.name])?;
            }
            VaultChange::Secret(name, secret) => {
                connection
                    .prepare_cached(
                        "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                    )?
                    .execute(params![name, secret])?;
            }
        }
    }
    Ok(())
}
