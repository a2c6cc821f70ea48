//! What the SDKs sign, as `vectors/signatures.json` has it from them: JavaScript 7.3.3 and Python 7.2.0, each with names
//! that have to be encoded.

use antiphon_access::{Access, BadSignature, Signed, SignedRequest};
use antiphon_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::{ACME, access, keyset, org};

#[derive(Clone, Deserialize)]
struct Vector {
    name: String,
    method: String,
    target: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    body_base64: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../vectors/signatures.json")).unwrap()
}

impl Vector {
    fn now(&self) -> Timestamp {
        let at = self.target.find("timestamp=").unwrap() + "timestamp=".len();
        let digits: String = self.target[at..].chars().take_while(char::is_ascii_digit).collect();
        Timestamp(digits.parse::<u64>().unwrap() * Timestamp::PER_SECOND)
    }

    fn verify(&self, access: &Access) -> Result<Signed, BadSignature> {
        self.verify_at(access, self.now())
    }

    fn verify_at(&self, access: &Access, now: Timestamp) -> Result<Signed, BadSignature> {
        let (raw_path, raw_query) = self.target.split_once('?').unwrap();
        let mut body = self.body.clone().into_bytes();
        body.extend(STANDARD.decode(&self.body_base64).unwrap());
        let request = SignedRequest { method: &self.method, raw_path, raw_query, body: &body };
        keyset(access).verify(&request, now)
    }
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

#[test]
fn what_the_sdks_sign_is_verified() {
    let access = access();
    let vectors = vectors();
    let failed: Vec<_> = vectors.iter().filter(|vector| vector.verify(&access) != Ok(Signed::Yes)).collect();
    let failed: Vec<_> = failed.iter().map(|vector| (&vector.name, &vector.target)).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), vectors.len());
    assert!(vectors.len() > 100);
}

#[test]
fn what_is_signed_cannot_be_changed() {
    let access = access();
    for vector in vectors() {
        let posts = vector.method == "POST" && vector.target.starts_with("/publish/");
        let method = if vector.method == "GET" { "DELETE" } else { "GET" };
        let changed = vec![
            Vector { target: vector.target.replacen("sub-key", "sub_key", 1), ..vector.clone() },
            Vector { target: vector.target.replacen("pnsdk=", "pnsdk=x", 1), ..vector.clone() },
            Vector { target: format!("{}&more=1", vector.target), ..vector.clone() },
            Vector { target: vector.target.replacen("uuid=", "UUID=", 1), ..vector.clone() },
            Vector { target: vector.target.replacen('?', "/?", 1), ..vector.clone() },
        ];
        for changed in changed.into_iter().filter(|changed| changed.target != vector.target) {
            let outcome = changed.verify(&access);
            assert_eq!(outcome, Err(BadSignature::Mismatch), "{} {}", changed.name, changed.target);
        }
        // Of a publication that they POST, the SDKs sign neither method nor body.
        if !posts {
            let method = Vector { method: method.into(), ..vector.clone() };
            let body = Vector { body: format!("{} ", vector.body), ..vector.clone() };
            for changed in [method, body] {
                assert_eq!(changed.verify(&access), Err(BadSignature::Mismatch), "{}", changed.name);
            }
        }
    }
}

#[test]
fn the_body_is_left_out_only_where_publications_are_posted() {
    let access = access();
    let posted = vector("js publish_post");
    assert_eq!(posted.verify(&access), Ok(Signed::Yes));
    let got = Vector { method: "GET".into(), ..posted.clone() };
    assert_eq!(got.verify(&access), Err(BadSignature::Mismatch), "a body that nobody has signed");
    // The first version is of no use on any other path, even with the right code.
    let first = vector("py publish_post");
    assert_eq!(first.verify(&access), Ok(Signed::Yes));
    let get = Vector { method: "GET".into(), body: String::new(), ..first };
    assert_eq!(get.verify(&access), Err(BadSignature::Mismatch));
}

#[test]
fn another_key_signs_nothing_here() {
    for settings in [ACME.replace("sec-k3y", "sec-k3z"), ACME.replace("pub-key", "pub_key")] {
        let access = Access::load(vec![org(&settings)]).unwrap();
        assert_eq!(vector("js publish_get").verify(&access), Err(BadSignature::Mismatch));
    }
    let none = ACME.replace("secret_key = \"sec-k3y\"", "").replace("access_manager = true", "");
    let access = Access::load(vec![org(&none)]).unwrap();
    assert_eq!(vector("js publish_get").verify(&access), Ok(Signed::No));
}

#[test]
fn a_signature_is_good_for_a_minute() {
    let access = access();
    let vector = vector("js publish_get");
    let now = vector.now().as_secs();
    for (seconds, expected) in [
        (now - 61, Err(BadSignature::Stale)),
        (now - 60, Ok(Signed::Yes)),
        (now + 60, Ok(Signed::Yes)),
        (now + 61, Err(BadSignature::Stale)),
        (0, Err(BadSignature::Stale)),
    ] {
        let at = Timestamp(seconds * Timestamp::PER_SECOND);
        assert_eq!(vector.verify_at(&access, at), expected, "{seconds}");
    }
}

#[test]
fn what_is_no_signature_is_refused() {
    let access = access();
    let code = "A".repeat(43);
    for (query, expected) in [
        ("uuid=u", Ok(Signed::No)),
        ("signature=", Err(BadSignature::Malformed)),
        ("signature", Err(BadSignature::Malformed)),
        ("signature=v2.", Err(BadSignature::Malformed)),
        ("signature=v2.%FF", Err(BadSignature::Malformed)),
        (&format!("signature={code}"), Err(BadSignature::Malformed)),
        (&format!("signature=v3.{code}"), Err(BadSignature::Malformed)),
        (&format!("signature=v2.{code}="), Err(BadSignature::Malformed)),
        (&format!("signature=v2.{code}&signature=v2.{code}"), Err(BadSignature::Malformed)),
        (&format!("signature=v2.{code}"), Err(BadSignature::Mismatch)),
        (&format!("signature={code}="), Err(BadSignature::Mismatch)),
        (&format!("signature={code}%3D"), Err(BadSignature::Mismatch)),
    ] {
        let request = SignedRequest { method: "GET", raw_path: "/time/0", raw_query: query, body: b"" };
        assert_eq!(keyset(&access).verify(&request, Timestamp(0)), expected, "{query}");
    }
}

#[test]
fn debug_shows_nothing_that_could_be_sent_again() {
    let raw_query = "signature=v2.abc&auth=some-token";
    let request = SignedRequest { method: "GET", raw_path: "/time/0", raw_query, body: b"secret" };
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("v2.abc") && !shown.contains("some-token") && !shown.contains("secret"),
        "{shown}"
    );
}
