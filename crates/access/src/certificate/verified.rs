//! The certificates that were verified and are in use: a signature is computed once for each, not for each request.

use std::collections::HashMap;
use std::sync::Arc;

use antiphon_model::Timestamp;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::refused::CertificateRefused;
use crate::caller::Revocation;
use crate::{Access, Caller};

/// How many there may be before those that nobody uses are forgotten. What is in use is bounded by the connections.
const SWEEP_AT: usize = 1024;

/// What has been verified, by the digest of the certificate.
#[derive(Default)]
pub(crate) struct VerifiedCertificates(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_digest: HashMap<[u8; 32], Verified>,
    sweep_at: usize,
}

#[derive(Clone)]
struct Verified {
    caller: Caller,
    /// What tells those who came by it that it is good for nothing.
    revocation: Revocation,
    chain: Arc<[CertificateDer<'static>]>,
    at: Timestamp,
    generation: u64,
}

/// What was found counts only if the tables have not been replaced meanwhile.
enum Outcome {
    Counts(Caller),
    Outdated,
}

impl Access {
    /// Who holds a certificate; verified if it is not known.
    pub(super) fn verified(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<Caller, CertificateRefused> {
        let own = chain.first().ok_or(CertificateRefused::Malformed)?;
        let digest = Sha256::digest(own).into();
        loop {
            let tables = self.tables();
            if let Some(caller) = self.certificates.caller(&digest, tables.generation, now) {
                return Ok(caller);
            }
            let caller = tables.holder_of(chain, now)?;
            if let Outcome::Counts(caller) = self.remember(digest, chain, caller, tables.generation, now) {
                return Ok(caller);
            }
        }
    }

    fn remember(
        &self,
        digest: [u8; 32],
        chain: &[CertificateDer<'_>],
        caller: Caller,
        generation: u64,
        at: Timestamp,
    ) -> Outcome {
        let mut known = self.certificates.0.lock();
        // A reload first replaces the tables, and then looks at what is here.
        if self.tables().generation != generation {
            return Outcome::Outdated;
        }
        let revocation = match known.by_digest.get(&digest) {
            Some(before) if is_same_client(&before.caller, &caller) => before.revocation.clone(),
            Some(before) => {
                // The reload that made it somebody else's has not come to it yet, and will not find it.
                before.revocation.revoke();
                Default::default()
            }
            None => Default::default(),
        };
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let verified = Verified { caller, revocation, chain, at, generation };
        let caller = verified.caller();
        known.insert(digest, verified);
        Outcome::Counts(caller)
    }

    /// Ends those whose certificates are good for nothing by what a reload has read.
    pub(crate) fn verify_certificates_again(&self) {
        let tables = self.tables();
        for (digest, before) in self.certificates.older_than(tables.generation) {
            // Its time is looked at whenever it is used.
            let again = tables.holder_of(&before.chain, before.at);
            let is_good = again.is_ok_and(|again| is_same_client(&again, &before.caller));
            let mut known = self.certificates.0.lock();
            let current = known.by_digest.get_mut(&digest);
            let current = current.filter(|current| current.revocation.is_same(&before.revocation));
            match current {
                Some(current) if is_good => current.generation = current.generation.max(tables.generation),
                current => {
                    let was_current = current.is_some();
                    before.revocation.revoke();
                    if was_current {
                        known.by_digest.remove(&digest);
                    }
                }
            }
        }
    }
}

impl VerifiedCertificates {
    fn caller(&self, digest: &[u8; 32], generation: u64, now: Timestamp) -> Option<Caller> {
        let known = self.0.lock();
        let verified = known.by_digest.get(digest).filter(|verified| verified.generation == generation)?;
        if verified.caller.has_expired(now) { None } else { Some(verified.caller()) }
    }

    fn older_than(&self, generation: u64) -> Vec<([u8; 32], Verified)> {
        let known = self.0.lock();
        let older = known.by_digest.iter().filter(|(_, verified)| verified.generation < generation);
        older.map(|(digest, verified)| (*digest, verified.clone())).collect()
    }
}

impl Known {
    fn insert(&mut self, digest: [u8; 32], verified: Verified) {
        if self.by_digest.len() >= self.sweep_at.max(SWEEP_AT) {
            self.by_digest.retain(|_, verified| verified.revocation.is_watched());
            self.sweep_at = self.by_digest.len() * 2;
        }
        self.by_digest.insert(digest, verified);
    }
}

impl Verified {
    fn caller(&self) -> Caller {
        let mut caller = self.caller.clone();
        caller.revocations = vec![self.revocation.clone()];
        caller
    }
}

fn is_same_client(one: &Caller, other: &Caller) -> bool {
    one.org == other.org && one.identity == other.identity
}
