//! What the end-to-end tests are made of: the real binary as a child process, and clients that speak to it over sockets.
//!
//! Clients know the wire (`docs/protocol.md`) and nothing else: no crate of the server is used here, so a mistake in one
//! cannot hide itself on both sides. What is tested is in `tests/end_to_end`; here nothing is judged but what a
//! helper needs to go on. Helpers panic where a test would fail.
#![forbid(unsafe_code)]

mod api;
mod deadline;
mod follower;
mod listener;
mod metrics;
mod publisher;
mod server;
mod sse;
mod stream;
mod v1;
mod websocket;

pub use api::{Answer, Api, Call, Connection};
pub use deadline::{DEADLINE, eventually, within};
pub use follower::{Follower, Transcript};
pub use listener::{Heard, Listener, Target, Technique};
pub use metrics::{Family, Metrics};
pub use publisher::{Publisher, Way, number_of, numbered};
pub use server::{Server, raise_open_files};
pub use sse::{Event, EventReader};
pub use stream::Stream;
pub use v1::V1;
pub use websocket::{Closed, Frame, Refused, WebSocket};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// A position as a client handles it: compared, kept, never computed.
pub type Position = u64;

/// Something between client and server broke: refused, reset, ended, timed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Lost {
    fn from(error: E) -> Lost {
        Lost(error.to_string())
    }
}

/// A position out of a JSON string.
///
/// # Panics
/// The value is no string of digits.
pub fn position(value: &Value) -> Position {
    let digits = value.as_str().unwrap_or_else(|| panic!("not a position: {value}"));
    digits.parse().unwrap_or_else(|_| panic!("not a position: {digits:?}"))
}

/// A channel's name, or any text, as it stands in a path or a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
