pub(crate) mod credentials;

use std::fmt;
use std::path::PathBuf;

use antiphon_model::{ChannelPattern, IdentityKind};
use serde::{Deserialize, Serialize, Serializer};

use crate::{CertificateAuthoritySettings, LimitSettings, Permission};
use credentials::{ConsumerAppSettings, DeviceSettings, UserSettings};

/// A tenant: `[[org]]` in the configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgSettings {
    /// Its name: 1 to 64 of A-Z, a-z, 0-9, `-`, `_` and `.`.
    pub name: String,
    /// Whether clients need no credentials. Default: false. Only one org can be open. Dangerous beyond a local
    /// demo: whoever reaches the server may listen and publish on every channel of the org.
    #[serde(default)]
    pub open: bool,
    /// API keys: `[[org.key]]`. Default: none.
    #[serde(default, rename = "key")]
    pub keys: Vec<KeySettings>,
    /// Who signs tokens for this org: `[[org.jwt]]`. Default: nobody.
    #[serde(default)]
    pub jwt: Vec<JwtSettings>,
    /// Devices that log in with tokens that they sign: `[[org.device]]`. Default: none.
    #[serde(default, rename = "device")]
    pub devices: Vec<DeviceSettings>,
    /// Apps for the public that log in with tokens that they sign: `[[org.consumer_app]]`. Default: none.
    #[serde(default, rename = "consumer_app")]
    pub consumer_apps: Vec<ConsumerAppSettings>,
    /// Users who log in with a password: `[[org.user]]`. Default: none.
    #[serde(default, rename = "user")]
    pub users: Vec<UserSettings>,
    /// Authorities whose certificates are identities: `[[org.certificate_authority]]`. Default: none.
    #[serde(default, rename = "certificate_authority")]
    pub certificate_authorities: Vec<CertificateAuthoritySettings>,
    /// The publish key that PubNub SDKs name: 1 to 128 of A-Z, a-z, 0-9, `-` and `_`. With `subscribe_key` it makes the org
    /// a keyset. Default: none, and PubNub SDKs are not served. Without `access_manager`, whoever knows the two keys may
    /// listen and publish on every channel of the org.
    pub publish_key: Option<String>,
    /// The subscribe key that PubNub SDKs name, of the same form. No other org may have it. Default: none.
    pub subscribe_key: Option<String>,
    /// The secret key that a keyset's servers sign requests with: 1 to 512 printable ASCII characters without spaces.
    /// Whoever has it may do everything in the org, and give others tokens. Default: none, and signatures are not looked at.
    pub secret_key: Option<Secret>,
    /// A file with the secret key on its only line, instead of `secret_key`.
    pub secret_key_file: Option<PathBuf>,
    /// Whether PubNub clients may do only what they were granted, by a token or for their auth key. It needs a secret key.
    /// Default: false. Clients of other protocols are not concerned.
    #[serde(default)]
    pub access_manager: bool,
    /// The origins of web pages that may connect, besides the server's own: `https://app.example.com`,
    /// `https://*.example.com` (subdomains), `null` (files and sandboxes), or `*` for all but `null`. Default:
    /// none. With `*` in an open org, every page that a user of this machine visits can speak for him.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// How far its clients can grow things: `[org.limits]`.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// An API key: `[[org.key]]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The key itself, 8 to 512 printable ASCII characters without spaces. Either this or `key_file`.
    pub key: Option<Secret>,
    /// A file with the key on its only line.
    pub key_file: Option<PathBuf>,
    /// What it permits.
    pub allow: Vec<Permission>,
    /// On which channels; `*` stands for any run of characters. Default: all.
    #[serde(default = "all_channels")]
    pub channels: Vec<ChannelPattern>,
    /// The identity of every client that presents it. Default: clients name themselves.
    pub identity: Option<String>,
    /// What sort of client presents it. Default: `server` if it permits `admin`, else `user`.
    pub kind: Option<IdentityKind>,
}

/// A signer of tokens: `[[org.jwt]]`. Has one of `secret`, `secret_file`, `public_key_file` and `jwks_file`.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    /// The algorithm that its tokens are signed with. Needed except with `jwks_file`, whose keys say it
    /// themselves; there it leaves only the keys of this algorithm.
    pub algorithm: Option<JwtAlgorithm>,
    /// For HS256: the shared secret, at least 32 bytes. Whoever has it can make tokens.
    pub secret: Option<Secret>,
    /// For HS256: a file with the secret; a line break at its end does not count.
    pub secret_file: Option<PathBuf>,
    /// For RS256 (2048 to 4096 bits), ES256 and EdDSA (Ed25519): a file with the public key in PEM.
    pub public_key_file: Option<PathBuf>,
    /// A file with a JSON Web Key Set; tokens name their key with `kid`.
    pub jwks_file: Option<PathBuf>,
    /// The `kid` that tokens have to name the key with. Default: any or none. `antiphon-session` is the server's
    /// own: a token that names it is taken for one of its session tokens.
    pub kid: Option<String>,
    /// What `iss` has to be. Default: anything.
    pub issuer: Option<String>,
    /// What `aud` has to be or to contain. Default: a token must not have one, because it is for somebody else.
    pub audience: Option<String>,
    /// Whether tokens have to have `exp`. Default: true. A token that never expires can only be revoked by
    /// changing the key.
    #[serde(default = "yes")]
    pub require_exp: bool,
    /// By how many seconds the signer's clock may be ahead of ours (`nbf`). Default: 5.
    #[serde(default = "nbf_leeway_seconds")]
    pub nbf_leeway_seconds: u64,
    /// What a token without a `permissions` claim permits. Default: nothing.
    #[serde(default)]
    pub allow: Vec<Permission>,
    /// On which channels it permits that. Default: all.
    #[serde(default = "all_channels")]
    pub channels: Vec<ChannelPattern>,
}

impl Default for JwtSettings {
    fn default() -> JwtSettings {
        JwtSettings {
            algorithm: None,
            secret: None,
            secret_file: None,
            public_key_file: None,
            jwks_file: None,
            kid: None,
            issuer: None,
            audience: None,
            require_exp: yes(),
            nbf_leeway_seconds: nbf_leeway_seconds(),
            allow: Vec::new(),
            channels: all_channels(),
        }
    }
}

/// How tokens are signed (RFC 7518 and RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, schemars::JsonSchema)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256: one secret makes and verifies tokens.
    HS256,
    /// RSA with SHA-256, PKCS #1 v1.5.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// EdDSA with Ed25519.
    EdDSA,
}

/// A secret of the configuration. It shows itself to nobody who does not ask in so many words.
#[derive(Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps a secret.
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// The secret in the clear.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

pub(crate) fn all_channels() -> Vec<ChannelPattern> {
    vec![ChannelPattern::new("*")]
}

fn yes() -> bool {
    true
}

fn nbf_leeway_seconds() -> u64 {
    5
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        name = "acme"
        allowed_origins = ["https://app.example.com"]

        [[key]]
        key = "not-for-any-log"
        allow = ["publish", "subscribe"]
        channels = ["room.*"]

        [[key]]
        key_file = "/run/secrets/admin"
        allow = ["admin"]

        [[jwt]]
        algorithm = "HS256"
        secret = "nor-this-one-which-signs-the-tokens"

        [[jwt]]
        jwks_file = "jwks.json"
        issuer = "https://id.example.com"

        [limits]
        payload_bytes_max = 65536
        publish_rate_per_connection = { per_second = 50 }
    "#;

    #[test]
    fn an_org_is_read_from_toml() {
        let org: OrgSettings = toml::from_str(TOML).unwrap();
        assert_eq!(org.keys.len(), 2);
        assert_eq!(org.keys[0].allow, [Permission::Publish, Permission::Subscribe]);
        assert_eq!(org.keys[1].channels, all_channels());
        assert_eq!(org.jwt[0].algorithm, Some(JwtAlgorithm::HS256));
        assert!(org.jwt[1].require_exp);
        assert_eq!(org.limits.payload_bytes_max, 65536);
        assert!(!org.open);
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for text in [
            "name = \"a\"\nopne = true",
            "name = \"a\"\n[[key]]\nkey = \"k\"\nallow = [\"fly\"]",
            "name = \"a\"\n[[key]]\nkey = \"k\"",
            "name = \"a\"\n[[jwt]]\nalgorithm = \"none\"",
            "open = true",
        ] {
            assert!(toml::from_str::<OrgSettings>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let org: OrgSettings = toml::from_str(TOML).unwrap();
        let shown = format!("{org:?} {org:#?}");
        assert!(!shown.contains("not-for-any-log") && !shown.contains("nor-this-one"), "{shown}");
        assert!(shown.contains("[redacted]"));
    }

    #[test]
    fn every_setting_has_its_documentation_in_the_schema() {
        let schema = schemars::schema_for!(OrgSettings).to_value();
        let mut objects = vec![&schema];
        objects.extend(schema["$defs"].as_object().unwrap().values());
        for object in objects {
            for (name, property) in object["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{name} in {}", object["title"]);
            }
        }
    }
}
