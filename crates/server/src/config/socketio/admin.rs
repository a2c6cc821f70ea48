use antiphon_access::Secret;
use antiphon_socketio::{AdminAuth, AdminMode, AdminSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The dashboard: `[socketio.admin]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdminSection {
    /// Whether it may connect. Default: false. It sees and may do everything in all orgs.
    pub(crate) enabled: bool,
    /// The namespace that it connects to. Default: `/admin`.
    pub(crate) namespace: String,
    /// How much it is told: `development` is every socket, room and event, which costs more than the events themselves;
    /// `production` is numbers alone. Default: `production`.
    pub(crate) mode: AdminMode,
    /// Whether it only looks. Default: false. With false whoever connects can send events to every client, and disconnect it.
    pub(crate) readonly: bool,
    /// What the server is called in its list of servers. Default: the machine's name.
    pub(crate) server_id: Option<String>,
    /// Who may connect.
    pub(crate) auth: AdminAuthSection,
}

/// Who may connect with the dashboard: `[socketio.admin.auth]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdminAuthSection {
    /// The name to give.
    pub(crate) username: Option<String>,
    /// The password to give, hashed with bcrypt: `$2b$10$…`, as `htpasswd -nbB admin secret` makes it. Attempts are looked at one
    /// after the other, and each takes as long as the hash wants.
    pub(crate) password_hash: Option<Secret>,
    /// Whether anybody may connect without a name. Default: false. Dangerous wherever strangers reach the server.
    pub(crate) none: bool,
}

impl Default for AdminSection {
    fn default() -> AdminSection {
        let AdminSettings { namespace, readonly, server_id, mode, .. } = AdminSettings::default();
        AdminSection {
            enabled: false,
            namespace,
            mode,
            readonly,
            server_id,
            auth: AdminAuthSection::default(),
        }
    }
}

impl AdminSection {
    /// The settings of the dialect.
    pub(crate) fn settings(&self) -> AdminSettings {
        let AdminAuthSection { username, password_hash, none } = &self.auth;
        AdminSettings {
            namespace: self.namespace.clone(),
            auth: AdminAuth {
                username: username.clone().unwrap_or_default(),
                password_hash: password_hash.as_ref().map(Secret::expose).unwrap_or_default().to_owned(),
                none: *none,
            },
            readonly: self.readonly,
            server_id: self.server_id.clone(),
            mode: self.mode,
        }
    }
}
