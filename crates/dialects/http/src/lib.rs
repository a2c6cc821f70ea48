//! The native dialect: one URL, every way to listen (`docs/protocol.md`).
//!
//! A worker hands requests and upgrades to an [`HttpDialect`], which finds the resource, asks access who it is, and makes
//! commands of what the client says. What the bytes mean is decided in `wire`, which is pure; `routes` has a module
//! for each resource. This crate opens no socket, frames no WebSocket message and decides on no permission: that
//! is `net`'s and the node's. How its words map onto ours is told in `mapping.md`.
#![forbid(unsafe_code)]

mod assets;
mod body;
mod codes;
mod cors;
mod endpoint;
mod formats;
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod openapi;
mod raw;
mod routes;
mod settings;
#[cfg(test)]
mod testing;
mod upgrade;
mod v1;
mod wire;

pub use assets::Asset;
pub use body::AnswerBody;
pub use endpoint::{Handler, HttpDialect, HttpParts};
pub use settings::{HttpSettings, InvalidHttpSettings};
