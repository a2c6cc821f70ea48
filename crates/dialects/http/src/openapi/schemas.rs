//! The shapes of bodies. Only their documentation: they are written and read by `wire`.
#![allow(dead_code, reason = "the fields are there for the schemas that are derived from them")]

mod credentials;
mod revocations;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{Object, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::wire::duration;

/// Adds every schema of this module to a document.
pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    revocations::add_to(credentials::add_to(components))
        .schema("Problem", Problem::schema())
        .schema("Message", Message::schema())
        .schema("Page", Page::schema())
        .schema("Receipt", Receipt::schema())
        .schema("Refusal", Refusal::schema())
        .schema("Outcome", Outcome::schema())
        .schema("Outcomes", Outcomes::schema())
        .schema("Encoding", Encoding::schema())
        .schema("Kind", Kind::schema())
        .schema("PublishedKind", PublishedKind::schema())
        .schema("Publication", publication())
        .schema("Reply", Reply::schema())
        .schema("Replies", Replies::schema())
        .schema("Member", Member::schema())
        .schema("Presence", Presence::schema())
        .schema("Nothing", Nothing::schema())
}

/// Canonical base64 with padding.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// A publication of a batch: with an encoding, the payload is a string of it. That can be said only of two schemas.
fn publication() -> Schema {
    let (mut json, mut binary) = (object(Publication::schema()), object(Publication::schema()));
    json.properties.insert("encoding".to_owned(), ObjectBuilder::new().schema_type(Type::Null).into());
    json.required.retain(|name| name != "encoding");
    let base64 = ObjectBuilder::new().schema_type(Type::String).pattern(Some(BASE64));
    binary.properties.insert("payload".to_owned(), base64.into());
    binary.properties.insert("encoding".to_owned(), Ref::from_schema_name("Encoding").into());
    Schema::OneOf(OneOfBuilder::new().item(json).item(binary).build())
}

fn problem() -> Ref {
    Ref::from_schema_name("Problem")
}

/// A duration as text, or in milliseconds.
fn ttl() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer, Type::Null]))
        .pattern(Some(duration::PATTERN))
        .minimum(Some(0))
        .maximum(Some(999_999_999))
        .description(Some("How long it is kept, if shorter than the channel's rule."))
        .build()
}

fn object(schema: RefOr<Schema>) -> Object {
    match schema {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::default(),
    }
}

/// What went wrong, for programs and for people (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// What sort of problem it is: `urn:antiphon:problem:` and a word that stays the same.
    #[serde(rename = "type")]
    #[schema(format = "uri", example = "urn:antiphon:problem:invalid-parameter")]
    kind: String,
    /// The sort in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, and what to do about it.
    detail: String,
    /// The parameter, query or header, that is not what it has to be.
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// The channel that it is about.
    #[schema(nullable = false)]
    channel: Option<String>,
    /// Set if that is a system channel.
    #[schema(required = false)]
    system: bool,
    /// Set if that is a consumer channel.
    #[schema(required = false)]
    consumer: bool,
    /// The permission that is missing.
    #[schema(nullable = false)]
    permission: Option<String>,
    /// Where a publication stands that was delivered but not stored.
    #[schema(nullable = false)]
    position: Option<String>,
    /// After how many seconds to try again, as the header `Retry-After` says it.
    #[schema(nullable = false, minimum = 1)]
    retry_after: Option<u64>,
}

/// How a payload is written that is not JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    Base64,
}

/// What a message is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Signal,
    Action,
    File,
    Presence,
    Object,
}

/// What a client may publish.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PublishedKind {
    Message,
    Signal,
}

/// A message on a channel.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    /// Where it stands: rises with every message of the org.
    #[schema(pattern = "^[0-9]{1,20}$")]
    position: String,
    /// The channel's name.
    channel: String,
    /// Set on a system channel.
    #[schema(required = false)]
    system: bool,
    /// Set on a consumer channel.
    #[schema(required = false)]
    consumer: bool,
    /// What it is, unless an ordinary message.
    #[schema(required = false)]
    kind: Kind,
    /// The event name.
    name: String,
    /// The payload: JSON as it was published, a string for text, a base64 string for bytes.
    #[schema(value_type = Value, required = true)]
    payload: Value,
    /// Set if the payload is base64.
    #[schema(required = false)]
    encoding: Encoding,
    /// A JSON value about it.
    #[schema(value_type = Value, required = false)]
    meta: Value,
    /// Who published it.
    #[schema(required = false)]
    publisher: String,
    /// Set on a broadcast: reply to its position.
    #[schema(required = false)]
    expects_replies: bool,
}

/// The answer to a poll.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    /// Oldest first.
    messages: Vec<Message>,
    /// Ask again with `since` of this.
    #[schema(pattern = "^[0-9]{1,20}$")]
    position: String,
    /// Whether something after `since` is no longer kept.
    gap: bool,
}

/// A publication was taken.
#[derive(Serialize, ToSchema)]
pub(super) struct Receipt {
    /// Where it stands.
    #[schema(pattern = "^[0-9]{1,20}$")]
    position: String,
    /// Whether it is in the store.
    stored: bool,
}

/// A publication was not taken, or not stored.
#[derive(Serialize, ToSchema)]
pub(super) struct Refusal {
    #[schema(schema_with = problem)]
    error: Problem,
}

/// What became of a publication of a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Outcome {
    Taken(Receipt),
    Refused(Refusal),
}

/// What became of the publications of a batch.
#[derive(Serialize, ToSchema)]
pub(super) struct Outcomes {
    /// In the order of the batch.
    results: Vec<Outcome>,
}

/// A publication of a batch.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Publication {
    /// The channel's name: at most 1024 bytes, no control characters.
    #[schema(min_length = 1, max_length = 1024, pattern = r"^[^\u0000-\u001f\u007f]+$")]
    channel: String,
    /// The system channel of this name.
    #[schema(required = false)]
    system: bool,
    /// The consumer channel of this name.
    #[schema(required = false)]
    consumer: bool,
    /// The event name.
    #[schema(required = false, min_length = 1, max_length = 256, pattern = r"^[^\u0000-\u001f\u007f]+$")]
    name: Option<String>,
    /// Any JSON value, or the base64 of bytes.
    #[schema(value_type = Value, required = true)]
    payload: Value,
    /// That the payload is base64.
    encoding: Encoding,
    /// A JSON value about it.
    #[schema(value_type = Value, required = false)]
    meta: Value,
    /// False: not even if the channel's rule says so.
    #[schema(required = false)]
    store: Option<bool>,
    /// How long it is kept, if shorter than the channel's rule.
    #[schema(required = false, schema_with = ttl)]
    ttl: Option<String>,
    /// What it is.
    #[schema(required = false)]
    kind: Option<PublishedKind>,
    /// A second publication with it, on this channel and by this publisher, is the same one. It needs `identity` in the
    /// query, unless the credential says who publishes.
    #[schema(required = false, min_length = 1, max_length = 128, pattern = r"^[\u0021-\u007e]+$")]
    idempotency_key: Option<String>,
}

/// A reply to a broadcast.
#[derive(Serialize, ToSchema)]
pub(super) struct Reply {
    /// The payload, written as that of a message.
    #[schema(value_type = Value, required = true)]
    payload: Value,
    /// Set if the payload is base64.
    #[schema(required = false)]
    encoding: Encoding,
    /// Who replied.
    #[schema(required = false)]
    publisher: String,
}

/// What was answered to a broadcast.
#[derive(Serialize, ToSchema)]
pub(super) struct Replies {
    /// Where the broadcast stands.
    #[schema(pattern = "^[0-9]{1,20}$")]
    position: String,
    /// In the order they came.
    replies: Vec<Reply>,
    /// Whether as many came as `until` asked for.
    complete: bool,
    /// Whether the broadcast is in the store.
    stored: bool,
}

/// Somebody who is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Member {
    identity: String,
    /// The state that he set, if any.
    #[schema(value_type = Value, required = false)]
    state: Value,
    /// In how many connections; 0 for who is there by `PUT` alone.
    #[schema(minimum = 0)]
    sessions: u64,
}

/// Who is on a channel.
#[derive(Serialize, ToSchema)]
pub(super) struct Presence {
    /// How many.
    #[schema(minimum = 0)]
    occupancy: u64,
    /// At most `limit` of them.
    members: Vec<Member>,
}

/// It is done.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}
