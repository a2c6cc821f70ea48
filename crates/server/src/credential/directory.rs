use std::path::Path;
use std::sync::mpsc;

use antiphon_access::{Access, Credential, CredentialError, CredentialKind, Secret};
use antiphon_model::{ChannelPattern, OrgId};
use antiphon_store::{DATABASE_FILE, Done, SqliteStore, Store, StoreError, StoredCredential};

use super::table::Listed;
use super::{Existing, New, secret};
use crate::config::{Sources, StoreKind};
use crate::failure::Failure;
use crate::serve::plan::Plan;

/// What becomes of a database that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is made: credentials can be there before the server is started for the first time.
    Make,
    /// It is likely not the directory that was meant.
    Refuse,
}

/// The database of a server that does not run.
pub(super) struct Directory {
    store: SqliteStore,
    /// What the configuration and the database come to, by the rules of a server that runs.
    access: Access,
    org: OrgId,
    path: Box<str>,
}

impl Directory {
    /// Opens the database.
    ///
    /// # Errors
    /// A server runs with it; or it, the configuration or the org cannot be used.
    pub(super) fn open(
        path: &Path,
        org: Option<&str>,
        config: Option<&Path>,
        absent: Absent,
    ) -> Result<Directory, Failure> {
        let settings = Sources::with_file(config).settings()?;
        if settings.store.kind == StoreKind::Memory {
            return Err(Failure::new("store.kind is memory: the server would not read a database"));
        }
        let access = Plan::new(&settings)?.access;
        let org = choose(&access, org)?;
        if absent == Absent::Refuse && !path.join(DATABASE_FILE).is_file() {
            let path = path.display();
            return Err(Failure::new(format!(
                "{path} is no data directory of a server: {DATABASE_FILE} is not in it"
            )));
        }
        let failed = |error: StoreError| why_not(&error, path);
        let store = SqliteStore::open(path, &settings.store.behaviour).map_err(failed)?;
        for stored in store.credentials().map_err(failed)? {
            add_stored(&access, &stored);
        }
        Ok(Directory { store, access, org, path: path.display().to_string().into() })
    }

    /// Adds a credential. Gives the secret if it was made up here.
    pub(super) fn add(&self, new: &New<'_>) -> Result<Option<Secret>, Failure> {
        let made_up = new.secret.is_none().then(secret::made_up).transpose()?;
        let secret = new.secret.as_ref().or(made_up.as_ref()).expect("there is one, or it was made up");
        let patterns = |channels: &[String]| channels.iter().map(|text| ChannelPattern::new(text)).collect();
        let (allow, channels) = (new.allow.map(<[_]>::to_vec), new.channels.map(patterns));
        let credential = Credential::new(new.kind, new.name, secret, allow, channels).map_err(words)?;
        match self.access.check_credential(&self.org, &credential) {
            Err(CredentialError::Exists) if new.existing == Existing::Replace => {}
            Err(CredentialError::Exists) => {
                return Err(Failure::new(format!(
                    "{} is there already: --replace takes its place",
                    new.name
                )));
            }
            checked => checked.map_err(words)?,
        }
        let stored = StoredCredential {
            org: self.org.clone(),
            kind: new.kind.as_str().into(),
            name: new.name.into(),
            value: credential.to_bytes().into(),
        };
        self.change(|done| self.store.put_credential(stored, done))?;
        Ok(made_up)
    }

    /// The org's credentials.
    pub(super) fn list(&self) -> Result<Vec<Listed>, Failure> {
        let credentials = serde_json::to_value(self.access.credentials(&self.org)).map_err(words)?;
        serde_json::from_value(credentials).map_err(words)
    }

    /// Ends a credential.
    pub(super) fn revoke(&self, kind: CredentialKind, name: &str) -> Result<(), Failure> {
        self.access.remove_credential(&self.org, kind, name).map_err(words)?;
        self.change(|done| self.store.remove_credential(&self.org, kind.as_str(), name, done))
    }

    /// Waits until a change is on disk.
    fn change(&self, make: impl FnOnce(Done)) -> Result<(), Failure> {
        let (told, outcome) = mpsc::channel();
        // Whoever waits here is there to be told.
        make(Box::new(move |result| drop(told.send(result))));
        let result = outcome.recv().unwrap_or(Err(StoreError::Closed));
        result.map_err(|error| why_not(&error, Path::new(&*self.path)))
    }
}

fn choose(access: &Access, name: Option<&str>) -> Result<OrgId, Failure> {
    let orgs = access.orgs();
    let names = || orgs.iter().map(|org| org.id.to_string()).collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        return match &orgs[..] {
            [only] => Ok(only.id.clone()),
            _ => Err(Failure::new(format!("give --org, one of {}", names()))),
        };
    };
    let found = orgs.iter().find(|org| org.id == OrgId::new(name));
    let unknown =
        || format!("there is no org {name}, only {}: give the file that has it with --config", names());
    found.map(|org| org.id.clone()).ok_or_else(|| Failure::new(unknown()))
}

/// What is stored for an org that is gone, or cannot be read, is left alone: the server says so when it starts.
fn add_stored(access: &Access, stored: &StoredCredential) {
    let Ok(kind) = stored.kind.parse() else { return };
    if let Ok(credential) = Credential::from_bytes(kind, &stored.name, &stored.value) {
        let _ = access.add_credential(&stored.org, credential);
    }
}

fn why_not(error: &StoreError, path: &Path) -> Failure {
    let path = path.display();
    Failure::new(match error {
        StoreError::InUse => format!(
            "{path} is in use by a server that runs: leave --data-dir out, and say with --url and --token which server and as whom"
        ),
        error => format!("{path}: {error}"),
    })
}

fn words(error: impl std::error::Error) -> Failure {
    Failure::new(error.to_string())
}
