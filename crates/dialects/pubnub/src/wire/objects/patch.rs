//! Bodies that change objects and memberships: a field that is missing stays, `null` clears it.

use std::borrow::Cow;
use std::collections::HashMap;

use antiphon_model::{ChannelFlags, ChannelId, RawJson};
use antiphon_store::{MembershipPatch, ObjectPatch};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Invalid, Related};

/// The members of a JSON object, of which the last of a name counts.
type Members<'a> = HashMap<Cow<'a, str>, &'a RawValue, foldhash::fast::RandomState>;

/// A field as a patch has it: nothing, a text, or `null`.
type Field = Option<Option<Box<str>>>;

/// Reads the body that sets a user or a channel. Members that are not known are ignored.
///
/// # Errors
/// It is no object, or a member is not what it has to be.
pub(crate) fn object(body: &[u8]) -> Result<ObjectPatch, Invalid> {
    let members = members(body)?;
    let text = |name| text(&members, "", name);
    Ok(ObjectPatch {
        name: text("name")?,
        external_id: text("externalId")?,
        profile_url: text("profileUrl")?,
        email: text("email")?,
        description: text("description")?,
        status: text("status")?,
        kind: text("type")?,
        custom: custom(&members, "")?,
    })
}

/// What a body asks of the memberships of a user or the members of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relations {
    /// The ids on the other side, and what to set of each.
    pub(crate) set: Vec<(Box<str>, MembershipPatch)>,
    /// The ids on the other side.
    pub(crate) delete: Vec<Box<str>>,
}

/// Reads `{"set":[{"channel":{"id":"…"},"custom":{…},"status":"…","type":"…"}],"delete":[{"channel":{"id":"…"}}]}`, with at most `max` in
/// both lists together.
///
/// # Errors
/// It is something else, or an id is not one that a channel or user can have.
pub(crate) fn relations(body: &[u8], related: Related, max: usize) -> Result<Relations, Invalid> {
    let members = members(body)?;
    let mut relations = Relations::default();
    for (place, item) in items(&members, "set", max)? {
        let item = item_members(item, &place)?;
        let id = related_id(&item, related, &place)?;
        let patch = MembershipPatch {
            status: text(&item, &place, "status")?,
            kind: text(&item, &place, "type")?,
            custom: custom(&item, &place)?,
        };
        relations.set.push((id, patch));
    }
    for (place, item) in items(&members, "delete", max - relations.set.len())? {
        let item = item_members(item, &place)?;
        relations.delete.push(related_id(&item, related, &place)?);
    }
    Ok(relations)
}

/// Checks that an object can have this id: its events go to the channel that is called so.
///
/// # Errors
/// No channel can be called that.
pub(crate) fn check_id(id: &str, location: &str) -> Result<(), Invalid> {
    match ChannelId::new(id, ChannelFlags::NONE) {
        Ok(_) => Ok(()),
        Err(error) => Err(Invalid::in_body(location, error.to_string())),
    }
}

fn members(body: &[u8]) -> Result<Members<'_>, Invalid> {
    serde_json::from_slice(body).map_err(|error| Invalid::in_body("", error.to_string()))
}

fn item_members<'a>(item: &'a RawValue, place: &str) -> Result<Members<'a>, Invalid> {
    serde_json::from_str(item.get()).map_err(|_| Invalid::in_body(place, "it is no object"))
}

/// The items of a list, each with its place.
fn items<'a>(
    members: &Members<'a>,
    name: &'static str,
    max: usize,
) -> Result<Vec<(String, &'a RawValue)>, Invalid> {
    let Some(list) = members.get(name) else { return Ok(Vec::new()) };
    let items: Option<Vec<&RawValue>> =
        serde_json::from_str(list.get()).map_err(|_| Invalid::in_body(name, "it is no array"))?;
    let items = items.unwrap_or_default();
    if items.len() > max {
        return Err(Invalid::in_body(name, "these are more than one request may change"));
    }
    Ok(items.into_iter().enumerate().map(|(index, item)| (format!("{name}[{index}]"), item)).collect())
}

fn related_id(item: &Members<'_>, related: Related, place: &str) -> Result<Box<str>, Invalid> {
    let location = format!("{place}.{}.id", related.as_str());
    let Some(object) = item.get(related.as_str()) else {
        return Err(Invalid::in_body(location, "it is missing"));
    };
    let object = item_members(object, &format!("{place}.{}", related.as_str()))?;
    match text(&object, "", "id") {
        Ok(Some(Some(id))) => {
            check_id(&id, &location)?;
            Ok(id)
        }
        Ok(_) => Err(Invalid::in_body(location, "it is missing")),
        Err(error) => Err(Invalid { location, ..error }),
    }
}

fn text(members: &Members<'_>, place: &str, name: &str) -> Result<Field, Invalid> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let text: Option<Box<str>> = serde_json::from_str(value.get())
        .map_err(|_| Invalid::in_body(at(place, name), "it is no string"))?;
    Ok(Some(text))
}

/// An object of the application's, kept as it is written.
fn custom(members: &Members<'_>, place: &str) -> Result<Field, Invalid> {
    let Some(value) = members.get("custom") else { return Ok(None) };
    let text = value.get().trim();
    let invalid = |problem: &str| Err(Invalid::in_body(at(place, "custom"), problem));
    match text.as_bytes().first() {
        Some(b'n') => Ok(Some(None)),
        Some(b'{') => match RawJson::new(Bytes::copy_from_slice(text.as_bytes())) {
            Ok(_) => Ok(Some(Some(text.into()))),
            Err(error) => invalid(&error.to_string()),
        },
        _ => invalid("it is no object"),
    }
}

fn at(place: &str, name: &str) -> String {
    if place.is_empty() { name.into() } else { format!("{place}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> Field {
        Some(Some(text.into()))
    }

    #[test]
    fn a_missing_field_stays_and_null_clears() {
        let body =
            r#"{"name":"Ann","email":null,"custom": {"a": [1]} ,"type":"t","id":7,"descripti\u006fn":"d"}"#;
        let expected = ObjectPatch {
            name: set("Ann"),
            email: Some(None),
            description: set("d"),
            kind: set("t"),
            custom: set(r#"{"a": [1]}"#),
            ..ObjectPatch::default()
        };
        assert_eq!(object(body.as_bytes()), Ok(expected));
        assert_eq!(object(b"{}"), Ok(ObjectPatch::default()));
        assert_eq!(object(br#"{"custom":null}"#).unwrap().custom, Some(None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (body, expected) in [
            ("", ""),
            ("[]", ""),
            ("{\"name\":1}", "name"),
            ("{\"externalId\":{}}", "externalId"),
            ("{\"custom\":[1]}", "custom"),
            ("{\"custom\":\"{}\"}", "custom"),
            ("{\"name\":\"a\"", ""),
        ] {
            let error = object(body.as_bytes()).unwrap_err();
            assert_eq!((&*error.location, error.location_type), (expected, "body"), "{body}");
        }
        let deep = format!("{{\"custom\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
        assert!(object(deep.as_bytes()).is_err());
        for (body, expected) in [
            ("[]", ""),
            (r#"{"set":{}}"#, "set"),
            (r#"{"set":[1]}"#, "set[0]"),
            (r#"{"set":[{}]}"#, "set[0].channel.id"),
            (r#"{"set":[{"uuid":{"id":"a"}}]}"#, "set[0].channel.id"),
            (r#"{"set":[{"channel":"a"}]}"#, "set[0].channel"),
            (r#"{"set":[{"channel":{"id":1}}]}"#, "set[0].channel.id"),
            (r#"{"set":[{"channel":{"id":""}}]}"#, "set[0].channel.id"),
            (r#"{"set":[{"channel":{"id":"a"},"custom":1}]}"#, "set[0].custom"),
            (r#"{"delete":[{"channel":{"id":"a"}},{"channel":{"id":"a\u0000"}}]}"#, "delete[1].channel.id"),
            (
                r#"{"set":[{"channel":{"id":"a"}}],"delete":[{"channel":{"id":"a"}},{"channel":{"id":"b"}}]}"#,
                "delete",
            ),
        ] {
            let error = relations(body.as_bytes(), Related::Channel, 2).unwrap_err();
            assert_eq!(error.location, expected, "{body}");
        }
    }

    #[test]
    fn relations_are_set_and_deleted() {
        let body = r#"{"set":[{"uuid":{"id":"ann"},"custom":{"a":1},"status":"x"},{"uuid":{"id":"bob"}}],
            "delete":[{"uuid":{"id":"cem","name":"ignored"}}]}"#;
        let ann = MembershipPatch { status: set("x"), custom: set("{\"a\":1}"), kind: None };
        let expected = Relations {
            set: vec![("ann".into(), ann), ("bob".into(), MembershipPatch::default())],
            delete: vec!["cem".into()],
        };
        assert_eq!(relations(body.as_bytes(), Related::User, 10), Ok(expected));
        assert_eq!(relations(br#"{"set":null}"#, Related::User, 10), Ok(Relations::default()));
    }

    proptest! {
        #[test]
        fn nothing_panics(body: Vec<u8>, text in "[\\{\\}\\[\\]\",:a-z0-9 ]{0,60}") {
            for body in [&body[..], text.as_bytes(), format!("{{\"set\":[{text}]}}").as_bytes()] {
                let _ = object(body);
                if let Ok(relations) = relations(body, Related::Channel, 3) {
                    prop_assert!(relations.set.len() + relations.delete.len() <= 3);
                }
            }
        }
    }
}
