//! Keysets: their settings, request signatures, and the access manager.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

mod auth_keys;
mod settings;
mod signatures;
mod tokens;

use std::sync::Arc;

use antiphon_access::pam::{Permit, Presented, TokenError};
use antiphon_access::{Access, Keyset, OrgSettings, Signed};
use antiphon_model::Timestamp;

const ACME: &str = r#"
    name = "acme"
    publish_key = "pub-key"
    subscribe_key = "sub-key"
    secret_key = "sec-k3y"
    access_manager = true
"#;

/// Another org with the same secret key, as when somebody has copied the settings.
const OTHER: &str = r#"
    name = "other"
    publish_key = "pub-key"
    subscribe_key = "other-sub-key"
    secret_key = "sec-k3y"
    access_manager = true
"#;

const OPEN: &str = r#"
    name = "demo"
    open = true
    publish_key = "demo"
    subscribe_key = "demo"
"#;

const NOW: Timestamp = Timestamp(1_700_000_000 * Timestamp::PER_SECOND);

fn org(toml: &str) -> OrgSettings {
    toml::from_str(toml).unwrap()
}

fn access() -> Access {
    Access::load([ACME, OTHER, OPEN].map(org).into()).unwrap()
}

fn keyset(access: &Access) -> Arc<Keyset> {
    access.keyset("sub-key").unwrap()
}

fn after_minutes(minutes: u64) -> Timestamp {
    Timestamp(NOW.0 + minutes * 60 * Timestamp::PER_SECOND)
}

/// What the client `alice` may do at a time by what she presents.
fn permit(access: &Access, auth: Option<&str>, now: Timestamp) -> Result<Permit, TokenError> {
    let presented = Presented { auth, uuid: Some("alice"), signed: Signed::No };
    access.permit(&keyset(access), &presented, now)
}
