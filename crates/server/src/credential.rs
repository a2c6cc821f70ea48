//! Who may log in: credentials of a server that runs, by its admin API, or in the database of one that does not.

mod directory;
mod secret;
mod server;
mod table;
mod terminal;

use std::io::{self, Write};
use std::path::Path;

use antiphon_access::{CredentialKind, Permission, Secret};

use self::directory::{Absent, Directory};
use self::server::Server;
use self::table::Listed;
use crate::args::{AddArgs, CredentialArgs, CredentialCommand, ListArgs, PlaceArgs, RevokeArgs};
use crate::failure::Failure;

/// Adds, lists or revokes credentials.
///
/// # Errors
/// The server cannot be reached or refuses, or the database cannot be used; there can be no such credential.
pub(crate) fn run(args: &CredentialArgs, config: Option<&Path>) -> Result<(), Failure> {
    match &args.command {
        CredentialCommand::Add(args) => add(args, config),
        CredentialCommand::List(args) => list(args, config),
        CredentialCommand::Revoke(args) => revoke(args, config),
    }
}

/// A credential that is to be added.
struct New<'a> {
    kind: CredentialKind,
    name: &'a str,
    /// None: one is made up.
    secret: Option<Secret>,
    allow: Option<&'a [Permission]>,
    channels: Option<&'a [String]>,
    existing: Existing,
}

/// What becomes of a credential that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

/// Where credentials are kept.
enum Place {
    Server(Server),
    Directory(Box<Directory>),
}

impl Place {
    fn open(args: &PlaceArgs, config: Option<&Path>, absent: Absent) -> Result<Place, Failure> {
        Ok(match &args.data_dir {
            None => Place::Server(Server::new(&args.server())?),
            Some(path) => {
                let directory = Directory::open(path, args.org.as_deref(), config, absent)?;
                Place::Directory(Box::new(directory))
            }
        })
    }
}

fn add(args: &AddArgs, config: Option<&Path>) -> Result<(), Failure> {
    let new = New {
        kind: args.kind.into(),
        name: &args.name,
        secret: secret::read(args)?,
        allow: args.allow.as_deref(),
        channels: args.channels.as_deref(),
        existing: if args.replace { Existing::Replace } else { Existing::Refuse },
    };
    let made_up = match Place::open(&args.place, config, Absent::Make)? {
        Place::Server(server) => server.add(&new)?,
        Place::Directory(directory) => directory.add(&new)?,
    };
    match made_up {
        None => eprintln!("antiphon: added {} {}", args.kind, args.name),
        Some(secret) => {
            eprintln!("antiphon: added {} {}; its secret is shown this once:", args.kind, args.name);
            writeln!(io::stdout(), "{}", secret.expose())?;
        }
    }
    Ok(())
}

fn list(args: &ListArgs, config: Option<&Path>) -> Result<(), Failure> {
    let credentials: Vec<Listed> = match Place::open(&args.place, config, Absent::Refuse)? {
        Place::Server(server) => server.list()?,
        Place::Directory(directory) => directory.list()?,
    };
    let mut stdout = io::stdout().lock();
    match args.json {
        true => table::print_json(&credentials, &mut stdout)?,
        false => table::print(&credentials, &mut stdout)?,
    }
    Ok(())
}

fn revoke(args: &RevokeArgs, config: Option<&Path>) -> Result<(), Failure> {
    let kind = CredentialKind::from(args.kind);
    match Place::open(&args.place, config, Absent::Refuse)? {
        Place::Server(server) => server.revoke(kind, &args.name)?,
        Place::Directory(directory) => directory.revoke(kind, &args.name)?,
    }
    eprintln!("antiphon: revoked {} {}", args.kind, args.name);
    Ok(())
}
