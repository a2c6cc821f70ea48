use serde::{Deserialize, Serialize};

/// The dashboard's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// The namespace that the dashboard connects to. Default: `/admin`.
    pub namespace: String,
    /// Who may connect.
    pub auth: AdminAuth,
    /// Whether the dashboard only looks. Default: false. With false whoever connects can send events to every client, and
    /// disconnect it.
    pub readonly: bool,
    /// What it is called in the list of servers. Default: the machine's name.
    pub server_id: Option<String>,
    /// How much it is told: `development` is every socket, room and event, which costs more than the events themselves;
    /// `production` is numbers alone. Default: `production`.
    pub mode: AdminMode,
}

/// Who may connect to the dashboard's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminAuth {
    /// The name to give.
    pub username: String,
    /// The password to give, hashed with bcrypt: `$2b$10$…`. Each attempt costs what the hash says, and one is looked at after
    /// the other.
    pub password_hash: String,
    /// Whether anybody may connect without a name. Default: false. Dangerous wherever strangers reach the server.
    pub none: bool,
}

/// How much the dashboard is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdminMode {
    /// Every socket, room and event.
    Development,
    /// Numbers alone.
    #[default]
    Production,
}

impl Default for AdminSettings {
    fn default() -> AdminSettings {
        AdminSettings {
            namespace: "/admin".to_owned(),
            auth: AdminAuth::default(),
            readonly: false,
            server_id: None,
            mode: AdminMode::default(),
        }
    }
}

/// The dashboard's settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAdminSettings {
    /// No namespace can have the name.
    #[error("namespace is not the name of one")]
    Namespace,
    /// Nobody could connect.
    #[error("auth needs username and password_hash, or none = true to let everybody in")]
    NoCredentials,
    /// The hash is not one of bcrypt.
    #[error("auth.password_hash is not a bcrypt hash, like $2b$10$ and 53 characters more")]
    Hash,
}
