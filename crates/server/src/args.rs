//! The command line.

mod credential;
mod token;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::credential::{
    AddArgs, CredentialArgs, CredentialCommand, ListArgs, PlaceArgs, RevokeArgs,
};
pub(crate) use self::token::{RevokeTokenArgs, RevokedTokensArgs, TokenArgs, TokenCommand};
use crate::config::{Duration, ListenAddress};

const EXAMPLES: &str = "\
Examples:
  antiphon                                        serve on 127.0.0.1:8080, open to this machine
  antiphon serve --config antiphon.toml
  antiphon subscribe room                         print what comes on a channel
  antiphon publish room '{\"text\":\"hello\"}'
  antiphon broadcast devices '\"who is there?\"'    ask, and print the answers
  antiphon history room --limit 20
  antiphon token --org acme --identity alice --allow publish,subscribe --expires 1h
  antiphon credential add device 6d4a8ba2
  antiphon check-config antiphon.toml";

/// A real-time messaging server, and a client for it.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, after_help = EXAMPLES)]
pub(crate) struct CommandLine {
    /// What to do; serve if nothing is said
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "ANTIPHON_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter like info,antiphon_net=debug
    #[arg(long, global = true, value_name = "LEVEL", env = "ANTIPHON_LOG", default_value = "info")]
    pub(crate) log: String,
    /// How it is logged
    #[arg(long, global = true, value_name = "FORMAT", env = "ANTIPHON_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Publish a message, and print its position
    Publish(PublishArgs),
    /// Print the messages of channels as they come, one a line, for as long as it runs
    Subscribe(SubscribeArgs),
    /// Ask everybody who listens, and print what they reply
    Broadcast(BroadcastArgs),
    /// Print what a channel has kept
    History(HistoryArgs),
    /// Say which devices, consumer apps and users may log in
    Credential(CredentialArgs),
    /// Make a token with the org's HS256 secret from the configuration, or look into one
    Token(TokenArgs),
    /// Check the configuration, and print what it comes to, secrets redacted
    CheckConfig(CheckConfigArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Measure a running server
    Bench(antiphon_bench::Bench),
}

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  antiphon serve --listen 127.0.0.1:9000 --data-dir /var/lib/antiphon
  antiphon serve --listen 0.0.0.0:8080 --config antiphon.toml
  antiphon serve --memory --listen 127.0.0.1:0")]
pub(crate) struct ServeArgs {
    /// An address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Vec<ListenAddress>,
    /// The directory for the database [default: ./antiphon-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How many threads serve connections [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Keep messages in memory, and write nothing to disk
    #[arg(long)]
    pub(crate) memory: bool,
    /// Have the org demo, open to whoever reaches the server, whatever the addresses and other orgs
    #[arg(long)]
    pub(crate) allow_demo: bool,
}

/// Which server, as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server: http:// or ws://, or encrypted https:// or wss://
    #[arg(long, env = "ANTIPHON_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// An API key or JWT
    #[arg(long, env = "ANTIPHON_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Who to be, where the credential does not say
    #[arg(long, env = "ANTIPHON_IDENTITY")]
    pub(crate) identity: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// Whom to trust, and what to show, on encrypted connections.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TlsArgs {
    /// The authorities that the server's certificate may be of, in PEM [default: those of Mozilla]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// A certificate to be known by, in PEM
    #[arg(long, value_name = "FILE", env = "ANTIPHON_CERT_FILE", requires = "key_file")]
    pub(crate) cert_file: Option<PathBuf>,
    /// The key of --cert-file, in PEM
    #[arg(long, value_name = "FILE", env = "ANTIPHON_KEY_FILE", requires = "cert_file")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Which of the channels that have the name.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct FlagArgs {
    /// The system channel of that name, on which only servers publish: with a token that permits admin
    #[arg(long)]
    pub(crate) system: bool,
    /// The consumer channel of that name
    #[arg(long)]
    pub(crate) consumer: bool,
}

/// What is published.
#[derive(Clone, Debug, Args)]
pub(crate) struct PayloadArgs {
    /// The message; `-`, or nothing, reads standard input
    pub(crate) payload: Option<String>,
    /// Read the message from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    pub(crate) file: Option<PathBuf>,
    /// It is text, even if it looks like JSON
    #[arg(long, conflicts_with_all = ["json", "binary"])]
    pub(crate) text: bool,
    /// It has to be JSON
    #[arg(long, conflicts_with = "binary")]
    pub(crate) json: bool,
    /// It is bytes
    #[arg(long)]
    pub(crate) binary: bool,
    /// The event name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// JSON to go with the message
    #[arg(long, value_name = "JSON")]
    pub(crate) meta: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
JSON is published as JSON, other text as text, and what is not UTF-8 as bytes, unless an option says which.

Examples:
  antiphon publish room '{\"text\":\"hello\"}'
  date | antiphon publish room --text --name tick
  antiphon publish pictures --file cat.jpg --ttl 1h
  antiphon publish updates '{\"id\":7}' --system --token \"$ADMIN_KEY\"")]
pub(crate) struct PublishArgs {
    /// The channel
    pub(crate) channel: String,
    #[command(flatten)]
    pub(crate) flags: FlagArgs,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// Keep it no longer than this
    #[arg(long, value_name = "DURATION")]
    pub(crate) ttl: Option<Duration>,
    /// Do not store it
    #[arg(long)]
    pub(crate) no_store: bool,
    /// A second publish with the same key, by the same identity, is not published again
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How messages are printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print payloads only, as they are
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
    /// Print messages as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
It connects again by itself and goes on where it was. What is not a message goes to standard error.

Examples:
  antiphon subscribe room
  antiphon subscribe room lobby --since 0 --json | jq .payload
  antiphon subscribe orders --event created --raw")]
pub(crate) struct SubscribeArgs {
    /// The channels
    #[arg(required = true, value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    #[command(flatten)]
    pub(crate) flags: FlagArgs,
    /// Begin after this position; 0 is everything kept [default: from here on]
    #[arg(long, value_name = "POSITION")]
    pub(crate) since: Option<String>,
    /// Only events of this name; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Vec<String>,
    /// Also who comes and goes
    #[arg(long)]
    pub(crate) presence: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  antiphon broadcast devices '\"who is there?\"' --timeout 2s
  antiphon broadcast workers '{\"job\":7}' --until 1        the first to answer
  antiphon broadcast updates '{\"id\":7}' --system --token \"$ADMIN_KEY\"")]
pub(crate) struct BroadcastArgs {
    /// The channel
    pub(crate) channel: String,
    #[command(flatten)]
    pub(crate) flags: FlagArgs,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// How long replies are collected
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub(crate) timeout: Duration,
    /// Be done after so many replies; fewer are a failure
    #[arg(long, value_name = "N")]
    pub(crate) until: Option<NonZeroUsize>,
    /// Print payloads only, as they are
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  antiphon history room                        the newest 100
  antiphon history room --since 0 --limit 5    the oldest 5")]
pub(crate) struct HistoryArgs {
    /// The channel
    pub(crate) channel: String,
    #[command(flatten)]
    pub(crate) flags: FlagArgs,
    /// How many messages at most
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: NonZeroUsize,
    /// Those after this position; 0 is everything kept [default: the newest]
    #[arg(long, value_name = "POSITION")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Reads a word as the configuration does.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    use serde::de::IntoDeserializer;
    T::deserialize(text.into_deserializer()).map_err(|error: serde::de::value::Error| error.to_string())
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckConfigArgs {
    /// The file [default: that of --config]
    pub(crate) file: Option<PathBuf>,
    /// Print the reference of all settings, as Markdown
    #[arg(long, conflicts_with = "file")]
    pub(crate) reference: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::Permission;
    use antiphon_model::IdentityKind;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn words_are_read_as_in_the_configuration() {
        let parse =
            |arguments: &[&str]| CommandLine::try_parse_from([&["antiphon", "token"], arguments].concat());
        let Ok(CommandLine { command: Some(Command::Token(token)), .. }) = parse(&[
            "--kind",
            "consumer_app",
            "--allow",
            "publish,history",
            "--channels",
            "a,b.*",
            "--expires",
            "2d",
        ]) else {
            panic!("the token command is not parsed");
        };
        assert_eq!(token.kind, Some(IdentityKind::ConsumerApp));
        assert_eq!(token.allow, [Permission::Publish, Permission::History]);
        assert_eq!((token.channels.len(), token.expires.to_string().as_str()), (2, "2d"));
        assert!(parse(&["--kind", "robot"]).is_err());
        assert!(parse(&["--allow", "fly"]).is_err());
    }
}
