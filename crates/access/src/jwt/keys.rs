use std::path::{Path, PathBuf};
use std::sync::Arc;

use antiphon_model::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use crate::key_file::{self, KeyFileError};
use crate::{AuthError, Grant, JwtAlgorithm, JwtSettings, Secret, TokenClaims};

/// RFC 7518, 3.2: a key of the same size as the hash output or larger.
const SECRET_BYTES_MIN: usize = 32;
/// RFC 7518, 3.3: 2048 bits or larger; beyond 4096 each verification costs too much.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// How many keys of a set are taken: a token without `kid` could be tried with as many.
const JWKS_KEYS_MAX: usize = 100;

/// A signer's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None or more than one place to take the key from.
    #[error("a jwt entry has exactly one of secret, secret_file, public_key_file and jwks_file")]
    Sources,
    /// The algorithm does not go with the sort of key, or is missing.
    #[error("{0}")]
    Algorithm(&'static str),
    /// An HMAC secret that could be guessed.
    #[error("the secret of HS256 has at least {SECRET_BYTES_MIN} bytes")]
    SecretTooShort,
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The file holds no key of the algorithm.
    #[error("{path}: {problem}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// Somebody who signs tokens for an org, and what we hold of his tokens.
pub(crate) struct Signer {
    pub(crate) keys: Vec<VerifyingKey>,
    /// What tokens without a `permissions` claim permit.
    pub(crate) default_grants: Arc<[Grant]>,
    issuer: Option<String>,
    audience: Option<String>,
    require_exp: bool,
    nbf_leeway: u64,
}

/// A key and the one algorithm that it is used with.
pub(crate) struct VerifyingKey {
    pub(crate) algorithm: JwtAlgorithm,
    kid: Option<String>,
    key: DecodingKey,
}

impl JwtAlgorithm {
    pub(crate) fn of_name(name: &str) -> Option<JwtAlgorithm> {
        match name {
            "HS256" => Some(JwtAlgorithm::HS256),
            "RS256" => Some(JwtAlgorithm::RS256),
            "ES256" => Some(JwtAlgorithm::ES256),
            "EdDSA" => Some(JwtAlgorithm::EdDSA),
            _ => None,
        }
    }

    pub(crate) fn in_library(self) -> Algorithm {
        match self {
            JwtAlgorithm::HS256 => Algorithm::HS256,
            JwtAlgorithm::RS256 => Algorithm::RS256,
            JwtAlgorithm::ES256 => Algorithm::ES256,
            JwtAlgorithm::EdDSA => Algorithm::EdDSA,
        }
    }
}

impl VerifyingKey {
    /// Whether a token that names `kid`, or none, may be tried with it.
    pub(crate) fn is_named_by(&self, kid: Option<&str>) -> bool {
        self.kid.is_none() || self.kid.as_deref() == kid
    }

    pub(crate) fn verifies(&self, signed: &str, signature: &str) -> bool {
        let algorithm = self.algorithm.in_library();
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

impl Signer {
    /// Reads the keys that the settings name.
    pub(crate) fn load(settings: &JwtSettings) -> Result<Signer, KeyError> {
        let permissions = settings.allow.iter().copied().collect();
        Ok(Signer {
            keys: load_keys(settings)?,
            default_grants: Arc::new([Grant { channels: settings.channels.clone(), permissions }]),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            require_exp: settings.require_exp,
            nbf_leeway: settings.nbf_leeway_seconds.saturating_mul(Timestamp::PER_SECOND),
        })
    }

    /// Checks the claims of a token that one of the keys has verified.
    pub(crate) fn accepts(&self, claims: &TokenClaims, now: Timestamp) -> Result<(), AuthError> {
        if self.issuer.is_some() && self.issuer != claims.iss {
            return Err(AuthError::WrongIssuer);
        }
        // RFC 7519, 4.1.3: who does not find himself in a token's audience must refuse it.
        let is_for_us = match (&self.audience, &claims.aud) {
            (None, aud) => aud.is_none(),
            (Some(_), None) => false,
            (Some(audience), Some(aud)) => aud.contains(audience),
        };
        if !is_for_us {
            return Err(AuthError::WrongAudience);
        }
        match claims.exp {
            None if self.require_exp => return Err(AuthError::NeverExpires),
            Some(exp) if now >= exp.0 => return Err(AuthError::Expired),
            _ => {}
        }
        match claims.nbf {
            Some(nbf) if now.0.saturating_add(self.nbf_leeway) < nbf.0.0 => Err(AuthError::NotYetValid),
            _ => Ok(()),
        }
    }
}

fn load_keys(settings: &JwtSettings) -> Result<Vec<VerifyingKey>, KeyError> {
    let JwtSettings { secret, secret_file, public_key_file, jwks_file, .. } = settings;
    match (secret, secret_file, public_key_file, jwks_file) {
        (None, None, None, Some(path)) => load_set(path, settings.algorithm),
        (None, None, Some(path), None) => {
            let key = load_pem(path, settings.algorithm)?;
            Ok(vec![VerifyingKey { kid: settings.kid.clone(), ..key }])
        }
        _ => {
            let key = DecodingKey::from_secret(shared_secret(settings)?.expose().as_bytes());
            Ok(vec![VerifyingKey { algorithm: JwtAlgorithm::HS256, kid: settings.kid.clone(), key }])
        }
    }
}

/// The secret of an HS256 entry.
pub(crate) fn shared_secret(settings: &JwtSettings) -> Result<Secret, KeyError> {
    let JwtSettings { secret, secret_file, public_key_file, jwks_file, .. } = settings;
    let secret = match (secret, secret_file, public_key_file, jwks_file) {
        (Some(secret), None, None, None) => secret.clone(),
        (None, Some(path), None, None) => key_file::read_secret(path)?,
        _ => return Err(KeyError::Sources),
    };
    if settings.algorithm != Some(JwtAlgorithm::HS256) {
        return Err(KeyError::Algorithm("a secret needs algorithm = \"HS256\""));
    }
    if secret.expose().len() < SECRET_BYTES_MIN {
        return Err(KeyError::SecretTooShort);
    }
    Ok(secret)
}

fn load_pem(path: &Path, algorithm: Option<JwtAlgorithm>) -> Result<VerifyingKey, KeyError> {
    let from_pem: fn(&[u8]) -> _ = match algorithm {
        Some(JwtAlgorithm::RS256) => DecodingKey::from_rsa_pem,
        Some(JwtAlgorithm::ES256) => DecodingKey::from_ec_pem,
        Some(JwtAlgorithm::EdDSA) => DecodingKey::from_ed_pem,
        Some(JwtAlgorithm::HS256) | None => {
            return Err(KeyError::Algorithm("public_key_file needs algorithm RS256, ES256 or EdDSA"));
        }
    };
    let invalid = |problem: String| KeyError::Invalid { path: path.to_owned(), problem };
    let pem = key_file::read(path)?;
    let key = from_pem(pem.as_bytes()).map_err(|e| invalid(format!("not a PEM of the algorithm: {e}")))?;
    // The library looks into the key only when it verifies; the way over a JWK makes it look at once.
    let jwk = Jwk::from_decoding_key(&key, None).map_err(|e| invalid(format!("not a public key: {e}")))?;
    match usable(&jwk) {
        Some(key) if Some(key.algorithm) == algorithm => Ok(key),
        _ => Err(invalid("not a public key of the algorithm, or too weak for it".into())),
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// The keys of a JSON Web Key Set (RFC 7517, 5) that can verify tokens; others are passed over, as it asks.
fn load_set(path: &Path, only: Option<JwtAlgorithm>) -> Result<Vec<VerifyingKey>, KeyError> {
    let invalid = |problem: String| KeyError::Invalid { path: path.to_owned(), problem };
    let set: KeySet = serde_json::from_str(&key_file::read(path)?)
        // An error of serde_json can quote the text, which may hold a secret.
        .map_err(|e| invalid(format!("not a JSON Web Key Set: line {}, column {}", e.line(), e.column())))?;
    if set.keys.len() > JWKS_KEYS_MAX {
        return Err(invalid(format!("more than {JWKS_KEYS_MAX} keys")));
    }
    let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let usable = jwks.filter_map(|jwk| usable(&jwk));
    let keys: Vec<_> = usable.filter(|key| only.is_none_or(|only| key.algorithm == only)).collect();
    if keys.is_empty() {
        return Err(invalid("no key that can verify tokens".into()));
    }
    Ok(keys)
}

/// The key, if it is for signatures of an algorithm that we take and strong enough.
fn usable(jwk: &Jwk) -> Option<VerifyingKey> {
    let common = &jwk.common;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => JwtAlgorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => JwtAlgorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => JwtAlgorithm::EdDSA,
        AlgorithmParameters::OctetKey(_) => JwtAlgorithm::HS256,
        _ => return None,
    };
    let in_library = algorithm.in_library();
    let says_so = common.key_algorithm.is_none_or(|said| said == KeyAlgorithm::from(in_library));
    let key = DecodingKey::from_jwk(jwk).ok()?;
    if !for_signatures || !says_so || !is_strong(&key) {
        return None;
    }
    // A point that is not on the curve and the like: the library says so before it looks at a signature.
    jsonwebtoken::crypto::verify("", b"", &key, in_library).ok()?;
    Some(VerifyingKey { algorithm, kid: common.key_id.clone(), key })
}

fn is_strong(key: &DecodingKey) -> bool {
    use jsonwebtoken::{AlgorithmFamily, DecodingKeyKind};
    match (key.family(), key.kind()) {
        (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => secret.len() >= SECRET_BYTES_MIN,
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            let leading_zeros = n.iter().take_while(|byte| **byte == 0).count();
            RSA_MODULUS_BYTES.contains(&(n.len() - leading_zeros))
        }
        (AlgorithmFamily::Rsa, _) => false,
        _ => true,
    }
}
