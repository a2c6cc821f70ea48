//! What the fuzz targets call, and what the corpus is replayed with. Not for other use.

use antiphon_access::{CredentialKind, LimitSettings};
use antiphon_net::content_encoding::{self, ContentEncoding};

pub use crate::v1::fuzzing::envelope;
use crate::wire::credential::NewCredential;
use crate::wire::listen::{Channels, Listen};
use crate::wire::publish::{Publish, PublishHeaders};
use crate::wire::query::Query;
use crate::wire::{accept, batch, media, path};

/// The first line of a request's target: a path and a query, as one client may send them. The lines after it are the values
/// of the headers that the dialect reads.
pub fn query(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let _ = path::parse(path);
    let query = Query::parse(query);
    let limits = LimitSettings::default();
    let header = lines.next();
    for channels in [Channels::One("room"), Channels::Many { min: 1 }] {
        if let Ok(listen) = Listen::parse(&query, channels, header, &limits, 1000) {
            assert!((1..=1000).contains(&listen.limit));
            assert!((1..=limits.subscriptions_per_session_max).contains(&listen.channels.len()));
        }
    }
    let headers = PublishHeaders { meta: header, idempotency_key: lines.next() };
    let _ = Publish::parse(&query, headers, &limits);
    if let Some(text) = header.and_then(|header| std::str::from_utf8(header).ok()) {
        let _ = (accept::listening(Some(text)), media::Media::of(Some(text)));
        let _ = content_encoding::negotiate(Some(text), &[ContentEncoding::Zstd, ContentEncoding::Gzip]);
    }
}

/// The body of a batch.
pub fn batch(data: &[u8]) {
    const MAX: usize = 100;
    if let Ok(drafts) = batch::parse(data, MAX, &LimitSettings::default()) {
        assert!(drafts.len() <= MAX);
    }
}

/// The body of a credential that is added. Passwords are not hashed, which would leave little time for anything else.
pub fn credential(data: &[u8]) {
    if let Ok(new) = NewCredential::parse(data)
        && new.kind != CredentialKind::User
        && let Ok(made) = new.make()
    {
        let shown = format!("{made:?}");
        assert!(made.made_up.is_none_or(|secret| !shown.contains(secret.expose())));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What once was found, or seeded, stays harmless.
    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(corpus);
        let Ok(entries) = std::fs::read_dir(&directory) else { return 0 };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| target(&std::fs::read(path).unwrap()))
            .count()
    }

    #[test]
    fn the_corpora_are_survived() {
        assert!(replay("query", super::query) > 0);
        assert!(replay("batch", super::batch) > 0);
        assert!(replay("credential", super::credential) > 0);
    }
}
