//! The path of a signed request, in the form that is signed.
//!
//! That is the path as it is sent, with one exception: into some paths the SDKs put a name as it is, sign that, and leave
//! it to the HTTP client to encode it.

use std::borrow::Cow;

use super::query::decoded;

/// The path with the names as they were before the client encoded them. None if that makes no difference, or could be
/// another path as well.
pub(super) fn as_signed_raw(raw_path: &str) -> Option<Cow<'_, str>> {
    let names = names_at(raw_path)?;
    let decoded = decoded(&raw_path[names..]);
    let changed = decoded != raw_path.as_bytes()[names..];
    // A client that encodes what it gets leaves these alone, or they would not come after the `/` where names are.
    let ambiguous = |name: &[u8]| name.iter().any(|byte| b"%?#".contains(byte) || byte.is_ascii_control());
    let slashes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'/').count();
    let same_segments = slashes(&decoded) == slashes(&raw_path.as_bytes()[names..]);
    if !changed || ambiguous(&decoded) || !same_segments {
        return None;
    }
    let decoded = String::from_utf8(decoded).ok()?;
    Some(Cow::Owned(format!("{}{decoded}", &raw_path[..names])))
}

/// Where the names begin that may have been signed as they are: a user or channel of App Context, whose memberships they
/// are too; the user whose state is asked for; id and name of a file.
fn names_at(raw_path: &str) -> Option<usize> {
    let before = |count: usize| raw_path.match_indices('/').nth(count).map(|(at, _)| at + 1);
    let segment = |index: usize| raw_path.split('/').nth(index + 1);
    match (segment(0)?, segment(1)?) {
        ("v2", "objects") => before(4),
        ("v2", "presence") if segment(6) == Some("uuid") => before(7),
        ("v1", "files") if segment(5) == Some("files") => before(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_where_sdks_sign_them_so() {
        for (raw, expected) in [
            ("/v2/objects/s/uuids/a%20b", Some("/v2/objects/s/uuids/a b")),
            ("/v2/objects/s/uuids/a%C3%BC/channels", Some("/v2/objects/s/uuids/aü/channels")),
            ("/v1/files/s/channels/a%20b/files/i/n%20m", Some("/v1/files/s/channels/a%20b/files/i/n m")),
            (
                "/v2/presence/sub-key/s/channel/a%2Cb/uuid/a%20b",
                Some("/v2/presence/sub-key/s/channel/a%2Cb/uuid/a b"),
            ),
            ("/v2/objects/s/uuids/ab", None),
            ("/v2/objects/s/uuids", None),
            ("/v2/presence/sub-key/s/uuid/a%20b", None),
            ("/publish/p/s/0/a%20b/0/1", None),
            ("/v1/files/s/channels/a%20b/files", None),
            ("", None),
        ] {
            assert_eq!(as_signed_raw(raw).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn what_could_be_another_path_is_left_alone() {
        for name in ["a%2Fchannels", "a%2520b", "a%3Fb", "a%23b", "a%0Ab", "a%FFb"] {
            assert_eq!(as_signed_raw(&format!("/v2/objects/s/uuids/{name}")), None, "{name}");
        }
    }
}
