//! What a fuzz target does with tokens.

use antiphon_model::Timestamp;

use super::contents::Contents;
use super::token::{self, SIGNATURE_HEAD};
use super::{Presented, Resource};
use crate::{Access, Keyset, Signed};

/// Presents bytes as a token that nobody has signed, then as one that the keyset has.
pub(crate) fn token(access: &Access, keyset: &Keyset, data: &[u8], now: Timestamp) {
    let present = |auth: &str| {
        let presented = Presented { auth: Some(auth), uuid: Some("u"), signed: Signed::No };
        access.permit(keyset, &presented, now)
    };
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(permit) = present(text)
    {
        assert!(permit.expires().is_none(), "nobody knows the key");
    }
    let secret_key = keyset.secret_key.as_ref().expect("it is in the settings");
    let signed = token::sign(secret_key, &keyset.subscribe_key, [data, SIGNATURE_HEAD].concat());
    let _ = present(&signed.expect("there are random numbers")).map(|permit| permit.is_admin());
    if let Ok(contents) = Contents::from_cbor(data) {
        grant(access, keyset, &contents, now);
    }
}

/// What is granted is permitted.
fn grant(access: &Access, keyset: &Keyset, contents: &Contents, now: Timestamp) {
    assert_eq!(Contents::from_cbor(&contents.to_cbor(&[0; 32])).as_ref(), Ok(contents));
    let grant = &contents.grant;
    let Ok(token) = access.grant_token(keyset, grant, now) else { return };
    let presented = Presented { auth: Some(&token), uuid: grant.uuid.as_deref(), signed: Signed::No };
    let permit = access.permit(keyset, &presented, now).expect("it was made here");
    for (name, bits) in &grant.resources.channels {
        assert!(permit.bits_of(Resource::Channel(name)).contains(*bits));
    }
}
