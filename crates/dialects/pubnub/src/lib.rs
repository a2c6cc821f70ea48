//! The PubNub-compatible REST API: an app on one of its SDKs changes the origin and goes on.
//!
//! A request comes to [`PubNubEndpoint`]: `router` finds its route by the raw path, `gate` its keyset, and checks its signature and what
//! it may; then it is a `Request` and goes to its module under `routes`. What the bytes mean is decided in `wire`, which is
//! pure. A keyset is an org, a timetoken a position, a subscribe a session that lives for one answer; who may do what is access's to
//! say, and what happens on channels the node's. How its words map onto ours is told in `mapping.md`.
#![forbid(unsafe_code)]

mod answer;
mod cursors;
mod endpoint;
mod files;
mod formats;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod grants;
mod groups;
mod pace;
mod pubnub;
mod request;
mod router;
mod routes;
mod settings;
mod states;
mod ticks;
mod wire;

pub use endpoint::PubNubEndpoint;
pub use pubnub::PubNub;
pub use settings::{InvalidPubNubSettings, PubNubSettings};
