//! What is kept between starts, below `data_dir/acme`: for the server's own user alone, since keys are among it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::issued::Issued;
use super::schedule::Failures;
use crate::config::AcmeSection;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const FAILURES: &str = "failures.json";

/// What is kept of one ACME server.
pub(super) struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// # Errors
    /// The directory cannot be made; says why.
    pub(super) fn open(data_dir: &Path, section: &AcmeSection) -> Result<Cache, String> {
        let directory = data_dir.join("acme").join(name_of(&section.directory_url));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Cache { directory })
    }

    /// The certificate that was kept, if there is one.
    pub(super) fn certificate(&self) -> Result<Option<Issued>, String> {
        let path = self.directory.join(CERTIFICATE);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
            Ok(pem) => match Issued::read(pem) {
                Ok(issued) => Ok(Some(issued)),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
        }
    }

    pub(super) fn keep_certificate(&self, issued: &Issued) -> io::Result<()> {
        self.write(CERTIFICATE, issued.pem.as_bytes())
    }

    /// The account, if there is one that can be read.
    pub(super) fn account<T: DeserializeOwned>(&self) -> Option<T> {
        self.read(ACCOUNT)
    }

    pub(super) fn keep_account(&self, account: &impl Serialize) -> io::Result<()> {
        self.write(ACCOUNT, &serde_json::to_vec(account)?)
    }

    pub(super) fn forget_account(&self) {
        let _ = fs::remove_file(self.directory.join(ACCOUNT));
    }

    pub(super) fn failures(&self) -> Failures {
        self.read(FAILURES).unwrap_or_default()
    }

    pub(super) fn note_failures(&self, failures: Failures) -> io::Result<()> {
        self.write(FAILURES, &serde_json::to_vec(&failures)?)
    }

    pub(super) fn forget_failures(&self) {
        let _ = fs::remove_file(self.failures_file());
    }

    pub(super) fn failures_file(&self) -> PathBuf {
        self.directory.join(FAILURES)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.directory.join(name)).ok()?).ok()
    }

    /// Puts a whole file in place of the one that there was.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = self.directory.join(format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, self.directory.join(name))?;
        File::open(&self.directory)?.sync_all()
    }
}

/// A URL as the name of a directory.
fn name_of(url: &str) -> String {
    let url = url.trim_start_matches("https://");
    url.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn cache(data_dir: &Path) -> Cache {
        let section = "domains = [\"a.example\"]\ndirectory_url = \"https://ca.example:14000/dir\"";
        Cache::open(data_dir, &toml::from_str(section).unwrap()).unwrap()
    }

    #[test]
    fn what_is_kept_is_there_at_the_next_start_and_for_nobody_else() {
        let data_dir = tempfile::tempdir().unwrap();
        let before = cache(data_dir.path());
        assert!(before.certificate().unwrap().is_none() && before.account::<String>().is_none());
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        let pem = key.serialize_pem() + &params.self_signed(&key).unwrap().pem();
        before.keep_certificate(&Issued::read(pem).unwrap()).unwrap();
        before.keep_account(&"account").unwrap();
        let failures = Failures { count: 2, next: 3, last: 1 };
        before.note_failures(failures).unwrap();
        let after = cache(data_dir.path());
        let kept = after.certificate().unwrap().unwrap();
        assert!(kept.is_for(&["A.example".to_owned()]) && !kept.is_for(&["b.example".to_owned()]));
        assert!(!kept.is_for(&["a.example".to_owned(), "b.example".to_owned()]));
        assert_eq!(after.account::<String>().as_deref(), Some("account"));
        assert_eq!(after.failures(), failures);
        let directory = data_dir.path().join("acme/ca.example_14000_dir");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        for entry in fs::read_dir(&directory).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        fs::write(directory.join(CERTIFICATE), "broken").unwrap();
        assert!(after.certificate().is_err());
    }
}
