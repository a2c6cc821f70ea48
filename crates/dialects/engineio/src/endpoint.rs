//! The driver of sessions: what gives them requests, WebSockets, a clock and an outbox.
//!
//! Each worker has an [`Engine`] for each path that Engine.IO is spoken on. A request is answered where it came if it begins a
//! session, and else by the worker that the session lives on, to which it is carried; a WebSocket that belongs elsewhere goes
//! there with its connection. A session that polls has a stream of `net`'s as its outbox, one with a WebSocket the outbox of that
//! connection, and an upgrade hands the one over to the other.

mod answer;
mod application;
mod body;
mod client_bundle;
mod cookie;
mod cors;
mod departed;
mod elsewhere;
mod engine;
mod entry;
mod handshake;
mod link;
mod open;
mod polling;
mod portion;
mod settings;
mod slots;
mod switch;
mod table;
mod timers;
mod upgrade;

pub use application::{Application, Conversation, Denied};
pub use client_bundle::{BundleFile, ClientBundle};
pub use cookie::{CookieSettings, SameSite};
pub use cors::{AllowedOrigins, CorsSettings};
pub use engine::Engine;
pub use handshake::{Handshake, Headers};
pub use link::{Link, LinkAddress, SendError, SendOptions, Sent};
pub use settings::{HttpCompression, ServeSettings};
