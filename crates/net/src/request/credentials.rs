use std::sync::Arc;

use antiphon_access::{Access, AuthError, Caller};
use antiphon_model::Now;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::query::Query;
use crate::Peer;
use crate::problem::{Problem, ProblemKind};

/// Finds out who a request is from: by `Authorization`, else by `?token=`, else by the certificate of its connection, else the
/// open org.
///
/// # Errors
/// The credential is not valid, is missing where one is needed, or `?identity=` cannot be one; or too many from the peer's
/// address were not valid.
pub fn authenticate(
    access: &Access,
    headers: &HeaderMap,
    query: &Query<'_>,
    peer: &Peer,
    now: Now,
) -> Result<Arc<Caller>, Problem> {
    let token = query.one("token")?;
    let identity = query.one("identity")?;
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let header = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => Some(line.to_str().map_err(|_| {
            Problem::new(ProblemKind::Unauthorized, "the Authorization header has to be visible ASCII")
        })?),
        (Some(_), Some(_)) => {
            return Err(Problem::new(ProblemKind::Unauthorized, "there are two Authorization headers"));
        }
    };
    Ok(Arc::new(caller(access, header.or(token.as_deref()), identity.as_deref(), peer, now)?))
}

/// Makes a caller of what a client shows: a credential, with or without `Bearer` before it; else the certificate of its
/// connection; else nothing. `identity_hint` is how it names itself, where it may.
///
/// # Errors
/// It is not valid, or too many from the peer's address were not.
pub fn caller(
    access: &Access,
    credential: Option<&str>,
    identity_hint: Option<&str>,
    peer: &Peer,
    now: Now,
) -> Result<Caller, AuthError> {
    let certificate = peer.certificate.as_ref().map(|certificate| &*certificate.chain);
    let show = || access.authenticate_over(certificate, credential, identity_hint, now.wall);
    Ok(access.attempt(peer.network, now.monotonic, show)?.coming_from(peer.network))
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::{KeySettings, OrgSettings, Permission, Secret};
    use antiphon_model::Timestamp;
    use http::HeaderValue;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use crate::PeerCertificate;

    fn access(open: bool) -> Access {
        let key = KeySettings {
            key: Some(Secret::new("key-of-acme")),
            allow: vec![Permission::Publish],
            channels: vec![antiphon_model::ChannelPattern::new("*")],
            ..KeySettings::default()
        };
        let acme = OrgSettings { name: "acme".into(), keys: vec![key], ..OrgSettings::default() };
        let demo = OrgSettings { name: "demo".into(), open, ..OrgSettings::default() };
        Access::load(vec![acme, demo]).unwrap()
    }

    fn peer() -> Peer {
        let address = ([127, 0, 0, 1], 4000).into();
        Peer::plain(address, address)
    }

    fn who(access: &Access, header: Option<&'static str>, query: &str) -> Result<(String, String), u16> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
        }
        match authenticate(access, &headers, &Query::parse(query), &peer(), Now::default()) {
            Ok(caller) => Ok((caller.org.to_string(), caller.identity.id.to_string())),
            Err(problem) => Err(problem.status().as_u16()),
        }
    }

    #[test]
    fn who_is_who() {
        let access = access(true);
        let ann = |org: &str| Ok((org.to_owned(), "ann".to_owned()));
        assert_eq!(who(&access, Some("Bearer key-of-acme"), "identity=ann"), ann("acme"));
        assert_eq!(who(&access, None, "token=key-of-acme&identity=ann"), ann("acme"));
        assert_eq!(who(&access, Some("Bearer key-of-acme"), "token=wrong&identity=ann"), ann("acme"));
        assert_eq!(who(&access, None, "identity=ann"), ann("demo"));
        assert_eq!(who(&access, None, "token=&identity=ann"), ann("demo"));
        assert_eq!(who(&access, None, "token=wrong"), Err(401));
        assert_eq!(who(&access, Some("Basic eDp5"), ""), Err(401));
        assert_eq!(who(&access, None, "identity="), Err(400));
        assert_eq!(who(&access, None, "token=a&token=b"), Err(400));
        assert_eq!(who(&self::access(false), None, ""), Err(401));
    }

    #[test]
    fn without_a_credential_the_certificate_of_the_connection_counts() {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, authority.as_ref().pem()).unwrap();
        let issued = |name: &str, authority: &CertifiedIssuer<'static, KeyPair>| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap();
            Some(Arc::new(PeerCertificate { chain: vec![certificate.der().clone()] }))
        };
        let settings =
            serde_json::json!({ "name": "certified", "certificate_authority": [{ "ca_file": ca_file }] });
        let demo = OrgSettings { name: "demo".into(), open: true, ..OrgSettings::default() };
        let access = Access::load(vec![serde_json::from_value(settings).unwrap(), demo]).unwrap();
        let wall = Timestamp(1_735_689_600 * Timestamp::PER_SECOND);
        let now = Now { wall, ..Now::default() };
        let who = |certificate, credential, hint| {
            let caller = caller(&access, credential, hint, &Peer { certificate, tls: true, ..peer() }, now);
            caller.map(|caller| (caller.org.to_string(), caller.identity.id.to_string()))
        };
        let certified = || Ok(("certified".to_owned(), "sensor-7".to_owned()));
        let own = issued("sensor-7", &authority);
        assert_eq!(who(own.clone(), None, None), certified());
        assert_eq!(who(own.clone(), Some("Bearer "), Some("ann")), certified());
        assert!(matches!(who(own, Some("wrong"), None), Err(AuthError::UnknownKey)));
        let other = CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().unwrap());
        let foreign = who(issued("sensor-7", &other.unwrap()), None, Some("ann"));
        assert!(
            matches!(foreign, Err(AuthError::Certificate(_))),
            "nobody is somebody else for it: {foreign:?}"
        );
        assert_eq!(who(None, None, Some("ann")), Ok(("demo".to_owned(), "ann".to_owned())));
    }

    #[test]
    fn two_authorizations_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer key-of-acme"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer key-of-acme"));
        let problem =
            authenticate(&access(true), &headers, &Query::default(), &peer(), Now::default()).unwrap_err();
        assert_eq!(problem.status(), 401);
    }
}
