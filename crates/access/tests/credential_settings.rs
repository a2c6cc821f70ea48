//! Devices, consumer apps and users of the configuration: what is taken, and what is said about what is not.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

use antiphon_access::{Access, OrgSettings, Permission};

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YW50aXBob24tZXhhbXBsZQ$QRdEEMcsevEgTIvp2mgQ36JyhT0j4GB+/LVDAN5KT9Q";

fn load(toml: &str) -> Result<Access, String> {
    let org: OrgSettings = toml::from_str(&format!("name = \"scala\"\n{toml}")).map_err(|e| e.to_string())?;
    Access::load(vec![org]).map_err(|error| error.to_string())
}

#[test]
fn the_forms_of_the_configuration_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "test-secret\n").unwrap();
    let toml = format!(
        "[[device]]\nuuid = \"test-uuid\"\nsecret = \"test-secret\"\n\
         [[device]]\nuuid = \"in-file\"\nsecret_file = {path:?}\nallow = [\"subscribe\"]\nchannels = [\"room.*\"]\n\
         [[consumer_app]]\nuuid = \"test-uuid\"\napi_key = \"test-api-key\"\n\
         [[consumer_app]]\nuuid = \"in-file\"\napi_key_file = {path:?}\n\
         [[user]]\nusername = \"test@test.com\"\npassword = \"12345test\"\n\
         [[user]]\nusername = \"test-uuid\"\npassword_hash = {HASH:?}\n"
    );
    let infos = load(&toml).unwrap().credentials(&antiphon_model::OrgId::new("scala"));
    assert_eq!(infos.len(), 6);
    assert_eq!((&*infos[0].name, infos[0].allow.as_slice()), ("in-file", &[Permission::Subscribe][..]));
    assert_eq!(infos[1].allow.len(), 4);
    assert!(!infos[1].allow.contains(&Permission::Admin));
}

#[test]
fn faults_are_named() {
    for (toml, expected) in [
        ("[[device]]\nuuid = \"a\"", "device \"a\": give either secret or secret_file"),
        (
            "[[device]]\nuuid = \"a\"\nsecret = \"test-secret\"\nsecret_file = \"x\"",
            "device \"a\": give either secret or secret_file",
        ),
        ("[[device]]\nuuid = \"a\"\nsecret_file = \"/nowhere/at/all\"", "device \"a\": /nowhere/at/all: "),
        (
            "[[device]]\nuuid = \"a\"\nsecret = \"schlüssel\"",
            "device \"a\": a secret is 8 to 512 printable ASCII characters without spaces",
        ),
        ("[[device]]\nuuid = \"\"\nsecret = \"test-secret\"", "device \"\": a name has 1 to 128 bytes"),
        ("[[device]]\nuuid = \"_\"\nsecret = \"test-secret\"", "device \"_\": \"_\" stands for a uuid"),
        (
            "[[device]]\nuuid = \"a\"\nsecret = \"test-secret\"\n[[device]]\nuuid = \"a\"\nsecret = \"more-secret\"",
            "device \"a\": there are two of this name in the org",
        ),
        ("[[consumer_app]]\nuuid = \"a\"", "consumer_app \"a\": give either api_key or api_key_file"),
        (
            "[[consumer_app]]\nuuid = \"a\"\napi_key = \"short\"",
            "consumer_app \"a\": a secret is 8 to 512 printable",
        ),
        ("[[user]]\nusername = \"a\"", "user \"a\": give either password or password_hash"),
        ("[[user]]\nusername = \"a\"\npassword = \"short\"", "user \"a\": a password has 8 to 512 bytes"),
        (
            "[[user]]\nusername = \"a\"\npassword_hash = \"12345test\"",
            "user \"a\": the password hash cannot be used: it is not in the PHC string format",
        ),
        (
            "[limits]\ncredentials_max = 0\n[[device]]\nuuid = \"a\"\nsecret = \"test-secret\"",
            "it has more devices, consumer apps and users than limits.credentials_max",
        ),
        ("[[device]]\nuuid = \"a\"\nsecrte = \"test-secret\"", "unknown field `secrte`"),
        ("[[device]]\nsecret = \"test-secret\"", "missing field `uuid`"),
        ("[[user]]\nusername = \"a\"\nallow = [\"fly\"]", "unknown variant `fly`"),
    ] {
        let error = load(toml).err().unwrap_or_default();
        assert!(error.contains(expected), "{toml}\n{error}");
        for secret in ["test-secret", "schlüssel", "short"] {
            let is_said_by_toml = error.contains("TOML parse error");
            assert!(is_said_by_toml || !error.contains(&format!("\"{secret}\"")), "{error}");
        }
    }
}

#[test]
fn two_orgs_may_share_a_name_or_a_secret_but_not_both() {
    let org = |name: &str, kind: &str, secret: &str| -> OrgSettings {
        toml::from_str(&format!("name = {name:?}\n[[{kind}]]\nuuid = \"a\"\n{secret}")).unwrap()
    };
    let device = |name: &str, secret: &str| org(name, "device", &format!("secret = {secret:?}"));
    let app = |name: &str, secret: &str| org(name, "consumer_app", &format!("api_key = {secret:?}"));
    assert!(Access::load(vec![device("a", "test-secret"), device("b", "more-secret")]).is_ok());
    assert!(Access::load(vec![device("a", "test-secret"), app("b", "test-secret")]).is_ok());
    let error = Access::load(vec![device("a", "test-secret"), device("b", "test-secret")]).unwrap_err();
    let said = error.to_string();
    assert_eq!(said, "org \"b\": device \"a\": another org has one of this name and secret");
}
