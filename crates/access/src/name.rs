//! What names orgs and identities may have.

use std::sync::Arc;

use antiphon_model::{Identity, IdentityKind};

use crate::{AuthError, Naming};

/// The limit of an identity's length in bytes of UTF-8.
pub const IDENTITY_BYTES_MAX: usize = 128;

const ORG_BYTES_MAX: usize = 64;

pub(crate) fn is_org_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=ORG_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

pub(crate) fn is_identity(name: &str) -> bool {
    (1..=IDENTITY_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// The identity that the client names, or a random one if it names none.
pub(crate) fn identity(kind: IdentityKind, name: Option<&str>) -> Result<(Arc<Identity>, Naming), AuthError> {
    match name {
        Some(name) if !is_identity(name) => Err(AuthError::InvalidIdentity),
        Some(name) => Ok((Arc::new(Identity::new(kind, name)), Naming::Named)),
        None => Ok((Arc::new(Identity::new(kind, &anonymous()?)), Naming::Random)),
    }
}

/// `anon-` and 60 random bits: two among a million anonymous clients hardly ever meet.
fn anonymous() -> Result<String, AuthError> {
    const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(|_| AuthError::NoRandomness)?;
    let mut name = String::from("anon-");
    name.extend(random.map(|byte| char::from(BASE32[usize::from(byte % 32)])));
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_bounded_and_printable() {
        let longest = "x".repeat(IDENTITY_BYTES_MAX);
        for (name, expected) in [
            ("alice", true),
            ("Zoë 🦀/1", true),
            (longest.as_str(), true),
            ("", false),
            ("a\nb", false),
            ("a\u{7f}", false),
            ("a\u{85}", false),
            (&format!("{longest}x"), false),
        ] {
            assert_eq!(is_identity(name), expected, "{name:?}");
        }
    }

    #[test]
    fn anonymous_clients_are_told_apart() {
        let (a, b) = (anonymous().unwrap(), anonymous().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), "anon-".len() + 12);
        assert!(is_identity(&a));
    }

    #[test]
    fn org_names_fit_a_path_and_a_file() {
        for (name, expected) in
            [("acme", true), ("a-b_c.9", true), ("", false), ("a/b", false), ("ü", false), ("a b", false)]
        {
            assert_eq!(is_org_name(name), expected, "{name:?}");
        }
    }
}
