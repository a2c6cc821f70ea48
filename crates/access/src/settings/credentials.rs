use std::path::PathBuf;

use antiphon_model::ChannelPattern;
use serde::{Deserialize, Serialize};

use super::all_channels;
use crate::{Permission, Secret};

/// A device: `[[org.device]]`. It signs a token with its secret and gets a session token for it. A device and a
/// consumer app may have the same uuid; they are different identities.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceSettings {
    /// Its uuid, or another name of 1 to 128 bytes without control characters: the identity of its clients. `_`
    /// alone is none.
    pub uuid: String,
    /// What it signs with, 8 to 512 printable ASCII characters without spaces. Either this or `secret_file`. Whoever
    /// has it is the device; make it long and random, since whoever reads a login can try secrets on it.
    pub secret: Option<Secret>,
    /// A file with the secret on its only line. It is read again at a reload; with another secret in it the
    /// device's sessions end.
    pub secret_file: Option<PathBuf>,
    /// What it permits. Default: publish, subscribe, history and presence.
    #[serde(default = "client")]
    pub allow: Vec<Permission>,
    /// On which channels; `*` stands for any run of characters. At most 100 patterns. Default: all.
    #[serde(default = "all_channels")]
    pub channels: Vec<ChannelPattern>,
}

/// An app for the public: `[[org.consumer_app]]`. It signs a token with its API key and gets a session token for it,
/// and it is on consumer channels only.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerAppSettings {
    /// Its uuid, or another name of 1 to 128 bytes without control characters: the identity of its clients. `_`
    /// alone is none.
    pub uuid: String,
    /// What it signs with, 8 to 512 printable ASCII characters without spaces. Either this or `api_key_file`. It is a
    /// key for logins alone: presented as it is it opens nothing.
    pub api_key: Option<Secret>,
    /// A file with the API key on its only line. It is read again at a reload; with another key in it the app's
    /// sessions end.
    pub api_key_file: Option<PathBuf>,
    /// What it permits. Default: publish, subscribe, history and presence.
    #[serde(default = "client")]
    pub allow: Vec<Permission>,
    /// On which channels; `*` stands for any run of characters. At most 100 patterns. Default: all.
    #[serde(default = "all_channels")]
    pub channels: Vec<ChannelPattern>,
}

/// A person who logs in with a password: `[[org.user]]`.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSettings {
    /// The user name, 1 to 128 bytes without control characters: the identity of the user's clients. Capitals count.
    /// Where several orgs have one of this name, the login has to name the organization.
    pub username: String,
    /// The password, 8 to 512 bytes without control characters. Either this or `password_hash`; with this, whoever
    /// can read the configuration can log in.
    pub password: Option<Secret>,
    /// The password's argon2 hash in the PHC string format (`$argon2id$v=19$m=19456,t=2,p=1$...`). Memory in KiB times
    /// passes (`m` times `t`) is at most 262144 and `p` at most 16, because whoever knows a user name can make the
    /// server compute it. Other parameters than `m=19456,t=2,p=1` take another time than logins of unknown users do,
    /// which tells a patient stranger that the user exists.
    pub password_hash: Option<Secret>,
    /// What the user may do. Default: publish, subscribe, history and presence.
    #[serde(default = "client")]
    pub allow: Vec<Permission>,
    /// On which channels; `*` stands for any run of characters. At most 100 patterns. Default: all.
    #[serde(default = "all_channels")]
    pub channels: Vec<ChannelPattern>,
}

/// What a client may do unless it is said otherwise.
pub(crate) fn client() -> Vec<Permission> {
    vec![Permission::Publish, Permission::Subscribe, Permission::History, Permission::Presence]
}
