//! Tokens as issuers make them, with keys of every algorithm, against settings as operators write them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

use std::path::{Path, PathBuf};

use antiphon_access::{
    Access, AuthError, Caller, MintError, NumericDate, OrgSettings, Permission, SettingsProblem, TokenClaims,
    inspect, mint,
};
use antiphon_model::{ChannelFlags, ChannelId, IdentityKind, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, jwk::Jwk};
use proptest::prelude::*;
use serde_json::{Value, json};

const SECRET: &str = "a-secret-of-acme-for-tests-only-32";
const OTHER_SECRET: &str = "a-secret-of-umbrella-for-tests-only";
const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * Timestamp::PER_SECOND)
}

fn key_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)
}

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(key_path(name)).unwrap()
}

fn org(toml: &str) -> OrgSettings {
    toml::from_str(toml).unwrap()
}

fn hs256(name: &str, secret: &str, more: &str) -> OrgSettings {
    org(&format!("name = {name:?}\n[[jwt]]\nalgorithm = \"HS256\"\nsecret = {secret:?}\n{more}"))
}

fn acme(more: &str) -> Access {
    Access::load(vec![hs256("acme", SECRET, more)]).unwrap()
}

fn with_pem(algorithm: &str, file: &str) -> Result<Access, SettingsProblem> {
    let path = key_path(file);
    let toml = format!("name = \"acme\"\n[[jwt]]\nalgorithm = {algorithm:?}\npublic_key_file = {path:?}");
    Access::load(vec![org(&toml)]).map_err(|error| error.problem)
}

fn claims() -> Value {
    json!({
        "sub": "alice",
        "exp": NOW + 60,
        "permissions": [{"channels": ["room.*"], "allow": ["publish", "subscribe"]}],
    })
}

fn with(more: Value) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

fn token(claims: &Value) -> String {
    sign(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
}

/// A token whose parts nobody's library would put together.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn authenticate(access: &Access, token: &str) -> Result<Caller, AuthError> {
    access.authenticate(Some(token), None, at(NOW))
}

fn refusal(access: &Access, token: &str) -> AuthError {
    authenticate(access, token).unwrap_err()
}

fn may(caller: &Caller, permission: Permission, name: &str) -> bool {
    caller.may(permission, &ChannelId::new(name, ChannelFlags::NONE).unwrap()).is_ok()
}

#[test]
fn a_token_of_each_algorithm_makes_a_caller() {
    let ec = |pem: &[u8]| EncodingKey::from_ec_pem(pem).unwrap();
    let rsa = |pem: &[u8]| EncodingKey::from_rsa_pem(pem).unwrap();
    let ed = |pem: &[u8]| EncodingKey::from_ed_pem(pem).unwrap();
    for (access, algorithm, key) in [
        (acme(""), Algorithm::HS256, EncodingKey::from_secret(SECRET.as_bytes())),
        (with_pem("RS256", "rs256.public.pem").unwrap(), Algorithm::RS256, rsa(&pem("rs256.private.pem"))),
        (with_pem("ES256", "es256.public.pem").unwrap(), Algorithm::ES256, ec(&pem("es256.private.pem"))),
        (with_pem("EdDSA", "eddsa.public.pem").unwrap(), Algorithm::EdDSA, ed(&pem("eddsa.private.pem"))),
    ] {
        let good = sign(&Header::new(algorithm), &claims(), &key);
        for presented in [good.clone(), format!("Bearer {good}")] {
            let caller = authenticate(&access, &presented).unwrap();
            assert_eq!(caller.org.as_str(), "acme");
            assert_eq!((&*caller.identity.id, caller.identity.kind), ("alice", IdentityKind::User));
            assert_eq!(caller.expires, Some(at(NOW + 60)));
            assert!(may(&caller, Permission::Publish, "room.1"));
            assert!(!may(&caller, Permission::History, "room.1"));
            assert!(!may(&caller, Permission::Publish, "lobby"));
        }

        // Not one character of it can be another.
        for index in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap();
            // Checking RSA and curves is slow without optimization: each tenth will do.
            if algorithm == Algorithm::HS256 || index % 10 == 0 {
                assert!(authenticate(&access, &tampered).is_err(), "{algorithm:?} at {index}");
            }
        }
        let (signed, _) = good.rsplit_once('.').unwrap();
        assert_eq!(refusal(&access, &format!("{signed}.")), AuthError::BadSignature);
    }
}

#[test]
fn the_key_decides_the_algorithm() {
    let access = acme("");
    for none in ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "PS256", "hs256"] {
        let token = forged(&json!({"alg": none, "typ": "JWT"}), &claims(), "");
        assert_eq!(refusal(&access, &token), AuthError::AlgorithmRefused, "{none}");
    }

    // The public key, which anybody has, as an HMAC secret: as the file, and as the key inside it.
    for (algorithm, file) in
        [("RS256", "rs256.public.pem"), ("ES256", "es256.public.pem"), ("EdDSA", "eddsa.public.pem")]
    {
        let access = with_pem(algorithm, file).unwrap();
        let text = String::from_utf8(pem(file)).unwrap();
        for secret in [text.clone(), text.trim_end().to_owned()] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = sign(&Header::new(Algorithm::HS256), &claims(), &key);
            assert_eq!(refusal(&access, &token), AuthError::AlgorithmRefused, "{algorithm}");
        }
    }

    // Another algorithm of the same family, with the right key.
    let key = EncodingKey::from_rsa_pem(&pem("rs256.private.pem")).unwrap();
    let access = with_pem("RS256", "rs256.public.pem").unwrap();
    for algorithm in [Algorithm::RS512, Algorithm::PS256] {
        let token = sign(&Header::new(algorithm), &claims(), &key);
        assert_eq!(refusal(&access, &token), AuthError::AlgorithmRefused, "{algorithm:?}");
    }
}

#[test]
fn times_are_checked_against_the_given_clock() {
    let access = acme("");
    let without_exp = {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("exp");
        claims
    };
    for (claims, expected) in [
        (with(json!({"exp": NOW + 1})), None),
        (with(json!({"exp": NOW})), Some(AuthError::Expired)),
        (with(json!({"exp": NOW - 1000})), Some(AuthError::Expired)),
        (with(json!({"exp": NOW as f64 + 0.5})), None),
        (with(json!({"exp": NOW as f64 - 0.5})), Some(AuthError::Expired)),
        (with(json!({"exp": -1})), Some(AuthError::Expired)),
        (with(json!({"exp": u64::MAX})), None),
        (with(json!({"exp": null})), Some(AuthError::NeverExpires)),
        (without_exp.clone(), Some(AuthError::NeverExpires)),
        (with(json!({"nbf": NOW})), None),
        (with(json!({"nbf": NOW + 5})), None),
        (with(json!({"nbf": NOW + 6})), Some(AuthError::NotYetValid)),
        (with(json!({"nbf": u64::MAX})), Some(AuthError::NotYetValid)),
    ] {
        assert_eq!(authenticate(&access, &token(&claims)).err(), expected, "{claims}");
    }
    for claims in [with(json!({"exp": "soon"})), with(json!({"nbf": []})), json!([]), json!("alice")] {
        assert!(matches!(refusal(&access, &token(&claims)), AuthError::MalformedToken(_)), "{claims}");
    }

    let lenient = acme("require_exp = false");
    assert_eq!(authenticate(&lenient, &token(&without_exp)).unwrap().expires, None);
    assert_eq!(refusal(&lenient, &token(&with(json!({"exp": NOW})))), AuthError::Expired);
}

#[test]
fn issuer_and_audience_have_to_fit() {
    let any = acme("");
    let strict = acme("issuer = \"https://id.example.com\"\naudience = \"antiphon\"");
    for (more, with_strict, with_any) in [
        (json!({"iss": "https://id.example.com", "aud": "antiphon"}), None, Some(AuthError::WrongAudience)),
        (
            json!({"iss": "https://id.example.com", "aud": ["x", "antiphon"]}),
            None,
            Some(AuthError::WrongAudience),
        ),
        (json!({"iss": "https://id.example.com"}), Some(AuthError::WrongAudience), None),
        (
            json!({"iss": "https://evil.example", "aud": "antiphon"}),
            Some(AuthError::WrongIssuer),
            Some(AuthError::WrongAudience),
        ),
        (json!({"aud": "antiphon"}), Some(AuthError::WrongIssuer), Some(AuthError::WrongAudience)),
        (
            json!({"iss": "https://id.example.com", "aud": []}),
            Some(AuthError::WrongAudience),
            Some(AuthError::WrongAudience),
        ),
    ] {
        let token = token(&with(more.clone()));
        assert_eq!(authenticate(&strict, &token).err(), with_strict, "{more}");
        assert_eq!(authenticate(&any, &token).err(), with_any, "{more}");
    }
}

#[test]
fn a_token_counts_in_its_own_org_only() {
    let both = || vec![hs256("acme", SECRET, ""), hs256("umbrella", OTHER_SECRET, "")];
    let access = Access::load(both()).unwrap();
    let own = authenticate(&access, &token(&with(json!({"org": "acme"})))).unwrap();
    assert_eq!(own.org.as_str(), "acme");
    for (claims, expected) in [
        (with(json!({"org": "umbrella"})), AuthError::BadSignature),
        (with(json!({"org": "nobody"})), AuthError::UnknownSigningKey),
        // Which of the two it is for cannot be known.
        (claims(), AuthError::UnknownSigningKey),
    ] {
        assert_eq!(refusal(&access, &token(&claims)), expected, "{claims}");
    }

    // Of two orgs, one takes tokens.
    let access = Access::load(vec![hs256("acme", SECRET, ""), org("name = \"umbrella\"")]).unwrap();
    assert_eq!(authenticate(&access, &token(&claims())).unwrap().org.as_str(), "acme");
    assert_eq!(refusal(&access, &token(&with(json!({"org": "umbrella"})))), AuthError::UnknownSigningKey);
}

#[test]
fn kinds_and_identities_by_claims() {
    let access = acme("");
    let admin = json!([{"channels": ["*"], "allow": ["admin"]}]);
    for (more, expected) in [
        (json!({}), Ok(IdentityKind::User)),
        (json!({"kind": "device"}), Ok(IdentityKind::Device)),
        (json!({"kind": "consumer_app"}), Ok(IdentityKind::ConsumerApp)),
        (json!({"kind": "server"}), Err(AuthError::KindRefused)),
        (json!({"kind": "server", "permissions": []}), Err(AuthError::KindRefused)),
        (json!({"kind": "server", "permissions": admin}), Ok(IdentityKind::Server)),
        (json!({"permissions": admin}), Ok(IdentityKind::Server)),
        (json!({"kind": "user", "permissions": admin}), Ok(IdentityKind::User)),
        (json!({"sub": ""}), Err(AuthError::InvalidIdentity)),
        (json!({"sub": "a\nb"}), Err(AuthError::InvalidIdentity)),
    ] {
        let outcome = authenticate(&access, &token(&with(more.clone()))).map(|caller| caller.identity.kind);
        assert_eq!(outcome, expected, "{more}");
    }
    for more in [
        json!({"kind": "king"}),
        json!({"sub": 7}),
        json!({"permissions": {}}),
        json!({"permissions": [{"channels": ["*"], "allow": ["fly"]}]}),
    ] {
        assert!(matches!(refusal(&access, &token(&with(more))), AuthError::MalformedToken(_)));
    }

    // The token's word counts, and only without one the client's own.
    let hinted =
        |claims: &Value| access.authenticate(Some(&token(claims)), Some("mallory"), at(NOW)).unwrap();
    assert_eq!(&*hinted(&claims()).identity.id, "alice");
    assert_eq!(&*hinted(&with(json!({"sub": null}))).identity.id, "mallory");
}

#[test]
fn without_permissions_a_token_permits_what_the_signer_settings_say() {
    let token = token(&with(json!({"permissions": null})));
    let nothing = authenticate(&acme(""), &token).unwrap();
    assert!(!may(&nothing, Permission::Subscribe, "room.1"));
    let access = acme("allow = [\"subscribe\"]\nchannels = [\"room.*\"]");
    let some = authenticate(&access, &token).unwrap();
    assert!(may(&some, Permission::Subscribe, "room.1"));
    assert!(!may(&some, Permission::Publish, "room.1"));
    assert!(!may(&some, Permission::Subscribe, "lobby"));
}

#[test]
fn critical_extensions_are_refused() {
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let problem = refusal(&acme(""), &forged(&header, &claims(), "AAAA"));
    assert_eq!(problem, AuthError::MalformedToken("it has critical extensions"));
}

/// A set with a key of each algorithm, and keys that no token may use.
fn key_set(directory: &Path) -> PathBuf {
    let jwk = |key: DecodingKey, more: Value| {
        let mut jwk = serde_json::to_value(Jwk::from_decoding_key(&key, None).unwrap()).unwrap();
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwk
    };
    let rsa = || DecodingKey::from_rsa_pem(&pem("rs256.public.pem")).unwrap();
    let ec = || DecodingKey::from_ec_pem(&pem("es256.public.pem")).unwrap();
    let ed = || DecodingKey::from_ed_pem(&pem("eddsa.public.pem")).unwrap();
    let weak = DecodingKey::from_rsa_pem(&pem("rsa1024.public.pem")).unwrap();
    let set = json!({"keys": [
        jwk(rsa(), json!({"kid": "rsa", "use": "sig", "alg": "RS256"})),
        jwk(ec(), json!({"kid": "ec"})),
        jwk(ed(), json!({"kid": "ed", "key_ops": ["verify"]})),
        jwk(rsa(), json!({"kid": "encryption", "use": "enc"})),
        jwk(rsa(), json!({"kid": "rs512", "alg": "RS512"})),
        jwk(ec(), json!({"kid": "signing-only", "key_ops": ["sign"]})),
        jwk(weak, json!({"kid": "weak"})),
        {"kty": "EC", "crv": "P-256", "kid": "off-curve", "x": URL_SAFE_NO_PAD.encode([1; 32]), "y": URL_SAFE_NO_PAD.encode([1; 32])},
        {"kty": "oct", "kid": "short", "k": "c2hvcnQ"},
        {"kty": "AKP", "kid": "unknown"},
        "junk",
    ]});
    let path = directory.join("jwks.json");
    std::fs::write(&path, set.to_string()).unwrap();
    path
}

#[test]
fn a_key_set_is_searched_by_kid() {
    let directory = tempfile::tempdir().unwrap();
    let path = key_set(directory.path());
    let settings = |more: &str| org(&format!("name = \"acme\"\n[[jwt]]\njwks_file = {path:?}\n{more}"));
    let access = Access::load(vec![settings("")]).unwrap();
    let rsa = EncodingKey::from_rsa_pem(&pem("rs256.private.pem")).unwrap();
    let ec = EncodingKey::from_ec_pem(&pem("es256.private.pem")).unwrap();
    let ed = EncodingKey::from_ed_pem(&pem("eddsa.private.pem")).unwrap();
    let named = |kid: Option<&str>, algorithm, key: &EncodingKey| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        sign(&header, &claims(), key)
    };
    use Algorithm::{ES256, EdDSA, HS256, RS256};
    for (kid, algorithm, key, expected) in [
        (Some("rsa"), RS256, &rsa, None),
        (Some("ec"), ES256, &ec, None),
        (Some("ed"), EdDSA, &ed, None),
        (None, RS256, &rsa, Some(AuthError::UnknownSigningKey)),
        (Some("ghost"), RS256, &rsa, Some(AuthError::UnknownSigningKey)),
        (Some("ec"), RS256, &rsa, Some(AuthError::AlgorithmRefused)),
        (
            Some("rsa"),
            HS256,
            &EncodingKey::from_secret(&pem("rs256.public.pem")),
            Some(AuthError::AlgorithmRefused),
        ),
        (Some("encryption"), RS256, &rsa, Some(AuthError::UnknownSigningKey)),
        (Some("rs512"), RS256, &rsa, Some(AuthError::UnknownSigningKey)),
        (Some("signing-only"), ES256, &ec, Some(AuthError::UnknownSigningKey)),
        (Some("off-curve"), ES256, &ec, Some(AuthError::UnknownSigningKey)),
        (Some("weak"), RS256, &rsa, Some(AuthError::UnknownSigningKey)),
        (Some("short"), HS256, &EncodingKey::from_secret(b"short"), Some(AuthError::UnknownSigningKey)),
    ] {
        let outcome = authenticate(&access, &named(kid, algorithm, key)).err();
        assert_eq!(outcome, expected, "{kid:?} {algorithm:?}");
    }

    let only_ec = Access::load(vec![settings("algorithm = \"ES256\"")]).unwrap();
    assert!(authenticate(&only_ec, &named(Some("ec"), ES256, &ec)).is_ok());
    let unknown = refusal(&only_ec, &named(Some("rsa"), RS256, &rsa));
    assert_eq!(unknown, AuthError::UnknownSigningKey);
}

#[test]
fn a_reload_takes_new_keys_and_keeps_the_old_ones_on_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    let write = |kid: &str, secret: &str| {
        let k = URL_SAFE_NO_PAD.encode(secret);
        std::fs::write(&path, json!({"keys": [{"kty": "oct", "kid": kid, "k": k}]}).to_string()).unwrap();
    };
    let token = |kid: &str, secret: &str| {
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::HS256) };
        sign(&header, &claims(), &EncodingKey::from_secret(secret.as_bytes()))
    };
    write("old", SECRET);
    let access = Access::load(vec![org(&format!("name = \"acme\"\n[[jwt]]\njwks_file = {path:?}"))]).unwrap();
    assert!(authenticate(&access, &token("old", SECRET)).is_ok());

    for broken in ["", "{", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}"#] {
        std::fs::write(&path, broken).unwrap();
        let problem = access.reload().unwrap_err().to_string();
        assert!(problem.contains("acme") && problem.contains("jwks.json"), "{problem}");
        assert!(authenticate(&access, &token("old", SECRET)).is_ok());
    }

    write("new", OTHER_SECRET);
    access.reload().unwrap();
    assert!(authenticate(&access, &token("new", OTHER_SECRET)).is_ok());
    assert_eq!(refusal(&access, &token("old", SECRET)), AuthError::UnknownSigningKey);
}

#[test]
fn two_secrets_overlap_while_keys_change() {
    let mut settings = hs256("acme", OTHER_SECRET, "");
    settings.jwt.extend(hs256("acme", SECRET, "").jwt);
    let access = Access::load(vec![settings]).unwrap();
    assert!(authenticate(&access, &token(&claims())).is_ok());
    // What is said is about the key that verified it.
    assert_eq!(refusal(&access, &token(&with(json!({"exp": 1})))), AuthError::Expired);
}

#[test]
fn keys_that_cannot_be_used_are_refused_at_the_start() {
    for (algorithm, file) in [
        ("RS256", "es256.public.pem"),
        ("RS256", "rsa1024.public.pem"),
        ("RS256", "rs256.private.pem"),
        ("RS256", "README.md"),
        ("RS256", "missing.pem"),
        ("ES256", "rs256.public.pem"),
        ("ES256", "es384.public.pem"),
        ("ES256", "eddsa.public.pem"),
        ("EdDSA", "es256.public.pem"),
        ("HS256", "rs256.public.pem"),
    ] {
        assert!(
            matches!(with_pem(algorithm, file), Err(SettingsProblem::Signer(1, _))),
            "{algorithm} {file}"
        );
    }
    for jwt in [
        "algorithm = \"HS256\"",
        "algorithm = \"HS256\"\nsecret = \"short\"",
        "secret = \"a-secret-of-acme-for-tests-only-32\"",
        "algorithm = \"RS256\"\nsecret = \"a-secret-of-acme-for-tests-only-32\"",
        "algorithm = \"HS256\"\nsecret = \"a-secret-of-acme-for-tests-only-32\"\nsecret_file = \"x\"",
        "algorithm = \"HS256\"\nsecret = \"a-secret-of-acme-for-tests-only-32\"\njwks_file = \"x\"",
        "algorithm = \"HS256\"\nsecret_file = \"/nowhere/at/all\"",
    ] {
        let settings = org(&format!("name = \"acme\"\n[[jwt]]\n{jwt}"));
        let problem = Access::load(vec![settings]).map(|_| ()).map_err(|error| error.problem);
        assert!(matches!(problem, Err(SettingsProblem::Signer(1, _))), "{jwt}");
    }
}

#[test]
fn a_minted_token_is_accepted_by_its_org() {
    let settings = hs256("acme", SECRET, "issuer = \"me\"\naudience = \"you\"\nkid = \"k1\"");
    let access = Access::load(vec![settings.clone(), hs256("umbrella", OTHER_SECRET, "")]).unwrap();
    let claims = TokenClaims {
        sub: Some("alice".into()),
        kind: Some(IdentityKind::Device),
        exp: Some(NumericDate(at(NOW + 60))),
        ..TokenClaims::default()
    };
    let token = mint(&settings, None, &claims).unwrap();
    let caller = authenticate(&access, &token).unwrap();
    assert_eq!((caller.org.as_str(), caller.identity.kind), ("acme", IdentityKind::Device));

    let seen = inspect(&token).unwrap();
    assert_eq!(seen.header["kid"], "k1");
    assert_eq!(seen.claims["org"], "acme");
    assert!(seen.to_string().starts_with("NOT VERIFIED"));

    let forever = TokenClaims { exp: None, ..claims.clone() };
    assert!(matches!(mint(&settings, None, &forever), Err(MintError::NeverExpires)));
    let nameless = TokenClaims { sub: Some(String::new()), ..claims.clone() };
    assert!(matches!(mint(&settings, None, &nameless), Err(MintError::InvalidIdentity)));
    assert!(matches!(mint(&org("name = \"x\""), None, &claims), Err(MintError::NoSecret(_))));
}

#[test]
fn a_token_of_any_algorithm_can_be_looked_into() {
    let token = forged(&json!({"alg": "none"}), &json!({"a": 1}), "");
    assert_eq!(inspect(&token).unwrap().claims, json!({"a": 1}));
    for junk in ["", "a", "a.b", "a.b.c", "....", "e30.e30"] {
        assert!(inspect(junk).is_err(), "{junk}");
    }
}

proptest! {
    #[test]
    fn any_credential_is_survived(text in "\\PC{0,60}", hint in prop::option::of("\\PC{0,10}")) {
        let access = acme("");
        prop_assert!(access.authenticate(Some(&text), hint.as_deref(), at(NOW)).is_err());
        let _ = inspect(&text);
    }

    #[test]
    fn any_three_parts_are_survived(header in ".{0,30}", claims in ".{0,30}", signature in "[A-Za-z0-9_-]{0,50}") {
        let access = acme("");
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for header in [part(&header), part(r#"{"alg":"HS256"}"#)] {
            let token = format!("{header}.{}.{signature}", part(&claims));
            prop_assert!(authenticate(&access, &token).is_err());
            let _ = inspect(&token);
        }
    }
}

#[test]
fn keys_are_rotated_by_their_ids() {
    let entry = |kid: &str, secret: &str| {
        format!(
            "[[jwt]]\nalgorithm = \"HS256\"\nkid = {kid:?}\nsecret = {secret:?}\nallow = [\"subscribe\"]\n"
        )
    };
    let (old, new) = (entry("2025", SECRET), entry("2026", OTHER_SECRET));
    let with = |entries: &[&String]| {
        let entries: String = entries.iter().map(|entry| entry.as_str()).collect();
        org(&format!("name = \"acme\"\n{entries}"))
    };
    let claims = TokenClaims { exp: Some(NumericDate(at(NOW + 60))), ..TokenClaims::default() };
    let enter = |settings: OrgSettings, token: &str| {
        Access::load(vec![settings]).unwrap().authenticate(Some(token), Some("ann"), at(NOW)).map(drop)
    };
    let before = mint(&with(&[&old]), None, &claims).unwrap();
    // Both are taken while tokens of the old key are out; the new one signs.
    let during = mint(&with(&[&old, &new]), Some("2026"), &claims).unwrap();
    for token in [&before, &during] {
        assert_eq!(enter(with(&[&old, &new]), token), Ok(()));
    }
    assert_eq!(enter(with(&[&new]), &during), Ok(()));
    assert_eq!(enter(with(&[&new]), &before), Err(AuthError::UnknownSigningKey));
    assert!(matches!(mint(&with(&[&new]), Some("2025"), &claims), Err(MintError::NoSecret(_))));
}
