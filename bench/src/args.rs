//! The command line, as `clap` structs that another program can embed.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::message::MESSAGE_BYTES_MIN;
use crate::report::Format;
use crate::target::{Kind, Protocol};

/// Measures a running server over WebSocket, or Socket.IO on it.
#[derive(Debug, Clone, Args)]
pub struct Bench {
    /// What to measure.
    #[command(subcommand)]
    pub scenario: Scenario,
    /// Print the report as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
}

impl Bench {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Table }
    }
}

/// The load to put on the server.
#[derive(Debug, Clone, Subcommand)]
pub enum Scenario {
    /// One publisher, many subscribers of one channel or room
    Fanout(FanoutArgs),
    /// Connections that each send to a channel of their own, or emit with an acknowledgement, and wait for what they sent
    Echo(EchoArgs),
    /// Connections that do nothing: how fast they open, what each costs in memory
    Idle(IdleArgs),
    /// Publishers that wait for acknowledgements, over the subprotocol `antiphon.v1`
    Publish(PublishArgs),
    /// Devices of the EXP network that all answer a broadcast: how long until the last has it, and until it is answered
    Exp(ExpArgs),
    /// Long polls as the SDKs of PubNub make them, all on one channel that is published to at a fixed rate
    #[command(name = "pubnub")]
    PubNub(PubNubArgs),
}

/// Where the server is and how it is spoken to.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// The server, as http:// or ws://; a path in it stands for --path
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Whose paths to use
    #[arg(long, value_enum, default_value_t = Kind::Antiphon)]
    pub kind: Kind,
    /// The path to connect to instead of the kind's own; {i} is the connection's number
    #[arg(long)]
    pub path: Option<String>,
    /// The path that fan-out's publisher connects to, if not the kind's own
    #[arg(long)]
    pub publish_path: Option<String>,
    /// What the channels' names begin with
    #[arg(long, default_value = "bench")]
    pub channel: String,
    /// An API key or JWT, sent as a bearer token
    #[arg(long, env = "ANTIPHON_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The server's process, on this machine, to account its CPU time and memory
    #[arg(long)]
    pub pid: Option<u32>,
}

/// How long to measure.
#[derive(Debug, Clone, Copy, Args)]
pub struct Span {
    /// Seconds to measure for
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub duration: Duration,
    /// Seconds of the same load before that, which do not count
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub warm_up: Duration,
    /// Stop after this many messages have been measured, if the duration is not over before
    #[arg(long)]
    pub messages: Option<u64>,
}

/// Options of the fan-out scenario.
#[derive(Debug, Clone, Args)]
pub struct FanoutArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What is spoken over WebSocket
    #[arg(long, value_enum, default_value_t = Protocol::WebSocket)]
    pub protocol: Protocol,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// Connections that subscribe
    #[arg(long, short, default_value = "100")]
    pub subscribers: NonZeroUsize,
    /// Messages published and not yet received by every subscriber
    #[arg(long, default_value = "64", conflicts_with = "rate")]
    pub in_flight: NonZeroUsize,
    /// Bytes of a message, at least 16
    #[arg(long, default_value = "128", value_parser = message_bytes)]
    pub size: usize,
    /// Messages to publish each second whether or not the server keeps up; latency counts from when each was due
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
}

/// Options of the echo scenario.
#[derive(Debug, Clone, Args)]
pub struct EchoArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What is spoken over WebSocket
    #[arg(long, value_enum, default_value_t = Protocol::WebSocket)]
    pub protocol: Protocol,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// Connections
    #[arg(long, short, default_value = "64")]
    pub connections: NonZeroUsize,
    /// Messages each connection has sent and not got back
    #[arg(long, default_value = "1")]
    pub in_flight: NonZeroUsize,
    /// Bytes of a message, at least 16
    #[arg(long, default_value = "128", value_parser = message_bytes)]
    pub size: usize,
}

/// Options of the idle scenario.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What is spoken over WebSocket
    #[arg(long, value_enum, default_value_t = Protocol::WebSocket)]
    pub protocol: Protocol,
    /// Connections to open and keep
    #[arg(long, short, default_value = "10000")]
    pub connections: NonZeroUsize,
    /// Connections being opened at the same time
    #[arg(long, default_value = "256")]
    pub opening: NonZeroUsize,
}

/// Options of the publish scenario.
#[derive(Debug, Clone, Args)]
pub struct PublishArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// Connections that publish
    #[arg(long, short, default_value = "64")]
    pub publishers: NonZeroUsize,
    /// Messages each publisher has sent and not had acknowledged
    #[arg(long, default_value = "32")]
    pub in_flight: NonZeroUsize,
    /// Bytes of a message's payload, which is a JSON string
    #[arg(long, default_value = "128", value_parser = message_bytes)]
    pub size: usize,
    /// Do not ask for the messages to be stored
    #[arg(long)]
    pub transient: bool,
}

/// Options of the EXP scenario.
#[derive(Debug, Clone, Args)]
pub struct ExpArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Devices that listen and answer, `bench-00000` and so on
    #[arg(long, short, default_value = "1000")]
    pub devices: NonZeroUsize,
    /// Broadcasts to measure
    #[arg(long, default_value = "100")]
    pub rounds: NonZeroU32,
    /// Milliseconds for which each broadcast collects responses
    #[arg(long, default_value = "2000", value_parser = millis)]
    pub timeout: Duration,
    /// The secret of the devices; an open org takes any
    #[arg(long, default_value = "antiphon-bench")]
    pub secret: String,
}

/// Options of the PubNub scenario.
#[derive(Debug, Clone, Args)]
pub struct PubNubArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// Subscribers, each with a connection of its own on which it polls
    #[arg(long, short, default_value = "5000")]
    pub subscribers: NonZeroUsize,
    /// Connections that publish in turn
    #[arg(long, default_value = "20")]
    pub publishers: NonZeroUsize,
    /// Messages to publish each second whether or not the server keeps up; latency counts from when each was due
    #[arg(long, default_value = "20", value_parser = rate)]
    pub rate: f64,
    /// Bytes of a message, at least 16
    #[arg(long, default_value = "128", value_parser = message_bytes)]
    pub size: usize,
    /// The publish key of the keyset
    #[arg(long, default_value = "demo")]
    pub publish_key: String,
    /// Its subscribe key
    #[arg(long, default_value = "demo")]
    pub subscribe_key: String,
}

/// The largest message the load generator sends.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

fn message_bytes(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(bytes) if (MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("give a number of bytes from {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.trim_end_matches('s')
        .parse::<f64>()
        .ok()
        .filter(|seconds| *seconds <= 86_400.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "give seconds, at most a day of them".to_owned())
}

fn millis(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(millis) if (1..=60_000).contains(&millis) => Ok(Duration::from_millis(millis)),
        _ => Err("give milliseconds, from 1 to 60000".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("give messages a second, from 0.001 to 100000000".to_owned()),
    }
}
