use antiphon_access::{CredentialKind, Permission, Secret};
use serde::{Deserialize, Serialize};

use super::table::Listed;
use super::{Existing, New};
use crate::args::ServerArgs;
use crate::client::{Connection, Query, encoded};
use crate::failure::Failure;

const PATH: &str = "/v1/credentials";

/// A server that runs, and is asked by its admin API.
pub(super) struct Server {
    connection: Connection,
}

/// What is to be added, as the API takes it.
#[derive(Serialize)]
struct Body<'a> {
    kind: CredentialKind,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow: Option<&'a [Permission]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<&'a [String]>,
}

impl Server {
    /// # Errors
    /// The URL is none.
    pub(super) fn new(args: &ServerArgs) -> Result<Server, Failure> {
        Ok(Server { connection: Connection::new(args)? })
    }

    /// Adds a credential. Gives the secret if the server has made it up.
    pub(super) fn add(&self, new: &New<'_>) -> Result<Option<Secret>, Failure> {
        #[derive(Deserialize)]
        struct Added {
            secret: Option<Secret>,
        }
        let New { kind, name, secret, allow, channels, existing } = new;
        let secret = secret.as_ref().map(Secret::expose);
        let body = Body { kind: *kind, name, secret, allow: *allow, channels: *channels };
        let body = serde_json::to_vec(&body).expect("strings and lists of them are JSON");
        let mut query = Query::default();
        if *existing == Existing::Replace {
            query.add("replace", "true");
        }
        let request = self.connection.request("POST", PATH, &query);
        let added: Added =
            self.connection.answer(request.header("content-type", "application/json"), body)?;
        Ok(added.secret)
    }

    /// The credentials of the token's org.
    pub(super) fn list(&self) -> Result<Vec<Listed>, Failure> {
        #[derive(Deserialize)]
        struct Credentials {
            credentials: Vec<Listed>,
        }
        let request = self.connection.request("GET", PATH, &Query::default());
        let Credentials { credentials } = self.connection.answer(request, Vec::new())?;
        Ok(credentials)
    }

    /// Ends a credential.
    pub(super) fn revoke(&self, kind: CredentialKind, name: &str) -> Result<(), Failure> {
        let path = format!("{PATH}/{kind}/{}", encoded(name));
        let request = self.connection.request("DELETE", &path, &Query::default());
        let _: serde::de::IgnoredAny = self.connection.answer(request, Vec::new())?;
        Ok(())
    }
}
