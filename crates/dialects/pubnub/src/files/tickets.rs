//! Addresses that permit one thing for a while: to upload a certain file, or to download one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use antiphon_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::{Deserialize, Serialize};

use super::FileId;

/// Signs tickets, and checks them. The key is kept beside the files, so that tickets outlive a restart.
pub(crate) struct Tickets {
    signs: EncodingKey,
    verifies: DecodingKey,
}

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    Upload,
    Download,
}

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) r#use: Use,
    /// The subscribe key.
    pub(crate) sub: String,
    pub(crate) channel: String,
    pub(crate) id: String,
    /// What the file is called.
    pub(crate) name: String,
    /// The first second in which it is good for nothing, since the epoch.
    pub(crate) until: u64,
}

/// A ticket is not good for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTicket {
    #[error("The URL is not one of this server's, or is for something else.")]
    Forged,
    #[error("The URL has expired.")]
    Expired,
}

/// What the file with the key is called.
const KEY_FILE: &str = "key";

const KEY_BYTES: usize = 32;

impl Tickets {
    /// Reads the key from a directory; makes one if there is none.
    pub(super) fn load(dir: &Path) -> io::Result<Tickets> {
        let path = dir.join(KEY_FILE);
        match fs::read(&path) {
            Ok(key) if key.len() == KEY_BYTES => return Ok(Tickets::of_key(&key)),
            // A crash may have left half of one.
            Ok(_) => fs::remove_file(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|_| io::Error::other("there are no random numbers"))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(&key)?;
        file.sync_all()?;
        Ok(Tickets::of_key(&key))
    }

    /// Signs and checks with this key.
    pub(crate) fn of_key(key: &[u8]) -> Tickets {
        Tickets { signs: EncodingKey::from_secret(key), verifies: DecodingKey::from_secret(key) }
    }

    /// Writes a ticket as a text that can stand in a path.
    pub(crate) fn write(&self, ticket: &Ticket) -> String {
        let json = serde_json::to_vec(ticket).expect("texts and numbers are JSON");
        let contents = URL_SAFE_NO_PAD.encode(json);
        let code = crypto::sign(contents.as_bytes(), &self.signs, Algorithm::HS256);
        format!("{contents}.{}", code.expect("any key and any text can be signed"))
    }

    /// Reads a ticket.
    ///
    /// # Errors
    /// It was not signed here, is for something else, or is over.
    pub(crate) fn read(
        &self,
        text: &str,
        r#use: Use,
        sub: &str,
        now: Timestamp,
    ) -> Result<Ticket, BadTicket> {
        let (contents, code) = text.split_once('.').ok_or(BadTicket::Forged)?;
        if !crypto::verify(code, contents.as_bytes(), &self.verifies, Algorithm::HS256).unwrap_or(false) {
            return Err(BadTicket::Forged);
        }
        let json = URL_SAFE_NO_PAD.decode(contents).map_err(|_| BadTicket::Forged)?;
        let ticket: Ticket = serde_json::from_slice(&json).map_err(|_| BadTicket::Forged)?;
        if ticket.r#use != r#use || ticket.sub != sub {
            return Err(BadTicket::Forged);
        }
        if now.as_secs() >= ticket.until { Err(BadTicket::Expired) } else { Ok(ticket) }
    }
}

impl Ticket {
    /// The file's id, which a signed ticket has.
    pub(crate) fn file(&self) -> Result<FileId, BadTicket> {
        self.id.parse().map_err(|_| BadTicket::Forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket() -> Ticket {
        Ticket {
            r#use: Use::Upload,
            sub: "sub".into(),
            channel: "a/b".into(),
            id: "01890000-0000-7000-8000-000000000000".into(),
            name: "../ü.txt".into(),
            until: 100,
        }
    }

    #[test]
    fn a_ticket_is_good_for_one_thing_and_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let tickets = Tickets::load(dir.path()).unwrap();
        let text = tickets.write(&ticket());
        let at = |secs| Timestamp(secs * Timestamp::PER_SECOND);
        // Also after a restart.
        let tickets = Tickets::load(dir.path()).unwrap();
        assert_eq!(tickets.read(&text, Use::Upload, "sub", at(99)), Ok(ticket()));
        assert_eq!(tickets.read(&text, Use::Upload, "sub", at(100)), Err(BadTicket::Expired));
        assert_eq!(tickets.read(&text, Use::Download, "sub", at(99)), Err(BadTicket::Forged));
        assert_eq!(tickets.read(&text, Use::Upload, "other", at(99)), Err(BadTicket::Forged));
        let other = Tickets::of_key(&[7; KEY_BYTES]);
        assert_eq!(other.read(&text, Use::Upload, "sub", at(99)), Err(BadTicket::Forged));
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(dir.path().join(KEY_FILE)).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_ticket_cannot_be_changed() {
        let tickets = Tickets::of_key(&[7; KEY_BYTES]);
        let text = tickets.write(&ticket());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(tickets.read(&changed, Use::Upload, "sub", Timestamp(0)).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-Za-z0-9_.-]{0,80}", any: String) {
            let tickets = Tickets::of_key(&[7; KEY_BYTES]);
            for text in [text, any] {
                prop_assert!(tickets.read(&text, Use::Upload, "sub", Timestamp(0)).is_err());
            }
        }
    }
}
