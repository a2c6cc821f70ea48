//! The command line, as `clap` structs that another program can embed.

mod values;

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

pub(crate) use self::values::MESSAGE_BYTES_MAX;
use self::values::{message_bytes, millis, rate, runs, seconds};
use crate::report::Format;
use crate::target::{Kind, Protocol};

const EXAMPLES: &str = "\
Examples:
  antiphon bench fanout --subscribers 1000                    a server on 127.0.0.1:8080
  antiphon bench fanout --rate 2000 --protocol sse            latency at a rate, not at the limit
  antiphon bench echo --runs 5 --pid $(pidof antiphon)        medians, and what each request costs the server
  antiphon bench idle --connections 100000 --pid $(pidof antiphon)
  antiphon bench storm --clients 5000                         all come back at once
  antiphon bench fanout --protocol mqtt --url mqtt://broker:1883
  antiphon bench echo --url ws://localhost:9001/echo          any WebSocket server that echoes
  antiphon bench fanout --protocol socketio --kind plain --url http://localhost:3000

docs/load.md tells what each scenario does and what its figures mean.";

/// Measures a running server: this one, or another that speaks one of the protocols.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct Bench {
    /// What to measure.
    #[command(subcommand)]
    pub scenario: Scenario,
    /// How to tell it.
    #[command(flatten)]
    pub output: Output,
}

/// How often to measure, and how to tell what was found.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Print the report as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Measure so many times, and report the medians with the least and the most
    #[arg(long, global = true, default_value = "1", value_parser = runs)]
    pub runs: u32,
}

impl Output {
    pub(crate) fn format(self) -> Format {
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
    /// Long polls, all on one channel that is published to at a fixed rate
    LongPoll(LongPollArgs),
    /// Clients that are cut off, miss messages and all come back at once, while others go on listening
    Storm(StormArgs),
}

/// Where the server is and how it is spoken to.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// The server, as http:// or ws:// (or mqtt://, nats://, redis://); a path in it stands for --path
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// What kind of server it is, which says where to connect
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
    /// An API key or JWT, sent as a bearer token (as the password where there is no HTTP)
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
    /// What is spoken
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
    /// What is spoken
    #[arg(long, value_enum, default_value_t = Protocol::WebSocket)]
    pub protocol: Protocol,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// Connections
    #[arg(long, short, default_value = "64")]
    pub connections: NonZeroUsize,
    /// Messages each connection has sent and not got back
    #[arg(long, default_value = "1", conflicts_with = "rate")]
    pub in_flight: NonZeroUsize,
    /// Bytes of a message, at least 16
    #[arg(long, default_value = "128", value_parser = message_bytes)]
    pub size: usize,
    /// Requests to send each second, all connections together, whether or not the server keeps up; latency counts from when
    /// each was due
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
}

/// Options of the idle scenario.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What is spoken
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

/// Whose long polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PollProtocol {
    /// The native ones: GET /v1/channels/{channel}?since=&wait=
    V1,
    /// Those of PubNub's SDKs
    #[value(name = "pubnub")]
    PubNub,
}

/// Options of the long-poll scenario.
#[derive(Debug, Clone, Args)]
pub struct LongPollArgs {
    /// The server.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Whose long polls
    #[arg(long, value_enum, default_value_t = PollProtocol::V1)]
    pub protocol: PollProtocol,
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
    /// The publish key of the keyset, for pubnub
    #[arg(long, default_value = "demo")]
    pub publish_key: String,
    /// Its subscribe key
    #[arg(long, default_value = "demo")]
    pub subscribe_key: String,
}

/// Options of the storm scenario.
#[derive(Debug, Clone, Args)]
pub struct StormArgs {
    /// The server, an Antiphon.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What is spoken: websocket, v1, socketio or sse
    #[arg(long, value_enum, default_value_t = Protocol::V1)]
    pub protocol: Protocol,
    /// Clients that are cut off and come back
    #[arg(long, short, default_value = "5000")]
    pub clients: NonZeroUsize,
    /// Messages that each of them misses
    #[arg(long, default_value = "100")]
    pub missed: NonZeroU32,
    /// Subscribers of another channel, who stay
    #[arg(long, default_value = "100")]
    pub stayers: NonZeroUsize,
    /// Messages to publish to those each second; latency counts from when each was due
    #[arg(long, default_value = "100", value_parser = rate)]
    pub rate: f64,
    /// Seconds for which they alone are measured before, for comparison
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub calm: Duration,
    /// Bytes of a message, at least 16
    #[arg(long, default_value = "128", value_parser = message_bytes)]
    pub size: usize,
}
