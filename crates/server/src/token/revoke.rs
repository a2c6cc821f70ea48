use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::given;
use crate::args::{RevokeTokenArgs, RevokedTokensArgs};
use crate::client::{Connection, Query};
use crate::failure::Failure;

const PATH: &str = "/v1/revocations";

/// What is to be revoked, as the API takes it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum New<'a> {
    Token(&'a str),
    Identity(&'a str),
}

/// What was revoked, as the API tells it.
#[derive(Deserialize)]
struct Revocation {
    id: String,
    identity: Option<String>,
    until: Option<u64>,
}

/// Revokes a token, or all of an identity.
///
/// # Errors
/// The server cannot be reached or refuses.
pub(super) fn revoke(args: &RevokeTokenArgs) -> Result<(), Failure> {
    let token = args.revoked.as_deref().map(given).transpose()?;
    let new = match (&token, &args.all_of) {
        (Some(token), _) => New::Token(token.trim()),
        (None, identity) => New::Identity(identity.as_deref().unwrap_or_default()),
    };
    let body = serde_json::to_vec(&new).expect("a text is JSON");
    let connection = Connection::new(&args.server)?;
    let request = connection.request("POST", PATH, &Query::default());
    let revoked: Revocation = connection.answer(request.header("content-type", "application/json"), body)?;
    match revoked.identity {
        Some(identity) => eprintln!("antiphon: revoked all tokens that {identity} had"),
        None => eprintln!("antiphon: revoked token {}", revoked.id),
    }
    Ok(())
}

/// Prints what was revoked.
///
/// # Errors
/// The server cannot be reached or refuses.
pub(super) fn list(args: &RevokedTokensArgs) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct List {
        revocations: Vec<Revocation>,
    }
    let connection = Connection::new(&args.server)?;
    let List { revocations } =
        connection.answer(connection.request("GET", PATH, &Query::default()), Vec::new())?;
    let mut stdout = io::stdout().lock();
    for Revocation { id, identity, until } in revocations {
        match (identity, until) {
            (Some(identity), _) => writeln!(stdout, "{id}  all tokens of {identity}")?,
            (None, Some(until)) => writeln!(stdout, "{id}  a token, over by itself at {until}")?,
            (None, None) => writeln!(stdout, "{id}  a token that is never over")?,
        }
    }
    Ok(())
}
