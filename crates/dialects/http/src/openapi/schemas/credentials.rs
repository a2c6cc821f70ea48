use serde::Serialize;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ComponentsBuilder, ObjectBuilder, OneOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::object;

/// Adds the schemas of credentials to a document.
pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("CredentialKind", CredentialKind::schema())
        .schema("CredentialSource", CredentialSource::schema())
        .schema("Permission", Permission::schema())
        .schema("Credential", Credential::schema())
        .schema("Credentials", Credentials::schema())
        .schema("NewCredential", new_credential())
        .schema("AddedCredential", AddedCredential::schema())
}

/// A credential to be added: a user needs a password, what others sign with can be made up.
fn new_credential() -> Schema {
    let (mut signer, mut user) = (object(NewCredential::schema()), object(NewCredential::schema()));
    let kinds =
        |kinds: &[&str]| ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds.to_vec()));
    signer.properties.insert("kind".to_owned(), kinds(&["device", "consumer_app"]).into());
    user.properties.insert("kind".to_owned(), kinds(&["user"]).into());
    let password = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(8))
        .max_length(Some(512))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]+$"))
        .description(Some("The password: at most 512 bytes."));
    user.properties.insert("secret".to_owned(), password.into());
    user.required.push("secret".to_owned());
    Schema::OneOf(OneOfBuilder::new().item(signer).item(user).build())
}

/// What sort of client has a credential.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialKind {
    Device,
    ConsumerApp,
    User,
}

/// Where a credential comes from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialSource {
    Configuration,
    Store,
}

/// What can be permitted on a channel.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Permission {
    Publish,
    Subscribe,
    History,
    Presence,
    Admin,
}

/// What a client logs in with, without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct Credential {
    kind: CredentialKind,
    /// The uuid of a device or an app, the user name of a user.
    name: String,
    /// One of the configuration can be changed there only.
    source: CredentialSource,
    /// What it permits.
    allow: Vec<Permission>,
    /// On which channels; `*` stands for any run of characters.
    channels: Vec<String>,
}

/// The credentials of an org.
#[derive(Serialize, ToSchema)]
pub(super) struct Credentials {
    /// By kind and name.
    credentials: Vec<Credential>,
}

/// A credential to be added.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCredential {
    kind: CredentialKind,
    /// The uuid of a device or an app, the user name of a user: at most 128 bytes.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    name: String,
    /// What it signs its logins with; one is made up if none is given.
    #[schema(min_length = 8, max_length = 512, pattern = r"^[\u0021-\u007e]+$")]
    secret: Option<String>,
    /// What it permits. Publish, subscribe, history and presence if it is not said.
    allow: Option<Vec<Permission>>,
    /// On which channels; `*` stands for any run of characters. On all if it is not said.
    #[schema(max_items = 100)]
    channels: Option<Vec<String>>,
}

/// What was added.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedCredential {
    kind: CredentialKind,
    name: String,
    /// The secret, if the server made it up: it is not told again.
    #[schema(required = false)]
    secret: String,
}
