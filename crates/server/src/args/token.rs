use antiphon_access::Permission;
use antiphon_model::IdentityKind;
use clap::{Args, Subcommand};

use super::{ServerArgs, word};
use crate::config::Age;

#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  antiphon token --config antiphon.toml --org acme --identity alice --allow publish,subscribe --channels 'room.*'
  antiphon token --inspect eyJhbGciOi...
  antiphon token revoke eyJhbGciOi... --token \"$ADMIN_KEY\"
  antiphon token revoke --all-of alice --token \"$ADMIN_KEY\""
)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TokenCommand>,
    /// The org [default: the only one]
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// Who the token makes its bearer [default: the client names itself]
    #[arg(long)]
    pub(crate) identity: Option<String>,
    /// What sort of client: user, device, consumer_app or server
    #[arg(long, value_parser = word::<IdentityKind>)]
    pub(crate) kind: Option<IdentityKind>,
    /// Channels, or patterns with *, that it permits something on; commas between them [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// What it permits: publish, subscribe, history, presence, admin; commas between them [default: what the org's settings say]
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',', value_parser = word::<Permission>)]
    pub(crate) allow: Vec<Permission>,
    /// For how long, or forever
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) expires: Age,
    /// The kid of the org's key to sign with [default: the first HS256 one]
    #[arg(long, value_name = "KID")]
    pub(crate) kid: Option<String>,
    /// Print what a token says, unverified; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", exclusive = true)]
    pub(crate) inspect: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token good for nothing on a server that runs, and close the connections that came by it
    Revoke(RevokeTokenArgs),
    /// Print what was revoked and is not over by itself
    Revoked(RevokedTokensArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
With a session token, the whole session ends. It stays revoked when the server is started again.

Examples:
  antiphon token revoke eyJhbGciOi... --token \"$ADMIN_KEY\"
  pbpaste | antiphon token revoke - --token \"$ADMIN_KEY\"
  antiphon token revoke --all-of alice --token \"$ADMIN_KEY\"     all she has been given by this moment")]
pub(crate) struct RevokeTokenArgs {
    /// A JWT or a session token; `-` reads it from standard input
    #[arg(value_name = "TOKEN", required_unless_present = "all_of")]
    pub(crate) revoked: Option<String>,
    /// All tokens of this identity that were made by this moment
    #[arg(long, value_name = "IDENTITY", conflicts_with = "revoked")]
    pub(crate) all_of: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  antiphon token revoked --token \"$ADMIN_KEY\"")]
pub(crate) struct RevokedTokensArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
