//! The operations: what each takes, and every way in which it is answered.

use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, PathItemBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, SchemaType, Type};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, Paths, PathsBuilder, Ref, Required, Response,
    ResponseBuilder,
};

use super::parameters as p;
use crate::HttpSettings;

/// What can be in the way of any operation that asks who it is.
const ANY: [&str; 5] = ["400", "401", "403", "405", "503"];

/// What is answered before the request is looked at, without a document.
const HEAD_TOO_LONG: [&str; 2] = ["414", "431"];

/// What credentials are for.
const NEEDS_ADMIN: &str = "For whoever has `admin` on all channels of the org.";

/// And of one that has a body.
const BODY: [&str; 3] = ["408", "413", "415"];

/// All paths of the protocol.
pub(super) fn paths(settings: &HttpSettings) -> Paths {
    PathsBuilder::new()
        .path("/v1/channels/{channel}", channel(settings).build())
        .path("/v1/events", events(settings).build())
        .path("/v1/publications", publications(settings).build())
        .path("/v1/channels/{channel}/broadcasts", broadcasts(settings).build())
        .path("/v1/channels/{channel}/broadcasts/{position}/replies", replies().build())
        .path("/v1/channels/{channel}/presence", presence(settings).build())
        .path("/v1/credentials", credentials().build())
        .path("/v1/credentials/{kind}/{name}", credential().build())
        .path("/v1/revocations", revocations().build())
        .path("/v1/openapi.json", openapi().build())
        .build()
}

fn channel(settings: &HttpSettings) -> PathItemBuilder {
    let publish = operation("publish", "Publishes a message")
        .description(Some(
            "The body is the payload: JSON (also without a `Content-Type`), text, or bytes of any other type. \
             `application/x-www-form-urlencoded`, which is what `curl -d` says, is JSON if it is one value, else text.",
        ))
        .request_body(Some(payload()))
        .response("201", answered("It is published.", "Receipt"));
    let publish = with(publish, p::publish().into_iter().chain([p::idempotency_key(), p::channel()]));
    let publish = problems(with(publish, p::flags()), &["409", "429", "507"], &BODY);
    let listen = || [vec![p::channel()], p::flags()].concat();
    PathItemBuilder::new()
        .operation(HttpMethod::Post, with(publish, p::common()))
        .operation(HttpMethod::Get, listening("listen", "Listens to a channel", settings, listen()))
        .operation(
            HttpMethod::Head,
            head(listening("listenHead", "What listening would answer", settings, listen())),
        )
}

fn events(settings: &HttpSettings) -> PathItemBuilder {
    let listen = || [vec![p::channels()], p::flags()].concat();
    PathItemBuilder::new()
        .operation(
            HttpMethod::Get,
            listening("listenToMany", "Listens to several channels", settings, listen()),
        )
        .operation(
            HttpMethod::Head,
            head(listening("listenToManyHead", "What listening to several would answer", settings, listen())),
        )
}

fn listening(id: &str, summary: &str, settings: &HttpSettings, more: Vec<Parameter>) -> Operation {
    let stream = |schema: ObjectBuilder| ContentBuilder::new().schema(Some(schema)).build();
    let page = ResponseBuilder::new()
        .description("Messages: all at once for polls, as they come for streams.")
        .content("application/json", reference("Page"))
        .content("text/event-stream", stream(ObjectBuilder::new().schema_type(Type::String)))
        .content("application/x-ndjson", stream(ObjectBuilder::new().schema_type(SchemaType::AnyValue)))
        .header("ETag", tag());
    let not_modified = ResponseBuilder::new().description("There is nothing new.").header("ETag", tag());
    let operation = operation(id, summary)
        .description(Some("As the `Accept` header says; `wait` makes a poll a long poll."))
        .response("200", page.build())
        .response("304", not_modified.build());
    let operation = with(operation, more.into_iter().chain(p::listen(settings)).chain([p::if_none_match()]));
    with(problems(operation, &["406", "409", "413", "429", "507"], &[]), p::common()).build()
}

fn publications(settings: &HttpSettings) -> PathItemBuilder {
    let array =
        ArrayBuilder::new().items(Ref::from_schema_name("Publication")).max_items(Some(settings.batch_max));
    let body = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", ContentBuilder::new().schema(Some(array)).build());
    let publish = operation("publishBatch", "Publishes several messages, on any channels")
        .description(Some(
            "A body that is not an array of publications is refused as a whole, and nothing published. Each publication \
             is then taken or refused for itself.",
        ))
        .request_body(Some(body.build()))
        .response("200", answered("What became of each, in order.", "Outcomes"));
    let publish = problems(with(publish, p::common()), &[], &BODY[..2]);
    PathItemBuilder::new().operation(HttpMethod::Post, publish)
}

fn broadcasts(settings: &HttpSettings) -> PathItemBuilder {
    let broadcast = operation("broadcast", "Publishes a message and collects the replies to it")
        .request_body(Some(payload()))
        .response("200", answered("What was replied until the time was up, or `until` was met.", "Replies"));
    let parameters = p::publish().into_iter().chain(p::collect(settings)).chain([p::channel()]);
    let broadcast = with(with(broadcast, parameters), p::flags());
    let broadcast = with(problems(broadcast, &["429"], &BODY), p::common());
    PathItemBuilder::new().operation(HttpMethod::Post, broadcast)
}

fn replies() -> PathItemBuilder {
    let reply = operation("reply", "Replies to a broadcast")
        .request_body(Some(payload()))
        .response("202", answered("It is handed to whoever collects.", "Nothing"));
    let reply = with(with(reply, [p::channel(), p::broadcast_position()]), p::flags());
    let reply = with(problems(reply, &["404", "409"], &BODY), p::common());
    PathItemBuilder::new().operation(HttpMethod::Post, reply)
}

fn presence(settings: &HttpSettings) -> PathItemBuilder {
    let here =
        |operation: OperationBuilder| with(with(with(operation, [p::channel()]), p::flags()), p::common());
    let members = |id: &str, summary: &str| {
        let members = operation(id, summary).response("200", answered("Who is there.", "Presence"));
        problems(with(here(members), [p::members()]), &[], &[])
    };
    let any = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(SchemaType::AnyValue)));
    let state = RequestBodyBuilder::new()
        .description(Some("The state, any JSON value; or nothing."))
        .required(Some(Required::False))
        .content("application/json", any.build());
    let join = operation("join", "Makes the client's identity present for a time")
        .request_body(Some(state.build()))
        .response("200", answered("It is present.", "Nothing"));
    let join = problems(with(here(join), [p::presence_ttl(settings)]), &["409"], &BODY[..2]);
    let leave = operation("leave", "Ends what `PUT` began")
        .response("200", answered("It is not present by `PUT` any more.", "Nothing"));
    PathItemBuilder::new()
        .operation(HttpMethod::Get, members("members", "Says who is on a channel"))
        .operation(HttpMethod::Head, head(members("membersHead", "The head of who is on a channel").build()))
        .operation(HttpMethod::Put, join)
        .operation(HttpMethod::Delete, problems(here(leave), &[], &[]))
}

fn credentials() -> PathItemBuilder {
    let list = |id: &str, summary: &str| {
        let list = operation(id, summary)
            .description(Some(NEEDS_ADMIN))
            .response("200", answered("All of them, by kind and name.", "Credentials"));
        with(problems(list, &[], &[]), p::common())
    };
    let new = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", reference("NewCredential"));
    let add = operation("addCredential", "Adds what a device, a consumer app or a user logs in with")
        .description(Some(NEEDS_ADMIN))
        .request_body(Some(new.build()))
        .response("201", answered("Clients can log in with it.", "AddedCredential"));
    let add = with(problems(add, &["409", "507"], &BODY[..2]), [p::replace()]);
    PathItemBuilder::new()
        .operation(HttpMethod::Get, list("credentials", "Lists what clients log in with"))
        .operation(HttpMethod::Head, head(list("credentialsHead", "The head of that list").build()))
        .operation(HttpMethod::Post, with(add, p::common()))
}

fn credential() -> PathItemBuilder {
    let revoke =
        operation("revokeCredential", "Revokes a credential, and ends the connections that came by it")
            .description(Some(NEEDS_ADMIN))
            .response("200", answered("Nobody can log in with it.", "Nothing"));
    let revoke = with(problems(revoke, &["404", "409", "507"], &[]), p::credential());
    PathItemBuilder::new().operation(HttpMethod::Delete, with(revoke, p::common()))
}

fn revocations() -> PathItemBuilder {
    let list = |id: &str, summary: &str| {
        let list = operation(id, summary)
            .description(Some(NEEDS_ADMIN))
            .response("200", answered("All that are not over by themselves.", "Revocations"));
        with(problems(list, &[], &[]), p::common())
    };
    let new = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", reference("NewRevocation"));
    let revoke = operation("revokeTokens", "Revokes a JWT, a session, or all tokens that an identity has")
        .description(Some(NEEDS_ADMIN))
        .request_body(Some(new.build()))
        .response("201", answered("They are good for nothing.", "Revocation"));
    let revoke = problems(revoke, &["409", "507"], &BODY[..2]);
    PathItemBuilder::new()
        .operation(HttpMethod::Get, list("revocations", "Lists which tokens were revoked"))
        .operation(HttpMethod::Head, head(list("revocationsHead", "The head of that list").build()))
        .operation(HttpMethod::Post, with(revoke, p::common()))
}

fn openapi() -> PathItemBuilder {
    let document = |id: &str, summary: &str| {
        let any = ObjectBuilder::new().schema_type(Type::Object);
        let response = ResponseBuilder::new()
            .description("The document.")
            .content("application/json", ContentBuilder::new().schema(Some(any)).build());
        let not_modified = ResponseBuilder::new().description("It is the one the client has.");
        let operation = operation(id, summary)
            .response("200", response.build())
            .response("304", not_modified.build())
            .response("403", problem())
            .response("405", problem());
        with(head_too_long(operation), [p::if_none_match()]).build()
    };
    PathItemBuilder::new()
        .operation(HttpMethod::Get, document("openapi", "This document"))
        .operation(HttpMethod::Head, head(document("openapiHead", "The head of this document")))
}

/// The same without bodies.
fn head(mut operation: Operation) -> Operation {
    for response in operation.responses.responses.values_mut() {
        if let utoipa::openapi::RefOr::T(response) = response {
            response.content.clear();
        }
    }
    operation
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new().operation_id(Some(id)).summary(Some(summary))
}

fn with(operation: OperationBuilder, parameters: impl IntoIterator<Item = Parameter>) -> OperationBuilder {
    parameters.into_iter().fold(operation, OperationBuilder::parameter)
}

/// Documents the problems that can be the answer, beside those that always can.
fn problems(operation: OperationBuilder, own: &[&str], more: &[&str]) -> OperationBuilder {
    let statuses = ANY.iter().chain(own).chain(more);
    let operation = statuses.fold(operation, |operation, status| operation.response(*status, problem()));
    head_too_long(operation)
}

fn head_too_long(operation: OperationBuilder) -> OperationBuilder {
    let response = || ResponseBuilder::new().description("The URL or the headers are too long.").build();
    HEAD_TOO_LONG.iter().fold(operation, |operation, status| operation.response(*status, response()))
}

fn problem() -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description("What is wrong, and what to do about it (RFC 9457).")
        .content("application/problem+json", content)
        .build()
}

fn answered(description: &str, schema: &str) -> Response {
    ResponseBuilder::new().description(description).content("application/json", reference(schema)).build()
}

fn reference(schema: &str) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}

fn tag() -> utoipa::openapi::Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some("For `If-None-Match`. Polls only.")).build()
}

/// A payload, in any of the ways it can be sent.
fn payload() -> RequestBody {
    let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    // Any value that is written as text: a schema of type `string` would be taken to rule out `42`.
    let text = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    let bytes = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Binary)));
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", ContentBuilder::new().schema(Some(any)).build())
        .content("text/plain", ContentBuilder::new().schema(Some(text)).build())
        .content("application/octet-stream", ContentBuilder::new().schema(Some(bytes)).build())
        .build()
}
