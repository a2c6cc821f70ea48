use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const UPDATED: Timestamp = Timestamp(16_014_743_276_044_940);

fn ann() -> Object {
    Object {
        id: "ann".into(),
        name: Some("Ann".into()),
        email: Some("ann@example.org".into()),
        status: Some("away".into()),
        custom: Some("{\"a\": 1}".into()),
        updated: UPDATED,
        etag: "Ae".into(),
        ..Object::default()
    }
}

fn room() -> Object {
    let description = Some("for \"all\"".into());
    Object { id: "room".into(), description, updated: UPDATED, etag: "Be".into(), ..Object::default() }
}

fn membership(related: Option<Object>) -> Membership {
    Membership {
        user: "ann".into(),
        channel: "room".into(),
        status: None,
        kind: None,
        custom: Some("{\"x\":true}".into()),
        updated: UPDATED,
        etag: "Ce".into(),
        related,
    }
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn payload(payload: &Payload) -> Value {
    value(&payload.to_bytes())
}

const AT: &str = "2020-09-30T13:58:47.604494Z";

#[test]
fn objects_have_the_fields_of_their_kind() {
    let include = Include { own: ALL, ..Include::default() };
    assert_eq!(
        value(&one(ObjectKind::User, &ann(), include)),
        json!({"status": 200, "data": {
            "id": "ann", "name": "Ann", "externalId": null, "profileUrl": null, "email": "ann@example.org",
            "status": "away", "type": null, "custom": {"a": 1}, "updated": AT, "eTag": "Ae",
        }})
    );
    assert_eq!(
        value(&one(ObjectKind::Channel, &room(), Include::default())),
        json!({"status": 200, "data": {
            "id": "room", "name": null, "description": "for \"all\"", "updated": AT, "eTag": "Be",
        }})
    );
    // What somebody has set is shown.
    let linked = Object { external_id: Some("7".into()), ..room() };
    assert_eq!(value(&one(ObjectKind::Channel, &linked, Include::default()))["data"]["externalId"], "7");
    assert_eq!(value(&one(ObjectKind::User, &ann(), Include::default()))["data"].get("custom"), None);
    assert!(serde_json::from_slice::<Value>(REMOVED).is_ok());
}

#[test]
fn lists_say_where_they_go_on() {
    let page = Page { offset: 0, more: true, total: Some(2) };
    let list = value(&objects(ObjectKind::User, &[ann()], Include::default(), page));
    assert_eq!((&list["totalCount"], &list["next"], list.get("prev")), (&json!(2), &json!("MQ"), None));
    let last = Page { offset: 1, more: false, total: None };
    let list = value(&objects(ObjectKind::User, &[ann()], Include::default(), last));
    assert_eq!((list.get("totalCount"), list.get("next"), &list["prev"]), (None, None, &json!("MQ")));
    let unasked = Page { offset: 0, more: true, total: Some(2) };
    let list = value(&objects(ObjectKind::User, &[], Include::default(), unasked));
    assert_eq!((&list["totalCount"], list.get("next")), (&json!(2), None));
    let empty = Page { offset: 0, more: false, total: Some(0) };
    assert_eq!(
        value(&memberships(Related::User, &[], Include::default(), empty)),
        json!({"status": 200, "data": [], "totalCount": 0})
    );
}

#[test]
fn memberships_show_the_other_side_as_far_as_asked() {
    let element = |related, membership: Membership, include| {
        let page = Page { offset: 0, more: false, total: None };
        value(&memberships(related, &[membership], include, page))["data"][0].clone()
    };
    let bare = Include::default();
    assert_eq!(
        element(Related::Channel, membership(Some(room())), bare),
        json!({"channel": {"id": "room"}, "updated": AT, "eTag": "Ce"})
    );
    let own = Include { own: ALL, ..bare };
    assert_eq!(
        element(Related::User, membership(Some(ann())), own),
        json!({"uuid": {"id": "ann"}, "status": null, "type": null, "custom": {"x": true}, "updated": AT, "eTag": "Ce"})
    );
    let status = Include { related: Fields { status: true, kind: true, custom: false }, ..bare };
    let shown = element(Related::User, membership(Some(ann())), status);
    assert_eq!(shown["uuid"], json!({"id": "ann", "status": "away"}));
    let whole = Include { related_object: true, related: ALL, own: ALL };
    assert_eq!(
        element(Related::User, membership(Some(ann())), whole)["uuid"],
        json!({
            "id": "ann", "name": "Ann", "externalId": null, "profileUrl": null, "email": "ann@example.org",
            "status": "away", "type": null, "custom": {"a": 1}, "updated": AT, "eTag": "Ae",
        })
    );
    // A channel of which nothing is known.
    let unknown = Include { related_object: true, ..bare };
    assert_eq!(
        element(Related::Channel, membership(None), unknown)["channel"],
        json!({"id": "room", "name": null, "description": null})
    );
}

#[test]
fn events_say_what_happened_to_what() {
    assert_eq!(
        payload(&object_event(ObjectKind::Channel, "room", Some(&room()))),
        json!({"source": "objects", "version": "2.0", "event": "set", "type": "channel", "data": {
            "id": "room", "name": null, "description": "for \"all\"", "status": null, "type": null, "custom": null,
            "updated": AT, "eTag": "Be",
        }})
    );
    assert_eq!(
        payload(&object_event(ObjectKind::User, "ann", None)),
        json!({"source": "objects", "version": "2.0", "event": "delete", "type": "uuid", "data": {"id": "ann"}})
    );
    assert_eq!(
        payload(&membership_event(Happened::Set, &membership(None))),
        json!({"source": "objects", "version": "2.0", "event": "set", "type": "membership", "data": {
            "channel": {"id": "room"}, "uuid": {"id": "ann"}, "status": null, "type": null, "custom": {"x": true},
            "updated": AT, "eTag": "Ce",
        }})
    );
    let deleted = payload(&membership_event(Happened::Deleted, &membership(None)));
    assert_eq!((&deleted["event"], &deleted["data"]["uuid"]["id"]), (&json!("delete"), &json!("ann")));
}

proptest! {
    #[test]
    fn whatever_is_written_is_json(id: String, name: Option<String>, etag: String) {
        let object = Object {
            id: id.clone().into(),
            name: name.clone().map(Into::into),
            etag: etag.into(),
            ..Object::default()
        };
        let include = Include { own: ALL, related: ALL, related_object: true };
        let told = value(&one(ObjectKind::User, &object, include));
        prop_assert_eq!(&told["data"]["id"], &json!(id));
        prop_assert_eq!(&told["data"]["name"], &json!(name));
        let member = Membership { user: id.clone().into(), related: Some(object), ..membership(None) };
        let page = Page { offset: 3, more: true, total: Some(9) };
        let told = value(&memberships(Related::User, std::slice::from_ref(&member), include, page));
        prop_assert_eq!(&told["data"][0]["uuid"]["id"], &json!(id));
        payload(&membership_event(Happened::Set, &member));
    }
}
