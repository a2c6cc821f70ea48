//! Objects and memberships as they are answered and told of.

use antiphon_model::{Payload, RawJson, Timestamp};
use antiphon_store::{Membership, Object, ObjectKind, iso_text};

use super::list::Cursor;
use super::{Fields, Include, Related};
use crate::wire::json;

/// Answers with one object.
pub(crate) fn one(kind: ObjectKind, object: &Object, include: Include) -> Vec<u8> {
    let mut out = br#"{"status":200,"data":"#.to_vec();
    write_object(kind, object, include.own, &mut out);
    out.push(b'}');
    out
}

/// What an object that was removed is answered with.
pub(crate) const REMOVED: &[u8] = br#"{"status":200,"data":null}"#;

/// A page of a list, beside what is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many stand before it.
    pub(crate) offset: u64,
    /// Whether more come behind it.
    pub(crate) more: bool,
    /// How many there are in all, if that was asked.
    pub(crate) total: Option<u64>,
}

/// Answers with a list of objects.
pub(crate) fn objects(kind: ObjectKind, objects: &[Object], include: Include, page: Page) -> Vec<u8> {
    list(objects, page, |object, out| write_object(kind, object, include.own, out))
}

/// Answers with a list of memberships, which are those of a user or of a channel.
pub(crate) fn memberships(
    related: Related,
    memberships: &[Membership],
    include: Include,
    page: Page,
) -> Vec<u8> {
    list(memberships, page, |membership, out| write_membership(related, membership, include, out))
}

fn list<T>(items: &[T], page: Page, write: impl Fn(&T, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = br#"{"status":200,"data":["#.to_vec();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, &mut out);
    }
    out.push(b']');
    if let Some(total) = page.total {
        out.extend_from_slice(b",\"totalCount\":");
        json::number(total, &mut out);
    }
    // Where nothing was asked for there is no going on: a client that follows would never end.
    if page.more && !items.is_empty() {
        out.extend_from_slice(b",\"next\":");
        json::string(&Cursor(page.offset + items.len() as u64).encode(), &mut out);
    }
    if page.offset > 0 {
        out.extend_from_slice(b",\"prev\":");
        json::string(&Cursor(page.offset).encode(), &mut out);
    }
    out.push(b'}');
    out
}

fn write_object(kind: ObjectKind, object: &Object, fields: Fields, out: &mut Vec<u8>) {
    write_known(kind, &object.id, Some(object), fields, out);
    write_stamp(object.updated, &object.etag, out);
    out.push(b'}');
}

/// Writes an object up to when it was set; of one that there is not all fields are null.
fn write_known(kind: ObjectKind, id: &str, object: Option<&Object>, fields: Fields, out: &mut Vec<u8>) {
    let none = Object::default();
    let object = object.unwrap_or(&none);
    let Object { name, external_id, profile_url, email, description, status, kind: type_, custom, .. } =
        object;
    // What the other kind has is shown only where somebody has set it.
    let (of_users, of_channels) = match kind {
        ObjectKind::User => (true, false),
        ObjectKind::Channel => (false, true),
    };
    out.extend_from_slice(b"{\"id\":");
    json::string(id, out);
    for (field, value, always) in [
        ("name", name, true),
        ("externalId", external_id, of_users),
        ("profileUrl", profile_url, of_users),
        ("email", email, of_users),
        ("description", description, of_channels),
        ("status", status, fields.status),
        ("type", type_, fields.kind),
    ] {
        if always || value.is_some() {
            write_text(field, value.as_deref(), out);
        }
    }
    if fields.custom {
        write_custom(custom.as_deref(), out);
    }
}

fn write_membership(related: Related, membership: &Membership, include: Include, out: &mut Vec<u8>) {
    out.push(b'{');
    json::string(related.as_str(), out);
    out.push(b':');
    write_related(related, membership, include, out);
    for (field, value, asked) in
        [("status", &membership.status, include.own.status), ("type", &membership.kind, include.own.kind)]
    {
        if asked || value.is_some() {
            write_text(field, value.as_deref(), out);
        }
    }
    if include.own.custom {
        write_custom(membership.custom.as_deref(), out);
    }
    write_stamp(membership.updated, &membership.etag, out);
    out.push(b'}');
}

fn write_related(related: Related, membership: &Membership, include: Include, out: &mut Vec<u8>) {
    let (kind, id) = match related {
        Related::Channel => (ObjectKind::Channel, &membership.channel),
        Related::User => (ObjectKind::User, &membership.user),
    };
    let object = membership.related.as_ref();
    match (include.related_object, object) {
        (true, Some(object)) => return write_object(kind, object, include.related, out),
        (true, None) => write_known(kind, id, None, include.related, out),
        (false, _) => {
            out.extend_from_slice(b"{\"id\":");
            json::string(id, out);
            let status =
                object.and_then(|object| object.status.as_deref()).filter(|_| include.related.status);
            let type_ = object.and_then(|object| object.kind.as_deref()).filter(|_| include.related.kind);
            for (field, value) in [("status", status), ("type", type_)] {
                if value.is_some() {
                    write_text(field, value, out);
                }
            }
        }
    }
    out.push(b'}');
}

/// What became of what an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Set,
    Deleted,
}

const ALL: Fields = Fields { custom: true, status: true, kind: true };

/// What subscribers of an object's channel get. Of one that was deleted only the id is told.
pub(crate) fn object_event(kind: ObjectKind, id: &str, set: Option<&Object>) -> Payload {
    let type_ = match kind {
        ObjectKind::User => "uuid",
        ObjectKind::Channel => "channel",
    };
    match set {
        Some(object) => event(Happened::Set, type_, |out| write_object(kind, object, ALL, out)),
        None => event(Happened::Deleted, type_, |out| {
            out.extend_from_slice(b"{\"id\":");
            json::string(id, out);
            out.push(b'}');
        }),
    }
}

/// What subscribers of a membership's user and channel get.
pub(crate) fn membership_event(happened: Happened, membership: &Membership) -> Payload {
    event(happened, "membership", |out| {
        out.extend_from_slice(b"{\"channel\":{\"id\":");
        json::string(&membership.channel, out);
        out.extend_from_slice(b"},\"uuid\":{\"id\":");
        json::string(&membership.user, out);
        out.push(b'}');
        if happened == Happened::Set {
            write_text("status", membership.status.as_deref(), out);
            write_text("type", membership.kind.as_deref(), out);
            write_custom(membership.custom.as_deref(), out);
        }
        write_stamp(membership.updated, &membership.etag, out);
        out.push(b'}');
    })
}

fn event(happened: Happened, type_: &str, data: impl FnOnce(&mut Vec<u8>)) -> Payload {
    let mut out = br#"{"source":"objects","version":"2.0","event":"#.to_vec();
    out.extend_from_slice(match happened {
        Happened::Set => b"\"set\"",
        Happened::Deleted => b"\"delete\"",
    });
    write_text("type", Some(type_), &mut out);
    out.extend_from_slice(b",\"data\":");
    data(&mut out);
    out.push(b'}');
    Payload::Json(RawJson::from_serializer(out))
}

fn write_text(field: &str, value: Option<&str>, out: &mut Vec<u8>) {
    out.push(b',');
    json::string(field, out);
    out.push(b':');
    match value {
        Some(value) => json::string(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_custom(custom: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"custom\":");
    // It was checked to be JSON before it was kept.
    out.extend_from_slice(custom.unwrap_or("null").as_bytes());
}

fn write_stamp(updated: Timestamp, etag: &str, out: &mut Vec<u8>) {
    write_text("updated", Some(&iso_text(updated)), out);
    write_text("eTag", Some(etag), out);
}

#[cfg(test)]
mod tests;
