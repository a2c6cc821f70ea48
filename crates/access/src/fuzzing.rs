//! What the fuzz targets call, and what the corpus is replayed with. Not for other use.

use std::sync::LazyLock;
use std::time::Duration;

use antiphon_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};

use crate::{
    Access, CertificateInfo, Credential, CredentialKind, DeviceSettings, Login, OrgSettings, Pairing, Secret,
    Signed, SignedRequest, is_session_token, pam,
};

const SECRET: &str = "test-secret";
const HOUR: Duration = Duration::from_secs(60 * 60);
const NOW: Timestamp = Timestamp(1_700_000_000 * Timestamp::PER_SECOND);

static ACCESS: LazyLock<Access> = LazyLock::new(|| {
    let device = DeviceSettings {
        uuid: "test-uuid".into(),
        secret: Some(Secret::new(SECRET)),
        secret_file: None,
        allow: crate::settings::credentials::client(),
        channels: crate::settings::all_channels(),
    };
    let org = OrgSettings {
        name: "scala".into(),
        devices: vec![device],
        publish_key: Some("test-pub".into()),
        subscribe_key: Some("test-sub".into()),
        secret_key: Some(Secret::new(SECRET)),
        access_manager: true,
        ..OrgSettings::default()
    };
    Access::load(vec![org]).expect("the settings are right")
});

/// The first line is a token as it comes: of a login, or of a session. What follows are claims that a device signs with
/// its secret.
pub fn login(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (token, claims) = data.split_at(line);
    if let Ok(token) = std::str::from_utf8(token) {
        // Nobody knows the keys, so nobody gets in; a login that pairs is none.
        let _ = is_session_token(token);
        assert!(ACCESS.session(token, NOW).is_err());
        assert!(ACCESS.authenticate(Some(token), None, NOW).is_err());
        assert!(ACCESS.refresh(token, HOUR, NOW).is_err());
        let _ = ACCESS.login(&Login::Signed(token), HOUR, NOW);
    }
    signed(claims.strip_prefix(b"\n").unwrap_or_default());
    for kind in CredentialKind::ALL {
        if let Ok(credential) = Credential::from_bytes(kind, "name", claims) {
            assert_eq!(
                Credential::from_bytes(kind, "name", &credential.to_bytes()).as_ref(),
                Ok(&credential)
            );
        }
    }
}

fn signed(claims: &[u8]) {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(br#"{"alg":"HS256","typ":"JWT"}"#), part(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let Ok(signature) = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256) else { return };
    let Ok(logged_in) = ACCESS.login(&Login::Signed(&format!("{signed}.{signature}")), HOUR, NOW) else {
        return;
    };
    assert!(is_session_token(&logged_in.token) && is_session_token(&logged_in.restricted_token));
    let session = ACCESS.session(&logged_in.token, NOW).expect("it was made here");
    assert_eq!(session.connection, logged_in.connection);
    assert_eq!(session.caller.is_none(), logged_in.pairing == Pairing::Yes);
    let refreshed = ACCESS.refresh(&logged_in.token, HOUR, NOW).expect("it was made here");
    assert_eq!(refreshed.connection, logged_in.connection);
    assert!(ACCESS.session(&logged_in.token, NOW.later_by(2 * HOUR)).is_err());
}

/// A token's CBOR without its signature; a text that a client presents as one.
pub fn pam_token(data: &[u8]) {
    let keyset = ACCESS.keyset("test-sub").expect("it is in the settings");
    pam::fuzzing::token(&ACCESS, &keyset, data, NOW);
}

/// Method, path, query and body of a request, a line each; the body may have more.
pub fn pam_signature(data: &[u8]) {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let texts = [line(), line(), line()].map(std::str::from_utf8);
    let [Ok(method), Ok(raw_path), Ok(raw_query)] = texts else { return };
    let keyset = ACCESS.keyset("test-sub").expect("it is in the settings");
    let request = SignedRequest { method, raw_path, raw_query, body: line() };
    // Nobody knows the key, so nobody signs anything.
    assert_ne!(keyset.verify(&request, NOW), Ok(Signed::Yes));
    let signed = keyset.signed_by_sdks(&request, NOW);
    for raw_query in signed {
        let request = SignedRequest { raw_query: &raw_query, ..request };
        assert_eq!(keyset.verify(&request, NOW), Ok(Signed::Yes));
        let body = [request.body, b"."].concat();
        let outcome = keyset.verify(&SignedRequest { body: &body, ..request }, NOW);
        let is_posted = method == "POST" && raw_path.starts_with("/publish/");
        assert!(outcome != Ok(Signed::Yes) || is_posted);
    }
}

/// A certificate in DER. Its authority has been looked at before anybody reads it, but who it is of may have chosen its names.
pub fn certificate(data: &[u8]) {
    let Ok(info) = CertificateInfo::read(data) else { return };
    let names = [&info.common_names, &info.dns_names, &info.uris, &info.emails];
    // Nothing is made larger than it came.
    assert!(names.into_iter().flatten().map(|name| name.len()).sum::<usize>() <= 3 * data.len());
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    #[test]
    fn the_corpus_is_survived() {
        replay("access_login", super::login);
        replay("pam_token", super::pam_token);
        replay("certificate", super::certificate);
        replay("pam_signature", super::pam_signature);
    }

    fn replay(name: &str, target: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
        let inputs = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        assert!(inputs.map(|path| target(&std::fs::read(path).unwrap())).count() > 0, "{name}");
    }

    proptest! {
        #[test]
        fn any_input_is_survived(data in prop::collection::vec(any::<u8>(), 0..200)) {
            super::login(&data);
            super::pam_token(&data);
            super::pam_signature(&data);
            super::certificate(&data);
        }

        #[test]
        fn any_request_is_survived(
            method in "GET|POST|PATCH|.{0,4}",
            path in "/(publish|v2|v1)/(objects|files|presence|[a-z]{1,3})(/[^?]{0,5}){0,8}",
            query in "((sort|state|meta|filter-expr|timestamp|signature|[a-z]{1,3})(=([ -~]|%[0-9A-F]{2}|ü){0,5}&)?){0,6}",
            body in ".{0,10}",
        ) {
            super::pam_signature(format!("{method}\n{path}\n{query}\n{body}").as_bytes());
        }

        #[test]
        fn any_claims_are_survived(
            kind in "device|consumerApp|user|.{0,5}",
            uuid in "test-uuid|_|.{0,20}",
            exp in prop::option::of(any::<f64>()),
            pairing in prop::option::of(any::<bool>()),
        ) {
            let claims = serde_json::json!({"type": kind, "uuid": uuid, "exp": exp, "allowPairing": pairing});
            super::login(format!("\n{claims}").as_bytes());
        }
    }
}
