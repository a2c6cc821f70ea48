//! What a publication says about itself, as clients see it and filter by it.

use std::borrow::Cow;

use antiphon_model::Publication;

use super::json;

/// The meta of a publication. The event name, which other dialects give, is its member `name`, unless it has one or is no object.
pub(crate) fn of(publication: &Publication) -> Option<Cow<'_, str>> {
    let meta = publication.meta.as_ref().map(|meta| meta.as_str());
    let Some(name) = publication.name.as_deref() else { return meta.map(Cow::Borrowed) };
    let rest = match meta {
        None => "",
        Some(meta) => match members(meta) {
            Some(members) => members,
            None => return Some(Cow::Borrowed(meta)),
        },
    };
    let mut out = Vec::with_capacity(rest.len() + name.len() + 16);
    out.extend_from_slice(b"{\"name\":");
    json::string(name, &mut out);
    if !rest.is_empty() {
        out.push(b',');
        out.extend_from_slice(rest.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// What stands between the braces of an object that has no member `name`.
fn members(meta: &str) -> Option<&str> {
    let members = meta.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let has_name = antiphon_filter::find(meta, &[antiphon_filter::Segment::Name("name".into())]);
    (has_name == antiphon_filter::Value::Null).then_some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload, Position, RawJson};
    use std::sync::Arc;

    fn shown(name: Option<&str>, meta: Option<&'static str>) -> Option<String> {
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        let draft = Draft {
            name: name.map(Into::into),
            meta: meta.map(|meta| RawJson::new(meta.into()).unwrap()),
            ..Draft::new(channel, Payload::Text("x".into()))
        };
        of(&draft.at(Position(1))).map(Cow::into_owned)
    }

    #[test]
    fn the_event_name_is_a_member() {
        for (name, meta, expected) in [
            (None, None, None),
            (None, Some("{\"a\": 1}"), Some("{\"a\": 1}")),
            (Some("say \"hi\""), None, Some("{\"name\":\"say \\\"hi\\\"\"}")),
            (Some("chat"), Some(" { } "), Some("{\"name\":\"chat\"}")),
            (Some("chat"), Some("{\"a\":{\"b\":1}}"), Some("{\"name\":\"chat\",\"a\":{\"b\":1}}")),
            (Some("chat"), Some("{\"name\":\"mine\"}"), Some("{\"name\":\"mine\"}")),
            (Some("chat"), Some("[1]"), Some("[1]")),
            (Some("chat"), Some("\"{}\""), Some("\"{}\"")),
        ] {
            assert_eq!(shown(name, meta).as_deref(), expected, "{name:?} {meta:?}");
        }
    }
}
