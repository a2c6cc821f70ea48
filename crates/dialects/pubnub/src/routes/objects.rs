//! App Context: users, channels, and the memberships between them.

mod memberships;

use antiphon_access::pam::{Bits, Resource};
use antiphon_model::Kind;
use antiphon_node::StoreError;
use antiphon_store::{Listed, ObjectKind, PreconditionFailed};
use http::StatusCode;
use http::header::IF_MATCH;

use super::events::{Teller, change};
use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::names;
use crate::wire::objects::etag::IfMatch;
use crate::wire::objects::write::{self, Page};
use crate::wire::objects::{Include, Invalid, list, patch};

pub(super) use memberships::{channels_of, members_of, set_channels_of, set_members_of};

/// What a request has to be permitted to list all that there are of a kind: a pattern like `.*` permits it.
const ALL: &str = "*";

/// `GET /v2/objects/{sub}/uuids`
pub(super) async fn users(request: Request) -> Answer {
    all(&request, ObjectKind::User).await
}

/// `GET /v2/objects/{sub}/channels`
pub(super) async fn channels(request: Request) -> Answer {
    all(&request, ObjectKind::Channel).await
}

/// `GET /v2/objects/{sub}/uuids/{id}`
pub(super) async fn user(request: Request) -> Answer {
    one(&request, ObjectKind::User).await
}

/// `GET /v2/objects/{sub}/channels/{id}`
pub(super) async fn channel(request: Request) -> Answer {
    one(&request, ObjectKind::Channel).await
}

/// `PATCH /v2/objects/{sub}/uuids/{id}`
pub(super) async fn set_user(request: Request) -> Answer {
    set(&request, ObjectKind::User).await
}

/// `PATCH /v2/objects/{sub}/channels/{id}`
pub(super) async fn set_channel(request: Request) -> Answer {
    set(&request, ObjectKind::Channel).await
}

/// `DELETE /v2/objects/{sub}/uuids/{id}`
pub(super) async fn remove_user(request: Request) -> Answer {
    remove(&request, ObjectKind::User).await
}

/// `DELETE /v2/objects/{sub}/channels/{id}`
pub(super) async fn remove_channel(request: Request) -> Answer {
    remove(&request, ObjectKind::Channel).await
}

async fn all(request: &Request, kind: ObjectKind) -> Answer {
    may(request, kind, ALL, Bits::GET)?;
    let query = list::parse(&request.query, Listed::Objects)?;
    let include = Include::parse(&request.query, None);
    let (offset, count) = (query.offset, query.count);
    let listed = request.node().store().objects(&request.keyset.org, kind, query).await.map_err(of_store)?;
    let page = Page { offset, more: listed.more, total: listed.total.filter(|_| count) };
    Ok(answer::written(write::objects(kind, &listed.objects, include, page)))
}

async fn one(request: &Request, kind: ObjectKind) -> Answer {
    let id = id(request)?;
    may(request, kind, id, Bits::GET)?;
    let include = Include::parse(&request.query, None);
    let object = request.node().store().object(&request.keyset.org, kind, id).await.map_err(of_store)?;
    let object = object.ok_or_else(not_found)?;
    Ok(answer::written(write::one(kind, &object, include)))
}

async fn set(request: &Request, kind: ObjectKind) -> Answer {
    let id = id(request)?;
    may(request, kind, id, Bits::UPDATE)?;
    let max = request.settings().object_bytes_max;
    if request.body.len() > max {
        return Err(Refusal::bad(format!("An object has at most {max} bytes of JSON")));
    }
    let patch = patch::object(&request.body)?;
    let include = Include::parse(&request.query, None);
    let if_match = matched(request, kind, id).await?;
    let (store, org) = (request.node().store(), &request.keyset.org);
    let (on, teller) = (id.to_owned(), Teller::new(request));
    let tell = move |outcome: &Result<antiphon_store::Object, PreconditionFailed>| {
        if let Ok(object) = outcome {
            teller.tell(&on, Kind::Object, write::object_event(kind, &on, Some(object)));
        }
    };
    let now = request.worker.now().wall;
    let set = |done| store.set_object(org, kind, id, patch, if_match, now, done);
    let object = change(set, tell).await.map_err(of_store)?.map_err(|PreconditionFailed| has_changed())?;
    Ok(answer::written(write::one(kind, &object, include)))
}

async fn remove(request: &Request, kind: ObjectKind) -> Answer {
    let id = id(request)?;
    may(request, kind, id, Bits::DELETE)?;
    matched(request, kind, id).await?;
    let (store, org) = (request.node().store(), &request.keyset.org);
    let (on, teller) = (id.to_owned(), Teller::new(request));
    let tell = move |removed: &bool| {
        if *removed {
            teller.tell(&on, Kind::Object, write::object_event(kind, &on, None));
        }
    };
    change(|done| store.remove_object(org, kind, id, done), tell).await.map_err(of_store)?;
    Ok(answer::written(write::REMOVED))
}

/// The eTag that an object has to have still when it is changed, if the request names any: the one that it has, which is one of those.
async fn matched(request: &Request, kind: ObjectKind, id: &str) -> Result<Option<Box<str>>, Refusal> {
    let Some(header) = request.head.headers.get(IF_MATCH) else { return Ok(None) };
    let if_match = IfMatch::parse(header.to_str().unwrap_or_default());
    let object = request.node().store().object(&request.keyset.org, kind, id).await.map_err(of_store)?;
    let etag = object.map(|object| object.etag);
    if if_match.is_met_by(etag.as_deref()) { Ok(etag) } else { Err(has_changed()) }
}

/// The id in the path.
fn id(request: &Request) -> Result<&str, Refusal> {
    let id = request.path.of("id");
    match names::channel(id) {
        Ok(_) => Ok(id),
        Err(error) => Err(Refusal::bad(INVALID_INPUT).with_detail("path", "id", error.to_string())),
    }
}

fn may(request: &Request, kind: ObjectKind, id: &str, bits: Bits) -> Result<(), Refusal> {
    let resource = match kind {
        ObjectKind::User => Resource::Uuid(id),
        ObjectKind::Channel => Resource::Channel(id),
    };
    request.may([resource], bits)
}

const INVALID_INPUT: &str = "Request payload contained invalid input.";

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Refusal {
        let Invalid { message, location, location_type } = invalid;
        Refusal::bad(INVALID_INPUT).with_detail(location_type, location, message)
    }
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Requested object was not found.")
}

fn has_changed() -> Refusal {
    Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "The object has been modified: its eTag is not the one of the request.",
    )
}

fn of_store(error: StoreError) -> Refusal {
    let message = error.to_string();
    match error {
        StoreError::BadQuery(_) | StoreError::TooExpensive => {
            Refusal::bad(INVALID_INPUT).with_detail("query", "filter", message)
        }
        StoreError::Unstorable(_) => Refusal::bad(INVALID_INPUT).with_detail("body", "", message),
        error => error.into(),
    }
}
