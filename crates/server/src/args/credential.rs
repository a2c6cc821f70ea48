use std::fmt;
use std::path::PathBuf;

use antiphon_access::{CredentialKind, Permission};
use clap::{Args, Subcommand, ValueEnum};

use super::{ServerArgs, TlsArgs, word};

const EXAMPLES: &str = "\
A running server is asked by its admin API: --url says which, and --token is an API key with admin.
While it does not run, --data-dir reads and writes its database.

Examples:
  antiphon credential add device 6d4a8ba2 --token \"$ADMIN_KEY\"
  antiphon credential add user ann@example.com --password-file -
  antiphon credential list --json
  antiphon credential revoke device 6d4a8ba2
  antiphon credential add consumer-app 1f0c --config antiphon.toml --data-dir antiphon-data";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CredentialArgs {
    #[command(subcommand)]
    pub(crate) command: CredentialCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Let a device, a consumer app or a user log in
    Add(AddArgs),
    /// Print who may log in, without any secrets
    List(ListArgs),
    /// Let one log in no more, and close its connections
    Revoke(RevokeArgs),
}

/// Where credentials are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The server that runs
    #[arg(long, env = "ANTIPHON_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An API key or JWT of the org, with admin
    #[arg(long, env = "ANTIPHON_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    /// The data directory of a server that does not run; --url and --token are not looked at
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// With --data-dir: the org [default: the only one of --config, or demo]
    #[arg(long, requires = "data_dir")]
    pub(crate) org: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A device or consumer app without a secret is given one, which is printed this once, alone on
standard output. The password of a user is asked for where there is a terminal.

Examples:
  antiphon credential add device 6d4a8ba2
  antiphon credential add device 6d4a8ba2 --secret-file door.key --channels 'door.*'
  antiphon credential add consumer-app 1f0c --allow subscribe --token \"$ADMIN_KEY\"
  antiphon credential add device 6d4a8ba2 --replace          another secret for it
  pass show ann | antiphon credential add user ann@example.com --password-file -")]
pub(crate) struct AddArgs {
    /// What logs in
    pub(crate) kind: Kind,
    /// The uuid of a device or consumer app, or a user name
    #[arg(value_name = "UUID|NAME")]
    pub(crate) name: String,
    /// The secret of a device, or the API key of a consumer app; others on this machine may see it in the list of processes
    #[arg(long, visible_alias = "api-key", allow_hyphen_values = true, conflicts_with_all = ["secret_file", "password_file"])]
    pub(crate) secret: Option<String>,
    /// A file whose first line is the secret or API key; `-` reads standard input
    #[arg(long, value_name = "FILE", visible_alias = "api-key-file", conflicts_with = "password_file")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A file whose first line is the user's password; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// What it permits: publish, subscribe, history, presence; commas between them [default: these four]
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',', value_parser = word::<Permission>)]
    pub(crate) allow: Option<Vec<Permission>>,
    /// Channels, or patterns with *, that it permits them on; commas between them [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) channels: Option<Vec<String>>,
    /// Replace the one of this name, if there is one, and close its connections
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  antiphon credential list
  antiphon credential list --json | jq -r '.[] | select(.kind == \"device\") | .name'")]
pub(crate) struct ListArgs {
    /// Print them as a JSON array
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  antiphon credential revoke device 6d4a8ba2
  antiphon credential revoke user ann@example.com --data-dir antiphon-data")]
pub(crate) struct RevokeArgs {
    /// What logs in
    pub(crate) kind: Kind,
    /// The uuid of a device or consumer app, or a user name
    #[arg(value_name = "UUID|NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What logs in with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A device, by its uuid and secret
    Device,
    /// A consumer app, by its uuid and API key
    #[value(alias = "consumer_app")]
    ConsumerApp,
    /// A user, by name and password
    User,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Device => "device",
            Kind::ConsumerApp => "consumer app",
            Kind::User => "user",
        })
    }
}

impl From<Kind> for CredentialKind {
    fn from(kind: Kind) -> CredentialKind {
        match kind {
            Kind::Device => CredentialKind::Device,
            Kind::ConsumerApp => CredentialKind::ConsumerApp,
            Kind::User => CredentialKind::User,
        }
    }
}

impl PlaceArgs {
    /// The server that runs.
    pub(crate) fn server(&self) -> ServerArgs {
        let (url, token, tls) = (self.url.clone(), self.token.clone(), self.tls.clone());
        ServerArgs { url, token, identity: None, tls }
    }
}
