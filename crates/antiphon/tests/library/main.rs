//! The library as programs use it: handlers with typed arguments, alone and mounted, driven by bare WebSockets and HTTP.

#![allow(clippy::unwrap_used)]

mod client;
mod connections;
mod events;
mod failures;
mod lone;
mod mounted;
mod rooms;
mod server;
