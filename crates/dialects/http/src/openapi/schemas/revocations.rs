use serde::Serialize;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ComponentsBuilder, ObjectBuilder, OneOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::object;

/// Adds the schemas of revocations to a document.
pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("NewRevocation", new_revocation())
        .schema("Revocation", Revocation::schema())
        .schema("Revocations", Revocations::schema())
}

/// Either a token, which nobody can make up, or an identity.
fn new_revocation() -> Schema {
    let token = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "token",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("A JWT or a session token of the org.")),
        )
        .required("token")
        .additional_properties(Some(utoipa::openapi::schema::AdditionalProperties::<Schema>::FreeForm(
            false,
        )));
    Schema::OneOf(OneOfBuilder::new().item(token.build()).item(object(RevokedIdentity::schema())).build())
}

/// All tokens of an identity.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokedIdentity {
    /// The `sub` of the tokens.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    identity: String,
    /// Tokens made before this, in seconds since the epoch, and those that do not say when; now if it is not said.
    #[schema(minimum = 0, maximum = 4_000_000_000u64)]
    issued_before: Option<u64>,
}

/// What was revoked.
#[derive(Serialize, ToSchema)]
pub(super) struct Revocation {
    /// Stands for the token, or for the identity.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    id: String,
    /// The identity, if it is about all tokens of one.
    #[schema(required = false)]
    identity: String,
    /// In seconds since the epoch.
    #[schema(required = false)]
    issued_before: u64,
    /// When it is forgotten because the token is over by itself, in seconds since the epoch.
    #[schema(required = false)]
    until: u64,
}

/// What was revoked in an org.
#[derive(Serialize, ToSchema)]
pub(super) struct Revocations {
    /// Tokens by when they are over, then identities by name.
    revocations: Vec<Revocation>,
}
