//! The parameters of operations, with the constraints that the parsers have.

use antiphon_access::CredentialKind;
use antiphon_model::CHANNEL_NAME_BYTES_MAX;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, RefOr, Required, Schema};

use crate::HttpSettings;
use crate::routes::broadcast::UNTIL_MAX;
use crate::routes::presence::MEMBERS_MAX;
use crate::wire::duration;
use crate::wire::listen::EVENTS_MAX;
use crate::wire::publish::IDEMPOTENCY_KEY_MAX;

const NO_CONTROLS: &str = r"^[^\u0000-\u001f\u007f]+$";
const NO_CONTROLS_OF_UNICODE: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
const POSITION: &str = "^[0-9]{1,19}$";

/// A position as it is asked for.
fn position() -> ObjectBuilder {
    text().pattern(Some(POSITION)).examples(["17325678901234567"])
}

/// What says who asks and which of the channels of a name is meant.
pub(super) fn common() -> Vec<Parameter> {
    let identity = text().min_length(Some(1)).max_length(Some(antiphon_access::IDENTITY_BYTES_MAX));
    vec![query(
        "identity",
        identity.pattern(Some(NO_CONTROLS_OF_UNICODE)),
        "How the client names itself, where its credential does not: at most 128 bytes.",
    )]
}

/// What tells channels of one name apart.
pub(super) fn flags() -> Vec<Parameter> {
    vec![
        query("system", flag(), "The system channel of this name: the server speaks, clients only listen."),
        query("consumer", flag(), "The consumer channel of this name: open to consumer apps."),
    ]
}

/// `{channel}` in the path.
pub(super) fn channel() -> Parameter {
    in_path("channel", channel_name(), "The channel's name, percent-encoded: at most 1024 bytes of UTF-8.")
}

/// `{position}` in the path.
pub(super) fn broadcast_position() -> Parameter {
    in_path("position", position(), "The position of the broadcast.")
}

/// `?channel=`, repeated.
pub(super) fn channels() -> Parameter {
    let names = ArrayBuilder::new().items(channel_name().build()).min_items(Some(1)).max_items(Some(1000));
    let parameter = query("channel", names, "The channels, one parameter for each.");
    ParameterBuilder::from(parameter).required(Required::True).build()
}

/// What all listeners can ask for.
pub(super) fn listen(settings: &HttpSettings) -> Vec<Parameter> {
    let names = ArrayBuilder::new().items(text().build()).max_items(Some(EVENTS_MAX));
    vec![
        query("since", position(), "Only what came after this position; 0 is everything kept."),
        in_header(
            "Last-Event-ID",
            text().pattern(Some("^[0-9]{0,19}$")),
            "As `since`, and counts before it: what an EventSource sends.",
        ),
        query(
            "limit",
            number(1, settings.history_limit_max),
            "Polls: at most so many messages. 100 if none is given.",
        ),
        query("wait", duration_text(), "Long poll: wait so long for a message, if there is none."),
        query("event", names, "Only messages of these event names."),
        query("presence", flag(), "The presence events of the channels too."),
        query("join", flag(), "Streams: count the listener as present while it listens."),
        json_in(ParameterIn::Query, "state", "Streams: the state to be present with, as JSON."),
        query("envelope", flag(), "Server-sent events: whole messages as data, as always on `/v1/events`."),
    ]
}

/// `If-None-Match`
pub(super) fn if_none_match() -> Parameter {
    in_header("If-None-Match", text(), "The `ETag` of the last answer: 304 if there is nothing new.")
}

/// What is said of a publication.
pub(super) fn publish() -> Vec<Parameter> {
    let name = text().min_length(Some(1)).max_length(Some(256)).pattern(Some(NO_CONTROLS));
    let kind = text().enum_values(Some(["message", "signal"]));
    vec![
        query("name", name, "The event name: at most 256 bytes. `message` if none is given."),
        query("kind", kind, "What it is. A signal is of the moment: never stored, dropped first."),
        query("store", flag(), "False: not stored, even if the channel's rule says so."),
        query("ttl", duration_text(), "How long it is kept, if shorter than the channel's rule says."),
        json_in(ParameterIn::Query, "meta", "A JSON value about it."),
        json_in(ParameterIn::Header, "X-Antiphon-Meta", "The same, and counts before it."),
    ]
}

/// `Idempotency-Key`
pub(super) fn idempotency_key() -> Parameter {
    let key =
        text().min_length(Some(1)).max_length(Some(IDEMPOTENCY_KEY_MAX)).pattern(Some(r"^[\u0021-\u007e]+$"));
    in_header(
        "Idempotency-Key",
        key,
        "A second publish with it, on this channel and by this publisher, answers the first one's position. It needs \
         `identity`, unless the credential says who publishes.",
    )
}

/// How replies are collected.
pub(super) fn collect(settings: &HttpSettings) -> Vec<Parameter> {
    let timeout = format!(
        "For how long replies are collected: 2s if none is given, {} ms at most.",
        settings.broadcast_timeout_ms_max
    );
    vec![
        query("timeout", duration_text(), &timeout),
        query("until", number(1, UNTIL_MAX), "Answer as soon as so many replies are there."),
    ]
}

/// How many members are named.
pub(super) fn members() -> Parameter {
    query("limit", number(1, MEMBERS_MAX), "At most so many members. 1000 if none is given.")
}

/// How long `PUT` makes present.
pub(super) fn presence_ttl(settings: &HttpSettings) -> Parameter {
    let description = format!(
        "For how long, unless repeated: 30s if none is given, {} s at most, 1 s at least.",
        settings.presence_ttl_secs_max
    );
    query("ttl", duration_text(), &description)
}

/// Whether a credential may be replaced.
pub(super) fn replace() -> Parameter {
    query("replace", flag(), "True: one of this kind and name gives way, and its connections end.")
}

/// `{kind}` and `{name}` of a credential in the path.
pub(super) fn credential() -> Vec<Parameter> {
    let kinds = CredentialKind::ALL.map(CredentialKind::as_str);
    let name = text().min_length(Some(1)).max_length(Some(antiphon_access::IDENTITY_BYTES_MAX));
    vec![
        in_path("kind", text().enum_values(Some(kinds)), "What sort of client has it."),
        in_path("name", name.pattern(Some(NO_CONTROLS_OF_UNICODE)), "Its name, percent-encoded."),
    ]
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn flag() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

fn number(min: usize, max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min as f64)).maximum(Some(max as f64))
}

fn duration_text() -> ObjectBuilder {
    text().pattern(Some(duration::PATTERN)).examples(["10s"])
}

fn channel_name() -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(CHANNEL_NAME_BYTES_MAX)).pattern(Some(NO_CONTROLS))
}

fn query(name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Parameter {
    parameter(ParameterIn::Query, name, description).schema(Some(schema)).build()
}

fn in_header(name: &str, schema: ObjectBuilder, description: &str) -> Parameter {
    parameter(ParameterIn::Header, name, description).schema(Some(schema)).build()
}

fn in_path(name: &str, schema: ObjectBuilder, description: &str) -> Parameter {
    parameter(ParameterIn::Path, name, description).required(Required::True).schema(Some(schema)).build()
}

fn json_in(parameter_in: ParameterIn, name: &str, description: &str) -> Parameter {
    let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    let content = ContentBuilder::new().schema(Some(any)).build();
    parameter(parameter_in, name, description).content("application/json", content).build()
}

fn parameter(parameter_in: ParameterIn, name: &str, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(parameter_in)
        .required(Required::False)
        .description(Some(description))
}
