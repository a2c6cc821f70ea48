use std::fmt;
use std::time::Duration;

use antiphon_tests::{Lost, Refused};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::hearing::Joined;
use crate::ledger::Number;
use crate::random::Random;

/// A message of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) channel: String,
    pub(crate) publisher: String,
    pub(crate) number: Number,
    /// How many bytes it is longer than it has to be.
    pub(crate) padding: usize,
}

impl Note {
    /// As a payload.
    pub(crate) fn payload(&self) -> Value {
        json!({"c": self.channel, "p": self.publisher, "n": self.number, "x": "x".repeat(self.padding)})
    }

    /// What makes a repetition one.
    pub(crate) fn key(&self) -> String {
        format!("{}-{}-{}", self.publisher, self.channel, self.number)
    }
}

/// Whether a publisher's messages are broadcasts that want answers, as all of the EXP network are.
pub(crate) fn is_broadcaster(publisher: &str) -> bool {
    publisher.starts_with("exp-")
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message, by what its payload says.
    Message { channel: String, publisher: String, number: Number },
    /// Something of this channel is no longer kept.
    Gap { channel: String },
    /// What was sent with this ticket was taken.
    Taken(u64),
    /// It was not, and will not be.
    Refused(u64, String),
    /// Anything else, which is counted.
    Other(&'static str),
}

impl Heard {
    /// Whether it is a message of the EXP network, all of which want answers.
    pub(crate) fn is_broadcast(&self) -> bool {
        matches!(self, Heard::Message { publisher, .. } if is_broadcaster(publisher))
    }

    /// What a payload is.
    pub(crate) fn payload(payload: &Value) -> Heard {
        let text = |member: &str| payload[member].as_str().map(str::to_owned);
        match (text("c"), text("p"), payload["n"].as_u64()) {
            (Some(channel), Some(publisher), Some(number)) => {
                Heard::Message { channel, publisher, number: number as Number }
            }
            _ => Heard::Other("other messages heard"),
        }
    }
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The server has taken it.
    Taken,
    /// It will be heard of, by this ticket.
    Pending(u64),
    /// Nobody will ever say.
    Untold,
    /// It was refused.
    Refused(String),
}

/// Why a client cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection is over.
    Lost(String),
    /// The server did what it must not do.
    Fault(String),
    /// The server ended the connection, and a client of this kind has to expect that.
    Expected(&'static str),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Lost(text) | Trouble::Fault(text) => f.write_str(text),
            Trouble::Expected(text) => f.write_str(text),
        }
    }
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Trouble {
        Trouble::Lost(lost.0)
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Trouble {
        match refused.status {
            Some(status) if status.is_client_error() => Trouble::Fault(format!("{refused:?}")),
            _ => Trouble::Lost(format!("{refused:?}")),
        }
    }
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As the protocol wants it.
    Clean,
    /// Its connection is gone at once.
    Abort,
    /// Its connection stays, but nobody reads it or writes to it.
    HalfOpen,
}

impl Manner {
    pub(crate) fn any(random: &mut Random) -> Manner {
        *random.pick(&[Manner::Clean, Manner::Clean, Manner::Abort, Manner::Abort, Manner::HalfOpen])
    }
}

/// How long a half-open connection stays.
pub(crate) fn half_open_for(random: &mut Random) -> Duration {
    random.between(Duration::from_secs(3), Duration::from_secs(20))
}

/// A client of one dialect, as its life drives it. It knows the wire, and where it stopped.
pub(crate) trait Client: Send {
    /// Which sort of channels it can listen to.
    fn listens_to(&self, channel: &str) -> bool {
        let _ = channel;
        true
    }

    /// Whether a publication that is repeated with its key is published once.
    fn has_keys(&self) -> bool {
        false
    }

    /// Forgets where it stopped: what follows is somebody else, of this name.
    fn forget(&mut self, name: &str);

    /// Connects and listens to these channels, from where it stopped if it can.
    fn connect<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<Joined, Trouble>>;

    /// What comes next. Can be dropped before it is done, and asked for again.
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Trouble>>;

    /// Publishes.
    fn publish<'a>(&'a mut self, note: &'a Note) -> BoxFuture<'a, Result<Said, Trouble>>;

    /// Does whatever else clients of this dialect do now and then.
    fn chore<'a>(&'a mut self, channels: &'a [String]) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Leaves. What it does not say by then it never does.
    fn leave(&mut self, manner: Manner) -> BoxFuture<'_, ()>;
}
