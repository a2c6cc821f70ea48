//! One certificate: the order, the challenges, and what the authority signs in the end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_net::tls::provider;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, KeyAuthorization, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::issued::Issued;
use crate::config::{AcmeChallenge, AcmeSection};
use crate::serve::front::Challenges;
use crate::serve::tls::Certificates;

/// How often, and for how long, the authority is asked whether it is done.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// RFC 8555, 6.7.
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Where answers to challenges are shown.
#[derive(Clone, Copy)]
pub(super) struct Showing<'a> {
    pub(super) certificates: &'a Certificates,
    pub(super) challenges: &'a Challenges,
}

/// Why there is no certificate.
#[derive(Debug)]
pub(super) struct Failed {
    reason: String,
    about: About,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The authority did not find what it looked for.
    Domains,
    /// The authority knows nothing of the account.
    Account,
    Other,
}

/// Gets a certificate for all domains of the section.
pub(super) async fn issue(
    account: &Account,
    section: &AcmeSection,
    showing: Showing<'_>,
) -> Result<Issued, Failed> {
    let identifiers: Vec<_> = section.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    // What was shown is taken away with it.
    let mut shown = Vec::new();
    answer_challenges(&mut order, section.challenge, showing, &mut shown).await?;
    let status = order.poll_ready(&PATIENCE).await;
    if !matches!(status, Ok(OrderStatus::Ready)) {
        return Err(why_not_ready(&mut order, status).await);
    }
    drop(shown);
    let key = KeyPair::generate().map_err(|error| Failed::new(format!("no key can be made: {error}")))?;
    let request = request(&section.domains, &key);
    let request = request.map_err(|error| Failed::new(format!("no request can be made: {error}")))?;
    order.finalize_csr(&request).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    let issued = Issued::read(key.serialize_pem() + &chain);
    issued.map_err(|error| Failed::new(format!("the authority's answer cannot be used: {error}")))
}

async fn answer_challenges<'a>(
    order: &mut Order,
    kind: AcmeChallenge,
    showing: Showing<'a>,
    shown: &mut Vec<Shown<'a>>,
) -> Result<(), Failed> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => return Err(Failed::new(format!("an authorization is {status:?} from the beginning"))),
        }
        let domain = authorization.identifier().to_string();
        let wanted = match kind {
            AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
            AcmeChallenge::Http01 => ChallengeType::Http01,
        };
        let Some(mut challenge) = authorization.challenge(wanted) else {
            return Err(Failed::new(format!("the authority does not offer this challenge for {domain}")));
        };
        let answer = challenge.key_authorization();
        shown.push(match kind {
            AcmeChallenge::TlsAlpn01 => Shown::certificate(showing.certificates, domain, &answer)?,
            AcmeChallenge::Http01 => Shown::token(showing.challenges, challenge.token.clone(), &answer),
        });
        challenge.set_ready().await?;
    }
    Ok(())
}

/// An answer, for as long as it is shown.
enum Shown<'a> {
    Certificate(&'a Certificates, String),
    Token(&'a Challenges, String),
}

impl<'a> Shown<'a> {
    fn certificate(
        certificates: &'a Certificates,
        domain: String,
        answer: &KeyAuthorization,
    ) -> Result<Shown<'a>, Failed> {
        let key = challenge_certificate(&domain, answer.digest().as_ref());
        let key = key.ok_or_else(|| Failed::new("no certificate with an answer can be made".into()))?;
        certificates.set_challenge(&domain, Some(Arc::new(key)));
        Ok(Shown::Certificate(certificates, domain))
    }

    fn token(challenges: &'a Challenges, token: String, answer: &KeyAuthorization) -> Shown<'a> {
        challenges.set(&token, Some(answer.as_str().to_owned()));
        Shown::Token(challenges, token)
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        match self {
            Shown::Certificate(certificates, domain) => certificates.set_challenge(domain, None),
            Shown::Token(challenges, token) => challenges.set(token, None),
        }
    }
}

/// RFC 8737, 3.
fn challenge_certificate(domain: &str, digest: &[u8]) -> Option<CertifiedKey> {
    let key = KeyPair::generate().ok()?;
    let mut params = CertificateParams::new(vec![domain.to_owned()]).ok()?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key).ok()?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = provider().key_provider.load_private_key(key).ok()?;
    Some(CertifiedKey::new(vec![certificate], key))
}

/// The certificate signing request, in DER.
fn request(domains: &[String], key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(domains.to_vec())?;
    // Authorities go by the alternative names alone.
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// What the authority says of the domains tells more than what it says of the order.
async fn why_not_ready(order: &mut Order, status: Result<OrderStatus, Error>) -> Failed {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let domain = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(|error| {
            format!("{domain}: {}", error.detail.as_deref().or(error.r#type.as_deref()).unwrap_or("refused"))
        }));
    }
    let reason = match (reasons.is_empty(), status) {
        (false, _) => reasons.join("; "),
        (true, Err(error)) => error.to_string(),
        (true, Ok(status)) => format!("the order is {status:?}"),
    };
    Failed { reason, about: About::Domains }
}

impl Failed {
    pub(super) fn new(reason: String) -> Failed {
        Failed { reason, about: About::Other }
    }

    pub(super) fn in_account(error: &Error) -> Failed {
        Failed::new(format!("the authority gives no account: {error}"))
    }

    /// What was signed would have to be renewed at once.
    pub(super) fn useless() -> Failed {
        Failed::new(
            "the certificate that the authority signed is about to end already: is the clock right?".into(),
        )
    }

    /// Whether the authority did not find what it looked for.
    pub(super) fn is_about_domains(&self) -> bool {
        self.about == About::Domains
    }

    /// Whether another account has to be made.
    pub(super) fn is_about_account(&self) -> bool {
        self.about == About::Account
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        let is_about_account =
            matches!(&error, Error::Api(problem) if problem.r#type.as_deref() == Some(NO_ACCOUNT));
        let about = if is_about_account { About::Account } else { About::Other };
        Failed { reason: error.to_string(), about }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_in_the_certificate() {
        let certificate = challenge_certificate("a.example", &[7; 32]).unwrap();
        let der = &certificate.cert[0];
        // 1.3.6.1.5.5.7.1.31, critical, with the digest as an octet string in the extension's.
        let extension = [&[6, 8, 43, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 4, 34, 4, 32][..], &[7; 32]].concat();
        assert!(der.windows(extension.len()).any(|window| window == extension));
    }
}
