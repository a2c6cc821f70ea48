//! Tokens: made and looked into here, revoked on a server that runs.

mod revoke;

use std::io::{self, Read, Write};
use std::path::Path;

use antiphon_access::{
    CREDENTIAL_BYTES_MAX, Grant, NumericDate, OrgSettings, Permissions, TokenClaims, inspect, mint,
};
use antiphon_model::ChannelPattern;

use crate::args::{TokenArgs, TokenCommand};
use crate::config::Sources;
use crate::failure::Failure;

/// Makes a token, looks into one, or revokes some.
///
/// # Errors
/// The configuration has no such org, or no secret to sign with; the text is no token; or the server refuses.
pub(crate) fn run(args: &TokenArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.command {
        Some(TokenCommand::Revoke(args)) => return revoke::revoke(args),
        Some(TokenCommand::Revoked(args)) => return revoke::list(args),
        None => {}
    }
    let text = match &args.inspect {
        Some(token) => look_into(token)?,
        None => make(args, config)?,
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn look_into(token: &str) -> Result<String, Failure> {
    let text = given(token)?;
    let unverified = inspect(text.trim()).map_err(|error| Failure::new(error.to_string()))?;
    Ok(unverified.to_string())
}

/// A token as it stands on the command line, or on standard input.
fn given(token: &str) -> Result<String, Failure> {
    let mut text = token.to_owned();
    if token == "-" {
        text.clear();
        let mut input = io::stdin().take(CREDENTIAL_BYTES_MAX as u64 + 1);
        input.read_to_string(&mut text).map_err(|error| Failure::new(format!("standard input: {error}")))?;
    }
    Ok(text)
}

fn make(args: &TokenArgs, config: Option<&Path>) -> Result<String, Failure> {
    let settings = Sources::with_file(config).settings()?;
    let orgs: Vec<_> = settings.orgs.iter().map(|org| &org.access).collect();
    let org = choose(&orgs, args.org.as_deref())?;
    let now = antiphon_store::system_clock()();
    let claims = TokenClaims {
        sub: args.identity.clone(),
        kind: args.kind,
        permissions: permissions(args)?,
        iat: Some(NumericDate(now)),
        exp: args.expires.limit().map(|expires| NumericDate(now.later_by(expires))),
        ..TokenClaims::default()
    };
    mint(org, args.kid.as_deref(), &claims).map_err(|error| Failure::new(error.to_string()))
}

fn choose<'a>(orgs: &[&'a OrgSettings], name: Option<&str>) -> Result<&'a OrgSettings, Failure> {
    let names = || orgs.iter().map(|org| org.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, orgs) {
        (_, []) => {
            Err(Failure::new("the configuration has no org: give the file that has one with --config"))
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::new(format!("give --org, one of {}", names()))),
        (Some(name), _) => {
            let found = orgs.iter().find(|org| org.name == name);
            found.copied().ok_or_else(|| Failure::new(format!("there is no org {name}, only {}", names())))
        }
    }
}

fn permissions(args: &TokenArgs) -> Result<Option<Vec<Grant>>, Failure> {
    if args.allow.is_empty() {
        return match args.channels.is_empty() {
            true => Ok(None),
            false => Err(Failure::new("--channels says where: say with --allow what is permitted there")),
        };
    }
    let permissions: Permissions = args.allow.iter().copied().collect();
    Ok(Some(vec![match args.channels.as_slice() {
        [] => Grant::everywhere(permissions),
        channels => {
            Grant { channels: channels.iter().map(|text| ChannelPattern::new(text)).collect(), permissions }
        }
    }]))
}
