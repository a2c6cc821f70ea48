use antiphon_model::ChannelPattern;
use serde::{Deserialize, Serialize};

/// One thing that a client can be permitted to do on a channel.
///
/// A broadcast is a publication, and a reply belongs to hearing one: they need `publish` and `subscribe`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Publish, and broadcast for replies.
    Publish,
    /// Listen, and reply to broadcasts.
    Subscribe,
    /// Read what was published before.
    History,
    /// See who is there, be counted, set a state.
    Presence,
    /// Everything, and what operators do.
    Admin,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 5] = [
        Permission::Publish,
        Permission::Subscribe,
        Permission::History,
        Permission::Presence,
        Permission::Admin,
    ];

    /// The word for it in settings, tokens and problem documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Publish => "publish",
            Permission::Subscribe => "subscribe",
            Permission::History => "history",
            Permission::Presence => "presence",
            Permission::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions. With `admin` it contains all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing at all.
    pub const NONE: Permissions = Permissions(0);
    /// Everything that is not an operator's.
    pub const CLIENT: Permissions = Permissions(0b0_1111);
    /// Everything.
    pub const ALL: Permissions = Permissions(0b1_1111);

    /// Whether `permission` is in the set.
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// What is in either set.
    pub fn union(self, other: Permissions) -> Permissions {
        Permissions(self.0 | other.0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Permissions {
        let set =
            Permissions(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u8));
        if set.contains(Permission::Admin) { Permissions::ALL } else { set }
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(permissions: Vec<Permission>) -> Permissions {
        permissions.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(permissions: Permissions) -> Vec<Permission> {
        if permissions.contains(Permission::Admin) {
            return vec![Permission::Admin];
        }
        Permission::ALL.into_iter().filter(|permission| permissions.contains(*permission)).collect()
    }
}

/// Permissions on the channels that any of the patterns matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Where.
    pub channels: Vec<ChannelPattern>,
    /// What.
    #[serde(rename = "allow")]
    pub permissions: Permissions,
}

impl Grant {
    /// Permissions on every channel.
    pub fn everywhere(permissions: Permissions) -> Grant {
        Grant { channels: vec![ChannelPattern::new("*")], permissions }
    }

    /// Whether a channel of any name is granted.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.channels.iter().any(|pattern| pattern.as_str() == "*")
    }

    pub(crate) fn covers(&self, permission: Permission, name: &str) -> bool {
        self.permissions.contains(permission) && self.channels.iter().any(|pattern| pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_contains_everything_and_client_all_but_admin() {
        let admin: Permissions = [Permission::Admin].into_iter().collect();
        assert_eq!(admin, Permissions::ALL);
        for permission in Permission::ALL {
            assert!(Permissions::ALL.contains(permission));
            assert!(!Permissions::NONE.contains(permission));
            assert_eq!(Permissions::CLIENT.contains(permission), permission != Permission::Admin);
        }
    }

    #[test]
    fn a_grant_round_trips_as_json() {
        let json = r#"{"channels":["room.*"],"allow":["publish","subscribe"]}"#;
        let grant: Grant = serde_json::from_str(json).unwrap();
        assert!(grant.covers(Permission::Publish, "room.1"));
        assert!(!grant.covers(Permission::Publish, "lobby"));
        assert!(!grant.covers(Permission::History, "room.1"));
        assert_eq!(serde_json::to_string(&grant).unwrap(), json);
    }

    #[test]
    fn a_word_that_is_no_permission_is_refused() {
        assert!(serde_json::from_str::<Grant>(r#"{"channels":["*"],"allow":["fly"]}"#).is_err());
    }
}
