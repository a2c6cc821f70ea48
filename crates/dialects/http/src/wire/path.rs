use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::query::InvalidParameter;

/// What a path names. Names are decoded; the position of a broadcast and the kind of a credential are as they stand in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// `/v1/channels/{channel}`
    Channel(Cow<'a, str>),
    /// `/v1/channels/{channel}/presence`
    Presence(Cow<'a, str>),
    /// `/v1/channels/{channel}/broadcasts`
    Broadcasts(Cow<'a, str>),
    /// `/v1/channels/{channel}/broadcasts/{position}/replies`
    Replies(Cow<'a, str>, &'a str),
    /// `/v1/events`
    Events,
    /// `/v1/publications`
    Publications,
    /// `/v1/credentials`
    Credentials,
    /// `/v1/credentials/{kind}/{name}`
    Credential(&'a str, Cow<'a, str>),
    /// `/v1/revocations`
    Revocations,
    /// `/v1/openapi.json`
    OpenApi,
    /// Nothing of the protocol.
    Other,
}

/// Finds what `path` names. Segments are split before they are decoded, so `%2F` stays inside a name.
///
/// # Errors
/// A name's segment is not UTF-8.
pub(crate) fn parse(path: &str) -> Result<Resource<'_>, InvalidParameter> {
    let Some(rest) = path.strip_prefix("/v1/") else { return Ok(Resource::Other) };
    let mut segments = rest.split('/');
    match segments.next() {
        Some("channels") => {}
        Some("events") if rest == "events" => return Ok(Resource::Events),
        Some("publications") if rest == "publications" => return Ok(Resource::Publications),
        Some("credentials") if rest == "credentials" => return Ok(Resource::Credentials),
        Some("credentials") => return credential(segments),
        Some("revocations") if rest == "revocations" => return Ok(Resource::Revocations),
        Some("openapi.json") if rest == "openapi.json" => return Ok(Resource::OpenApi),
        _ => return Ok(Resource::Other),
    }
    let Some(channel) = segments.next() else { return Ok(Resource::Other) };
    let below = [segments.next(), segments.next(), segments.next(), segments.next()];
    let resource = match below {
        [None, ..] => Resource::Channel,
        [Some("presence"), None, ..] => Resource::Presence,
        [Some("broadcasts"), None, ..] => Resource::Broadcasts,
        [Some("broadcasts"), Some(position), Some("replies"), None] => {
            return Ok(Resource::Replies(decode("channel", channel)?, position));
        }
        _ => return Ok(Resource::Other),
    };
    decode("channel", channel).map(resource)
}

fn credential<'a>(mut segments: impl Iterator<Item = &'a str>) -> Result<Resource<'a>, InvalidParameter> {
    match (segments.next(), segments.next(), segments.next()) {
        (Some(kind), Some(name), None) => Ok(Resource::Credential(kind, decode("name", name)?)),
        _ => Ok(Resource::Other),
    }
}

fn decode<'a>(parameter: &'static str, segment: &'a str) -> Result<Cow<'a, str>, InvalidParameter> {
    percent_decode(segment.as_bytes())
        .decode_utf8()
        .map_err(|_| InvalidParameter::new(parameter, "is not percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_by_table() {
        for (path, expected) in [
            ("/v1/channels/room", Resource::Channel("room".into())),
            ("/v1/channels/a%2Fb%20c+d%C3%BC", Resource::Channel("a/b c+dü".into())),
            ("/v1/channels/presence", Resource::Channel("presence".into())),
            ("/v1/channels/", Resource::Channel("".into())),
            ("/v1/channels/%", Resource::Channel("%".into())),
            ("/v1/channels/a/presence", Resource::Presence("a".into())),
            ("/v1/channels/a/broadcasts", Resource::Broadcasts("a".into())),
            ("/v1/channels/a/broadcasts/17/replies", Resource::Replies("a".into(), "17")),
            ("/v1/events", Resource::Events),
            ("/v1/publications", Resource::Publications),
            ("/v1/openapi.json", Resource::OpenApi),
            ("/v1/credentials", Resource::Credentials),
            ("/v1/credentials/device/a%2Fb", Resource::Credential("device", "a/b".into())),
            ("/v1/credentials/any/", Resource::Credential("any", "".into())),
            ("/v1/revocations", Resource::Revocations),
            ("/v1/revocations/a", Resource::Other),
            ("/v1/credentials/", Resource::Other),
            ("/v1/credentials/device", Resource::Other),
            ("/v1/credentials/device/a/b", Resource::Other),
            ("/v1/channels", Resource::Other),
            ("/v1/channels/a/", Resource::Other),
            ("/v1/channels/a/presence/", Resource::Other),
            ("/v1/channels/a/broadcasts/17", Resource::Other),
            ("/v1/channels/a/broadcasts/17/replies/x", Resource::Other),
            ("/v1/events/", Resource::Other),
            ("/v2/events", Resource::Other),
            ("/", Resource::Other),
            ("", Resource::Other),
            ("*", Resource::Other),
        ] {
            assert_eq!(parse(path), Ok(expected), "{path}");
        }
        assert_eq!(parse("/v1/channels/%ff").unwrap_err().name, "channel");
        assert_eq!(parse("/v1/credentials/user/%ff").unwrap_err().name, "name");
    }

    proptest! {
        #[test]
        fn any_path_is_survived(path in "(/(v1|channels|broadcasts|credentials|[a%2F]{0,4})){0,7}", any in any::<String>()) {
            let _ = (parse(&path), parse(&any), parse(&format!("/v1/channels/{any}")));
        }
    }
}
