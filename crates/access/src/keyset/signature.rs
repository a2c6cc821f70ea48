//! Signatures of requests, by which a keyset's own servers are known.
//!
//! The second version covers method, path, query and body; the first, which one SDK uses in one place, neither
//! method nor body. What the SDKs sign is not always what they send: see [`forms`].

use std::borrow::Cow;
use std::time::Duration;

use antiphon_model::Timestamp;

use super::path;
use super::query::{SignedQuery, Written};
use super::secret_key::SecretKey;
use crate::Keyset;

/// By how much the clocks may differ. A request that somebody has overheard can be sent again for as long.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// A request as it came over the wire: nothing in it is decoded.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, up to the `?`.
    pub raw_path: &'a str,
    /// The query, without the `?`.
    pub raw_query: &'a str,
    /// The body, before it is decompressed.
    pub body: &'a [u8],
}

/// Whether a request was signed with the secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// It was: who sends it may do everything in the org.
    Yes,
    /// It has no signature, or the keyset has no secret key.
    No,
}

/// The signature of a request is not of the keyset's secret key, or is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It has the form of neither version, or there are two of them.
    #[error("the signature is malformed")]
    Malformed,
    /// It is of another key, or for another request.
    #[error("the signature does not match")]
    Mismatch,
    /// There is no time of signing, or it is not in seconds since 1970.
    #[error("the timestamp is missing or malformed")]
    Timestamp,
    /// The time of signing is more than 60 s away.
    #[error("the timestamp is more than 60 seconds from the server's time")]
    Stale,
}

impl Keyset {
    /// Checks the signature of a request, if it has one. Where there is no secret key, none is looked at.
    ///
    /// # Errors
    /// It is not this request that the secret key has signed within the last minute.
    pub fn verify(&self, request: &SignedRequest<'_>, now: Timestamp) -> Result<Signed, BadSignature> {
        let Some(secret_key) = &self.secret_key else { return Ok(Signed::No) };
        let query = SignedQuery::parse(request.raw_query);
        let Some(signature) = &query.signature else { return Ok(Signed::No) };
        if query.has_two_signatures {
            return Err(BadSignature::Malformed);
        }
        let signature = std::str::from_utf8(signature).map_err(|_| BadSignature::Malformed)?;
        let signature = Signature::parse(signature)?;
        // First whether it is right, so that only who has the key is told what time it is here.
        if !self.has_signed(secret_key, request, &query, signature) {
            return Err(BadSignature::Mismatch);
        }
        check_time(&query.timestamps, now)?;
        Ok(Signed::Yes)
    }

    fn has_signed(
        &self,
        secret_key: &SecretKey,
        request: &SignedRequest<'_>,
        query: &SignedQuery<'_>,
        signature: Signature<'_>,
    ) -> bool {
        let paths = [Some(request.raw_path.into()), path::as_signed_raw(request.raw_path)];
        let paths: Vec<Cow<'_, str>> = paths.into_iter().flatten().collect();
        for form in forms(signature.version, request) {
            for written in query.ways() {
                for path in &paths {
                    let message = self.message(*form, path, written, request, query);
                    if secret_key.has_signed(&message, signature.code) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn message(
        &self,
        form: Form,
        path: &str,
        written: Written,
        request: &SignedRequest<'_>,
        query: &SignedQuery<'_>,
    ) -> Vec<u8> {
        let (first, body) = match form {
            Form::Whole => (request.method, Some(request.body)),
            Form::AsGet => ("GET", Some(&b""[..])),
            Form::Keys => (&*self.subscribe_key, None),
        };
        let mut message = [first, "\n", &self.publish_key, "\n", path, "\n"].concat().into_bytes();
        query.write(written, &mut message);
        if let Some(body) = body {
            message.push(b'\n');
            message.extend_from_slice(body);
        }
        message
    }
}

/// For tests.
impl Keyset {
    /// The query of a request with each signature that some SDK would give it at `now`.
    pub(crate) fn signed_by_sdks(&self, request: &SignedRequest<'_>, now: Timestamp) -> Vec<String> {
        let Some(secret_key) = &self.secret_key else { return Vec::new() };
        let of_signing = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !["signature", "timestamp"].contains(&name)
        };
        let pairs: Vec<&str> = request.raw_query.split('&').filter(of_signing).collect();
        let query = format!("{}&timestamp={}", pairs.join("&"), now.as_secs());
        let mut signed = Vec::new();
        for (version, form) in [Version::One, Version::Two]
            .into_iter()
            .flat_map(|version| forms(version, request).iter().map(move |form| (version, *form)))
        {
            let parsed = SignedQuery::parse(&query);
            for written in parsed.ways() {
                let message = self.message(form, request.raw_path, written, request, &parsed);
                let code = secret_key.sign(&message);
                signed.push(match version {
                    Version::One => format!("{query}&signature={code}="),
                    Version::Two => format!("{query}&signature=v2.{code}"),
                });
            }
        }
        signed
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

#[derive(Clone, Copy)]
struct Signature<'a> {
    version: Version,
    /// Without padding.
    code: &'a str,
}

impl<'a> Signature<'a> {
    /// An HMAC-SHA256 in base64url: 43 characters after `v2.`, or with one `=` after them.
    fn parse(text: &'a str) -> Result<Signature<'a>, BadSignature> {
        let (version, code) = match text.strip_prefix("v2.") {
            Some(code) => (Version::Two, Some(code)),
            None => (Version::One, text.strip_suffix('=')),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let code = code.filter(|code| code.len() == 43 && code.bytes().all(allowed));
        code.map(|code| Signature { version, code }).ok_or(BadSignature::Malformed)
    }
}

/// What is signed of a request.
#[derive(Clone, Copy)]
enum Form {
    /// Method, publish key, path, query and body.
    Whole,
    /// The same as if it were a GET without a body.
    AsGet,
    /// Both keys, path and query: the first version.
    Keys,
}

/// The forms that a request may have been signed in. The SDKs leave out the body of a publication that they POST: the
/// JavaScript one signs a GET, and the Python one in the first version. Nothing else may be signed so.
fn forms(version: Version, request: &SignedRequest<'_>) -> &'static [Form] {
    let posts = request.method == "POST" && request.raw_path.starts_with("/publish/");
    match (version, posts) {
        (Version::Two, false) => &[Form::Whole],
        (Version::Two, true) => &[Form::Whole, Form::AsGet],
        (Version::One, true) => &[Form::Keys],
        (Version::One, false) => &[],
    }
}

fn check_time(timestamps: &[Vec<u8>], now: Timestamp) -> Result<(), BadSignature> {
    let [timestamp] = timestamps else { return Err(BadSignature::Timestamp) };
    let timestamp = std::str::from_utf8(timestamp).ok().and_then(|text| text.parse::<u64>().ok());
    let timestamp = timestamp.ok_or(BadSignature::Timestamp)?;
    if timestamp.abs_diff(now.as_secs()) > CLOCK_TOLERANCE.as_secs() {
        return Err(BadSignature::Stale);
    }
    Ok(())
}

impl std::fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The query has what others could send again.
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("raw_path", &self.raw_path)
            .finish_non_exhaustive()
    }
}
