use serde::{Deserialize, Serialize};

use super::credentials::Credentials;
use crate::NamespaceName;

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

impl AdminSettings {
    /// Checks that somebody can connect, and where.
    ///
    /// # Errors
    /// Nobody can.
    pub fn check(&self) -> Result<(), InvalidAdminSettings> {
        let name = self.namespace.trim_start_matches('/');
        let name = NamespaceName::new(format!("/{name}")).map_err(|_| InvalidAdminSettings::Namespace)?;
        if name.is_root() {
            return Err(InvalidAdminSettings::Root);
        }
        Credentials::new(&self.auth).map(drop)
    }
}

/// The dashboard's settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAdminSettings {
    /// No namespace can have the name.
    #[error("namespace is not the name of one")]
    Namespace,
    /// Clients would need the dashboard's password.
    #[error("namespace cannot be /, which is where all other clients are")]
    Root,
    /// Nobody could connect.
    #[error("auth needs username and password_hash, or none = true to let everybody in")]
    NoCredentials,
    /// The hash is not one of bcrypt.
    #[error("auth.password_hash is not a bcrypt hash, like $2b$10$ and 53 characters more")]
    Hash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let hash = "$2b$04$.Xz3PpbPDjsn5WGnb5AQZ.uX3dZUNM/jvaYRnDEs0LYHiHKUTbVM2";
        let settings = |namespace: &str, username: &str, password_hash: &str| AdminSettings {
            namespace: namespace.into(),
            auth: AdminAuth { username: username.into(), password_hash: password_hash.into(), none: false },
            ..AdminSettings::default()
        };
        assert_eq!(settings("/admin", "admin", hash).check(), Ok(()));
        assert_eq!(settings("admin", "admin", hash).check(), Ok(()));
        assert_eq!(settings("/", "admin", hash).check(), Err(InvalidAdminSettings::Root));
        assert_eq!(settings("", "admin", hash).check(), Err(InvalidAdminSettings::Root));
        assert_eq!(settings("/a,b", "admin", hash).check(), Err(InvalidAdminSettings::Namespace));
        assert_eq!(settings("/admin", "", hash).check(), Err(InvalidAdminSettings::NoCredentials));
        assert_eq!(settings("/admin", "admin", "secret").check(), Err(InvalidAdminSettings::Hash));
        let auth = AdminAuth { none: true, ..AdminAuth::default() };
        assert_eq!(AdminSettings { auth, ..AdminSettings::default() }.check(), Ok(()));
    }
}
