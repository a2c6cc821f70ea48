//! The words that every other crate speaks: org, channel, publication, position, payload, identity.
//!
//! A publication is drafted by a dialect, gets its [`Position`] from the hub, and then travels as one
//! `Arc<Publication>` to workers, store and bus. Nothing here does IO, reads a clock or knows a protocol.
#![forbid(unsafe_code)]

mod arguments;
mod channel;
mod identity;
mod json_tokens;
mod pattern;
mod payload;
mod placeholder;
mod position;
mod publication;
mod time;

pub use arguments::{Arguments, InvalidArguments};
pub use channel::{
    CHANNEL_NAME_BYTES_MAX, ChannelFlags, ChannelId, InvalidChannelName, OrgId, WildcardPrefixes,
};
pub use identity::{Identity, IdentityKind};
pub use json_tokens::{JsonToken, JsonTokens, unescape_json};
pub use pattern::ChannelPattern;
pub use payload::{InvalidJson, JSON_DEPTH_MAX, Payload, RawJson};
pub use placeholder::{InvalidPlaceholders, Placeholder};
pub use position::{InvalidPosition, Position};
pub use publication::{Compress, Draft, Expects, Kind, Publication, SessionId, Storing};
pub use time::{Monotonic, Now, Timestamp};
