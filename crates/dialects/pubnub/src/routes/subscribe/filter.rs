//! What a subscriber wants of what its channels have, as it says itself: fields of the payload are `data.x`, all others are the meta's.

use std::borrow::Cow;
use std::rc::Rc;

use antiphon_filter::{Filter, Path, Segment, Value, find};
use antiphon_model::{Kind, Payload, Publication};
use http::StatusCode;

use crate::formats::presence_event;
use crate::wire::error::Refusal;
use crate::wire::{json, meta};

/// What a filter that is none is answered with.
const MALFORMED: u16 = 481;

/// Reads a filter.
///
/// # Errors
/// It is none; the refusal says where.
pub(crate) fn parse(text: &str) -> Result<antiphon_hub::Filter, Refusal> {
    let filter = Filter::parse(text).map_err(|error| {
        let status = StatusCode::from_u16(MALFORMED).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal::new(status, format!("Malformed filter expression {error}")).by("Pub/Sub")
    })?;
    Ok(Rc::new(move |publication| lets_through(&filter, publication)))
}

fn lets_through(filter: &Filter, publication: &Publication) -> bool {
    if publication.kind == Kind::Presence {
        let Some(event) = presence_event(publication) else { return false };
        return filter.matches(|path| field(path, &event.payload, &event.meta));
    }
    let (data, meta) = (data(publication), meta::of(publication).unwrap_or_default());
    filter.matches(|path| field(path, &data, &meta))
}

/// The payload as the JSON that the subscriber would get.
fn data(publication: &Publication) -> Cow<'_, str> {
    if let Payload::Json(json) = &publication.payload {
        return Cow::Borrowed(json.as_str());
    }
    let mut out = Vec::new();
    json::payload(&publication.payload, &mut out);
    String::from_utf8(out).unwrap_or_default().into()
}

fn field<'a>(path: &Path, data: &'a str, meta: &'a str) -> Value<'a> {
    match path.0.split_first() {
        Some((Segment::Name(name), rest)) if **name == *"data" => find(data, rest),
        Some((Segment::Name(name), rest)) if **name == *"meta" => find(meta, rest),
        _ => find(meta, &path.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, ChannelId, Draft, Position, RawJson};
    use std::sync::Arc;

    fn room() -> ChannelId {
        ChannelId::new("room", ChannelFlags::NONE).unwrap()
    }

    #[test]
    fn fields_are_of_the_payload_or_the_meta() {
        let payload = Payload::from_text(r#"{"text":"hi","n":[1,2],"meta":1}"#.into());
        let meta = RawJson::from_serializer(r#"{"lang":"en","data":{"x":1},"deep":{"y":true}}"#);
        let draft = Draft { meta: Some(meta), ..Draft::new(Arc::new(room()), payload) };
        let publication = draft.at(Position(1));
        for (text, expected) in [
            ("data.text == 'hi'", true),
            ("data.n[1] == 2", true),
            ("meta.lang == \"en\"", true),
            ("lang == 'en'", true),
            ("lang == 'de'", false),
            ("meta.data.x == 1", true),
            ("deep.y", true),
            ("data.meta == 1", true),
            ("nothing == 1", false),
        ] {
            assert_eq!(parse(text).unwrap()(&publication), expected, "{text}");
        }
        let text = Draft::new(Arc::new(room()), Payload::Text("hi".into())).at(Position(1));
        assert!(parse("data == 'hi'").unwrap()(&text));
    }

    #[test]
    fn presence_goes_by_its_mirror() {
        let told = r#"{"identity":"ann","occupancy":1,"timestamp":5}"#;
        let mut draft = Draft::new(Arc::new(room().presence()), Payload::from_text(told.into()));
        (draft.kind, draft.name) = (Kind::Presence, Some("join".into()));
        let join = draft.at(Position(1));
        assert!(parse("pn_ispresence == 1 && pn_uuid == 'ann'").unwrap()(&join));
        assert!(parse("data.action == 'join'").unwrap()(&join));
        assert!(!parse("lang == 'en'").unwrap()(&join));
    }

    #[test]
    fn what_is_malformed_is_told_where() {
        let Err(refusal) = parse("lang == == 'en'") else { panic!("it is none") };
        assert_eq!(refusal.status().as_u16(), 481);
        assert!(refusal.message().contains("at character 9"), "{}", refusal.message());
    }
}
